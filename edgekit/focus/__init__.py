"""Sharpness: focus measures, the composite score, blur thresholds, focus search.

May import `display` and what is below it.
"""
