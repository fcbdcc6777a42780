"""How inputs are noised, and at which level."""
