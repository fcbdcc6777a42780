"""Passes: ways of a batch through networks, with named outputs."""
