"""Masks: which positions are hidden from a network. Each table has one signature, (keys, ...) -> positions."""
