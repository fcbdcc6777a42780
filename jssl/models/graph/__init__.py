"""Networks: graph."""
