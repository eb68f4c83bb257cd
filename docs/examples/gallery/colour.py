"""
Four ways to filter colours
===========================

Each channel separately, the luminance, the channel with the largest response, and the gradient of Di Zenzo.
"""

import edgekit as ek

image = ek.read_image("samples/coffee.png")
modes = ["each", "luminance", "max", "dizenzo"]
ek.show(
    image, *(ek.sobel(image, channel=mode) for mode in modes), titles=["image", *modes]
)
