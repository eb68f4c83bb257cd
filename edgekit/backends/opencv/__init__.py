"""NumPy arrays, computed by OpenCV. May import `operators`, `common` and cv2."""
