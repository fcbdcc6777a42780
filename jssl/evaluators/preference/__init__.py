"""Evaluation protocols: preference."""
