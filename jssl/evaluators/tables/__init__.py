"""Protocols: tables."""
