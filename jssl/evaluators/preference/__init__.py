"""Protocols: preference."""
