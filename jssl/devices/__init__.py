"""Devices and compiled programs: hardware properties, and the cost of a step."""
