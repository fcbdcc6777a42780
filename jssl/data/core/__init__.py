"""Data sets: core."""
