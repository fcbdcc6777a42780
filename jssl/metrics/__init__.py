"""Figures: arrays to floats, for users and tests too; `training` has those of a batch for the log."""
