"""Evaluation protocols: tables."""
