"""What a run will take, estimated before it runs: memory, operations, communication, time."""
