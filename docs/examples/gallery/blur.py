"""
Where an image is sharp
=======================

``sharpness_map`` gives the local sharpness, from 0 to 1. ``blur_map`` gives the local width of the blur in pixels.
Regions without edges have no value and are red.
"""

import edgekit as ek

image = ek.read_image("samples/chelsea.png")
ek.show(image, ek.sharpness_map(image), titles=["image", "local sharpness"], unit="")

# %%
# A wide blur is bright:
ek.show(image, ek.blur_map(image), titles=["image", "local blur"], unit="pixels")
