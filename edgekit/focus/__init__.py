"""Sharpness: focus measures, the width of the blur, the score, blur thresholds, focus search.

May import `display` and what is below it.
"""
