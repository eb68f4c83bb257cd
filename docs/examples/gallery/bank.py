"""
A bank of directions
====================

``oriented`` filters with one operator in many directions. It computes two filters, and one weighted sum for each
direction.
"""

import edgekit as ek

image = ek.read_image("samples/chart.png")
angles = [0, 30, 45, 90, 135]
bank = ek.oriented(image, angles, operator="farid")
ek.show(image, *bank, titles=["chart", *(f"{angle}°" for angle in angles)])
