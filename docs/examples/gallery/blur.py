"""
Where an image is sharp
=======================

``sharpness_map`` shows the local sharpness, from 0 to 1. ``blur_map`` shows the local width of the blur in pixels.
Regions without edges have no value and are red.
"""

import edgekit as ek

image = ek.read_image("samples/chelsea.png")
ek.show(image, ek.sharpness_map(image), ek.blur_map(image),
        titles=["image", "local sharpness", "width of the blur"], unit="0 to 1, or pixels")  # fmt: skip
