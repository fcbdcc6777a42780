"""Networks: layers."""
