"""Environments, and what is played in them."""
