"""Claims, run and recorded."""
