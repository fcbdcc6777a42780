"""Data sets: preference."""
