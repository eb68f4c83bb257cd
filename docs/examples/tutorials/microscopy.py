"""
A microscopist finds the focus
==============================

A focus stack is a series of images at different positions of the lens. This tutorial finds the best position, to a
fraction of a step, moves a simulated lens to it, and joins the sharp parts of a stack into one image.
"""

# %%
# A stack
# -------
#
# Here a stack is simulated: the photograph is in focus at position 6.4, and gets blurred with the distance from it.
import cv2
import numpy as np

import edgekit as ek

specimen = ek.read_image("samples/camera.png")
noise = np.random.default_rng(0)


def capture(position):
    """Return the image at a position of the lens, with noise."""
    blurred = cv2.GaussianBlur(
        specimen.astype(np.float32), (0, 0), 0.5 + abs(position - 6.4)
    )
    return (blurred + noise.normal(0, 2, blurred.shape)).clip(0, 255).astype(np.uint8)


stack = {position: capture(position) for position in range(12)}
ek.show(
    stack[2], stack[6], stack[10], titles=["position 2", "position 6", "position 10"]
)

# %%
# The peak
# --------
#
# A focus measure is large for sharp images. ``find_peak`` fits curves through the measures, so that the position is
# more accurate than a step, and has a standard error.
scores = [ek.sharpness(image, "tenengrad") for image in stack.values()]
peak = ek.find_peak(list(stack), scores)
peak

# %%
print(f"best focus at {peak.position:.2f} ± {peak.error:.2f}, the truth is 6.4")

# %%
# If a sweep ends before the focus, there is no peak inside. The status says in which direction to continue.
ek.find_peak(list(stack)[:5], scores[:5]).status

# %%
# The command line does the same for a folder, or for a TIFF file with pages: ``edgekit focus stack/ --plot
# focus.png``.
#
# Move the lens
# -------------
#
# ``autofocus`` calls a function that moves the lens and measures the image there. It needs a few measurements only.
found = ek.autofocus(
    lambda position: ek.sharpness(capture(position), "tenengrad"), 0, 12, budget=20
)
found

# %%
print(
    f"found {found.position:.2f} with {len(found.measurements)} measurements, the truth is 6.4"
)

# %%
# One image from a stack
# ----------------------
#
# A thick specimen is never completely in focus. Here the upper half is in focus in one image, and the lower half in
# another. ``fuse`` takes each part from the image in which it is sharp.
upper, lower = specimen.copy(), specimen.copy()
upper[256:] = cv2.GaussianBlur(specimen, (0, 0), 4)[256:]
lower[:256] = cv2.GaussianBlur(specimen, (0, 0), 4)[:256]
fused = ek.fuse([upper, lower])
ek.show(upper, lower, fused, titles=["first", "second", "fused"])

# %%
difference = np.abs(fused.astype(float) - specimen).mean()
print(f"mean difference from the sharp photograph: {difference:.2f} gray levels")

# %%
# ``depth_map`` gives the position at which each pixel is sharpest, with a confidence. Flat regions, such as the sky,
# have no texture, and their depth is that of their surroundings.
found = ek.depth_map([upper, lower], positions=[0, 10])
titles = ["fused", "position", "confidence"]
ek.show(fused, found.depth, found.confidence, titles=titles, unit="")
