"""What is hidden from a network: one signature a table, (keys, ...) -> which places."""
