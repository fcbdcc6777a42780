"""Data sets: vision."""
