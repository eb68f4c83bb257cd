"""
Gradient operators side by side
===============================

All operators have the same unit, so that their responses can be compared directly.
"""

import edgekit as ek

image = ek.read_image("samples/coffee.png")
names = ["sobel", "scharr", "prewitt", "roberts", "farid"]
responses = [getattr(ek, name)(image, channel="luminance") for name in names]
ek.show(image, *responses, titles=["image", *names])
