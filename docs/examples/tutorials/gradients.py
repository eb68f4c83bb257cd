"""
A student learns gradients, kernels and 45 degrees
==================================================

What a gradient of an image is, how a kernel computes it, and why there are two Sobel kernels for 45 degrees.
"""

# %%
# A ramp
# ------
#
# The simplest image with a gradient is a ramp: each pixel is one gray level brighter than its left neighbour. Its
# gradient has the length 1 and points to the right. Every operator of edgekit gives this result.
import numpy as np

import edgekit as ek

ramp = np.tile(np.arange(64, dtype=np.uint8), (48, 1))
gx, gy = ek.gradient(ramp)
print(gx[20, 20], gy[20, 20])

# %%
# Kernels
# -------
#
# A kernel is a small table of numbers. It is laid over each pixel, each number is multiplied by the pixel below it,
# and the products are added. Positive numbers are orange, negative ones blue. The central difference subtracts the
# left neighbour from the right one. They are two pixels apart, so that the difference is divided by 2.
ek.kernel("central")

# %%
# Real images have noise. Sobel averages over three rows, with more weight in the middle. On a ramp of slope 1 the
# weights give 8, so that the response is divided by 8. ``scale="raw"`` shows the numbers that books print.
ek.kernel("sobel", scale="raw")

# %%
# Scharr has other weights, for which the direction is more accurate.
ek.kernel("scharr", scale="raw")

# %%
# Prewitt weighs all rows equally.
ek.kernel("prewitt", scale="raw")

# %%
# Roberts is the smallest one. It measures differences along the diagonals.
ek.kernel("roberts", scale="raw")

# %%
# Farid and Simoncelli optimized five coefficients, so that the direction of the gradient is as accurate as possible.
ek.kernel("farid")

# %%
# The derivative of a Gaussian averages over a larger region: ``sigma`` is the standard deviation of this Gaussian in
# pixels.
ek.kernel("gaussian", sigma=2)

# %%
# Kirsch and Robinson rotate one kernel into eight directions and take the largest response.
ek.kernel("kirsch", scale="raw")

# %%
ek.kernel("robinson", scale="raw")

# %%
# The Laplacian is a second derivative. It has no direction. It is positive in dark valleys and negative on bright
# peaks.
ek.kernel("laplacian", scale="raw")

# %%
# A difference of two Gaussians is similar to a Laplacian of a smoothed image.
ek.kernel("dog", sigma=1)

# %%
# Signed responses
# ----------------
#
# A gradient has a sign: positive where the image gets brighter. Here zero is shown as mid-gray. If a response is stored
# as unsigned 8-bit integers without this step, all negative values are lost. This is a frequent mistake.
camera = ek.read_image("samples/camera.png")
ek.show(camera, ek.gradient(camera), columns=2)

# %%
# 45 degrees
# ----------
#
# Angles grow clockwise from +x, because y runs down: 0 is right, 90 is down, 45 is lower right. There are two answers
# to "Sobel at 45 degrees". The first one steers: the response in any direction is cos·gx + sin·gy. This is exact.
ek.kernel("sobel", angle=45, scale="raw")

# %%
# The second one is the template of the books: the outer coefficients are shifted by one place.
ek.kernel("sobel", angle=45, rotate="ring", scale="raw")

# %%
# On a ramp in any direction both give the same answer, because each kernel is exact for a plane.
y, x = np.mgrid[-30:31, -30:31]
for degrees in (0, 45, 90, 135):
    slope = np.cos(np.deg2rad(degrees)) * x + np.sin(np.deg2rad(degrees)) * y
    steered, ring = (
        float(ek.sobel(slope, angle=45, rotate=rotate)[30, 30])
        for rotate in ("steer", "ring")
    )
    print(f"ramp towards {degrees:3}°: steered {steered:+.3f}, template {ring:+.3f}")

# %%
# On edges they differ, because the template averages along the diagonal, and the steered kernel along rows and
# columns.
chart = ek.read_image("samples/chart.png")
disc = chart[:256, 256:]
steered, ring = (
    ek.sobel(disc, angle=45, rotate=rotate) for rotate in ("steer", "ring")
)
ek.show(
    disc,
    steered,
    ring - steered,
    titles=["disc", "steered, 45°", "template minus steered"],
)

# %%
# From gradients to edges
# -----------------------
#
# The response of a gradient filter is wide at each edge. Non-maximum suppression keeps only the local maxima across it.
# Canny adds two thresholds: it keeps the pixels above the upper one, and those above the lower one that are connected
# to them. ``detect`` finds the boundaries that people would draw.
ek.show(
    camera,
    ek.sobel(camera),
    ek.canny(camera, sigma=2),
    ek.detect(camera) > 0.4,
    titles=["image", "Sobel", "Canny, σ = 2", "detect, above 0.4"],
    columns=2,
)
