"""
Edges by four methods
=====================

Thresholds of Canny and of zero crossings are in gray levels per pixel. ``detect`` needs no
thresholds in gray levels: its values are probabilities.
"""

import edgekit as ek

image = ek.read_image("samples/rocket.jpg")
canny = ek.canny(image, sigma=2, channel="luminance")
crossings = ek.zero_crossings(image, sigma=2, channel="luminance") > 2
outline = ek.outline(ek.threshold(image, "otsu", channel="luminance"))
ek.show(
    image,
    canny,
    crossings,
    outline,
    ek.detect(image) > 0.4,
    titles=[
        "image",
        "Canny",
        "zero crossings",
        "outline of Otsu's threshold",
        "detect",
    ],
)
