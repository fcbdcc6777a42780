"""Data sets: text."""
