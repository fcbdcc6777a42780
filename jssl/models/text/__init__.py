"""Networks: text."""
