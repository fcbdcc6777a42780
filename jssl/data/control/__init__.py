"""Data sets: control."""
