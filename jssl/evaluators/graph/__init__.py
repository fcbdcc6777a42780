"""Evaluation protocols: graph."""
