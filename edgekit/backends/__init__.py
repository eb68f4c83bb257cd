"""Where arrays are computed on: one module for each kind of array."""
