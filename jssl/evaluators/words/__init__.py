"""Protocols: words."""
