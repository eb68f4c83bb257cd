"""
Where an image is sharp
=======================

``blur_map`` measures the width of the blur tile by tile, in pixels. Tiles without edges have no width and are red.
"""

import edgekit as ek

image = ek.read_image("samples/chelsea.png")
ek.show(image, ek.sharpness_map(image), ek.blur_map(image),
        titles=["image", "energy of the gradient", "width of the blur"], unit="")  # fmt: skip
