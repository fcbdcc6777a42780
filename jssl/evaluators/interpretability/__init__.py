"""Evaluation protocols: interpretability."""
