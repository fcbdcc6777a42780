"""Evaluation protocols: general."""
