"""Training of what is learned from examples: the boundary network."""
