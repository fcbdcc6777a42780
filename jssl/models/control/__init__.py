"""Networks: control."""
