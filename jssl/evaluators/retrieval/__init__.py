"""Protocols: retrieval."""
