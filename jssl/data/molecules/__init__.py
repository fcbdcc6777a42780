"""Data sets: molecules."""
