"""Passes: forward computations of a batch through networks, with named outputs."""
