"""Sweeps: settings of a system, scored on validation data by local processes, SLURM or Ray Tune."""
