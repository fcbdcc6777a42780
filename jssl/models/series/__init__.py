"""Networks: series."""
