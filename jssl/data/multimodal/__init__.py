"""Data sets: multimodal."""
