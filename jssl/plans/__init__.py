"""Estimates of the cost of a run before it starts: memory, operations, communication, time."""
