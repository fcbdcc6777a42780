"""Data sets: graph."""
