"""Data sets: audio."""
