"""Trained encoders as programs that run without jssl."""
