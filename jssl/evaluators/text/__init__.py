"""Evaluation protocols: text."""
