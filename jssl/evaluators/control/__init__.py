"""Evaluation protocols: control."""
