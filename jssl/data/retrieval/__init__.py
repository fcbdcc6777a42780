"""Data sets: retrieval."""
