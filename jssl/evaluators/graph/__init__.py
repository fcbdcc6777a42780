"""Protocols: graph."""
