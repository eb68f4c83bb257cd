"""Saturated regions of a focus stack. Their hard edges grow longer with blur and would count as sharpness.

May import `display` and what is below it.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.common.load_cv2 import cv2
from edgekit.display.value_range import score_range
from edgekit.focus.picture_area import SATURATED
from edgekit.focus.planes import planes_of

Array = NDArray[Any]
Mask = NDArray[np.bool_]

#: Margin around a saturated pixel, as a fraction of the longer side of the image: its light spreads as it blurs.
MARGIN = 1 / 100

#: If more than this fraction of the pixels would be excluded, none is: the image is bright as a whole.
MAX_EXCLUDED = 0.5

#: Longer side of the reduced image from which pixels are filled.
FILLED_AT = 512

#: The largest number of 8 bits.
MAX_8_BITS = 255

#: Widths of the neighbourhoods that excluded pixels are filled from, as fractions of the longer side.
NEIGHBOURHOODS = (1 / 32, 1 / 8, 1 / 2, 2)


def saturated(image: Array) -> Mask:
    """Return the mask of the pixels at the upper limit of the sensor."""
    gray = image if image.ndim == 2 and image.dtype.kind == "u" else planes_of(image)
    low, high = score_range(image)
    # The range of other floating images is that of their own values, so that the brightest pixel is no limit.
    if image.dtype.kind == "f" and high > 1:
        return np.zeros(gray.shape, bool)
    if image.dtype.kind == "u" and image.itemsize > 1:
        # A sensor of fewer bits than the type is saturated at the largest number of these bits.
        largest = int(image.max(initial=0))
        if largest > MAX_8_BITS and largest & (largest + 1) == 0:
            high = largest
    return np.asarray(gray >= low + SATURATED * (high - low))


def excluded(mask: Mask) -> Mask | None:
    """Return saturated pixels with a margin around them; None if there are none, or too many."""
    margin = math.ceil(MARGIN * max(mask.shape))
    grown = cv2.dilate(mask.astype(np.uint8), np.ones((2 * margin + 1, 2 * margin + 1), np.uint8)) > 0
    return grown if 0 < grown.mean() <= MAX_EXCLUDED else None


def fill(image: Array, mask: Mask) -> Array:
    """Return the luminance of an image with the masked pixels replaced by the mean of the nearest other pixels.

    Gray integers stay integers: they are measured in less time.
    """
    plane = image if image.ndim == 2 and image.dtype in (np.uint8, np.uint16) else planes_of(image)
    rows, columns = plane.shape
    factor = max(1.0, max(plane.shape) / FILLED_AT)
    size = max(1, round(columns / factor)), max(1, round(rows / factor))
    known = (~mask).view(np.uint8) * np.uint8(255)
    # The others are 0.
    filled: Array = cv2.copyTo(plane, known)
    values, weights = (cv2.resize(a, size, interpolation=cv2.INTER_AREA).astype(np.float64) for a in (filled, known))
    weights /= 255
    means = np.zeros_like(values)
    missing = np.ones(values.shape, bool)
    for fraction in NEIGHBOURHOODS:
        width = 2 * round(fraction * max(values.shape) / 2) + 1
        total = cv2.blur(weights, (width, width))
        near = missing & (total > 1e-6)
        means[near] = cv2.blur(values, (width, width))[near] / total[near]
        missing &= ~near
        if not missing.any():
            break
    means = means.round() if plane.dtype.kind == "u" else means
    smooth = cv2.resize(means.astype(plane.dtype), (columns, rows), interpolation=cv2.INTER_LINEAR)
    cv2.copyTo(smooth, mask.view(np.uint8), filled)
    return filled
