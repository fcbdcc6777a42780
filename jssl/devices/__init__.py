"""Devices and compiled programs: what a chip can do, and what a step asks of it."""
