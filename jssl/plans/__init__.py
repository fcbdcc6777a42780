"""What a run will take, told before it runs: memory, operations, traffic, time."""
