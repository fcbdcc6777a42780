"""Data sets: words."""
