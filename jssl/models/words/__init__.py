"""Networks: words."""
