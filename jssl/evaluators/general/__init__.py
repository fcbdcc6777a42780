"""Protocols: general."""
