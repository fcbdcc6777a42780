"""Networks: pretrained."""
