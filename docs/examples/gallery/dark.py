"""
Edges in dark images
====================

An image that is eight times darker has responses that are eight times smaller. With ``tone="log"`` they stay the same.
"""

import edgekit as ek

bright, dark = (
    ek.read_image(f"samples/{name}.png") for name in ("coffee", "coffee-dark")
)
linear = [ek.sobel(image, channel="luminance") for image in (bright, dark)]
log = [ek.sobel(image, channel="luminance", tone="log") for image in (bright, dark)]

# %%
# At the same white level the edges of the dark image disappear:
titles = ["image", "bright", "eight times darker"]
ek.show(bright, *linear, white=32, titles=titles)

# %%
# Filtered with a logarithm they do not:
ek.show(dark, *log, white=0.5, titles=titles, unit="per pixel")
