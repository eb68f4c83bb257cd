"""torch tensors. May import `operators`, `common` and torch."""
