"""Data sets: video."""
