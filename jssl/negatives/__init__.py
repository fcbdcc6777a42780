"""What stands against an example."""
