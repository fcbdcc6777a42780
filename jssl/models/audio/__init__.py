"""Networks: audio."""
