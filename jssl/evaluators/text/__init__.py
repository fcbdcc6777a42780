"""Protocols: text."""
