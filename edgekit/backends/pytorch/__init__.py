"""torch tensors. May import `operators` and what is below it."""
