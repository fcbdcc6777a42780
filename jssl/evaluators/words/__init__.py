"""Evaluation protocols: words."""
