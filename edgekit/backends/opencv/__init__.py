"""NumPy arrays, computed by OpenCV. May import `operators` and what is below it."""
