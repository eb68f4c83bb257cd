"""Edges as thin lines and masks: Canny, thresholding, thinning, boundaries."""
