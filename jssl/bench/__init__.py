"""Training speed of systems, and of the same systems in other libraries, in interleaved turns."""
