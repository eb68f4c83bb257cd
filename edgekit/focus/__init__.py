"""Sharpness: focus measures, the composite score, blur thresholds, focus search."""
