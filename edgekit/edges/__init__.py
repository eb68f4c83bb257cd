"""Edges as thin lines and masks: Canny, thresholding, thinning, boundaries.

May import `filters` and what is below it.
"""
