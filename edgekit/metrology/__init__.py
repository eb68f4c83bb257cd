"""Measurements of edges: contours between pixels, fits of lines and circles, distances, and the slanted-edge MTF.

May import `focus` and what is below it.
"""
