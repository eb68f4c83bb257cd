"""Where arrays are computed on: one module for each kind of array. May import `operators` and what is below it."""
