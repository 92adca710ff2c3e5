"""Labels that this package makes for training."""
