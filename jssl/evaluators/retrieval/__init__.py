"""Evaluation protocols: retrieval."""
