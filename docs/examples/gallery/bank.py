"""
A bank of directions
====================

``oriented`` filters with one operator in many directions; it takes the time of two filters and of weighted sums.
"""

import edgekit as ek

image = ek.read_image("samples/chart.png")
angles = [0, 30, 45, 90, 135]
bank = ek.oriented(image, angles, operator="farid")
ek.show(image, *bank, titles=["chart", *(f"{angle}°" for angle in angles)])
