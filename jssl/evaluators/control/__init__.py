"""Protocols: control."""
