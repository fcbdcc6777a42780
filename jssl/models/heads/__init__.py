"""Networks: heads."""
