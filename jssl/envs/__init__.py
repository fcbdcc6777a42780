"""Environments, and trajectories in them."""
