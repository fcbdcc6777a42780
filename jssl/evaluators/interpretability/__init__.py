"""Protocols: interpretability."""
