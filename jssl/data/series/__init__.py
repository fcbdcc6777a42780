"""Data sets: series."""
