"""Data sets: tables."""
