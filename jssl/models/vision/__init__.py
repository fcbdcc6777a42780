"""Networks: vision."""
