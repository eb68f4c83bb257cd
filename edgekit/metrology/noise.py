"""The noise of an image that has edges, for standard errors. May import `filters` and what is below it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.common.load_cv2 import cv2
from edgekit.metrology.planes import luminance_plane

Array = NDArray[Any]

#: Immerkær's mask: 0 on planes and on straight edges along the axes; the norm of its coefficients is 6.
_MASK, _NORM = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32), 6.0

#: Side of a block, and the part of the blocks that have less noise than the result: those without edges or texture.
BLOCK, PART = 32, 0.25

#: About the largest number of blocks that are measured: whole rows of blocks, at equal distances.
MOST_BLOCKS = 512

#: The median of the absolute values of normal noise, relative to its standard deviation.
MEDIAN = 0.6745

#: The standard deviation of the rounding to integers.
ROUNDING = 12**-0.5


def noise_of_regions(levels: Array, regions: Sequence[Array]) -> float:
    """Return the root mean square of the standard deviations of white noise in some regions.

    Shot noise is larger where the image is brighter.

    Parameters
    ----------
    levels : ndarray of float
        (H, W), without NaN.
    regions : sequence of ndarray of bool
        (H, W), True in a region without edges.
    """
    detail = np.abs(cv2.filter2D(levels, -1, _MASK.astype(levels.dtype)))
    each = [float(np.median(detail[region])) / (MEDIAN * _NORM) for region in regions if region.any()]
    return float(np.sqrt(np.mean(np.square(each)))) if each else 0.0


def noise_of(image: Array, mask: Array | None = None) -> float:
    """Return the standard deviation of white noise of the luminance, in gray levels.

    It is the lower quartile over blocks of the image, each measured by the median, so that edges do not count.
    Reference: Immerkær 1996, 10.1006/cviu.1996.0060.

    Parameters
    ----------
    image : ndarray
        (H, W) or (H, W, C). NaN is left out. The noise of integers is at least that of their rounding.
    mask : ndarray of bool, optional
        (H, W), True where the image is valid.
    """
    least = ROUNDING if image.dtype.kind in "biu" else 0.0
    height, width = image.shape[:2]
    if min(height, width) < 3:
        return least
    side = min(BLOCK, height - 2, width - 2)
    rows, columns = ((n - 2) // side for n in (height, width))
    medians = []
    for row in range(0, rows, max(1, rows * columns // MOST_BLOCKS)):
        part = slice(row * side, row * side + side + 2), slice(columns * side + 2)
        strip = luminance_plane(image[part])
        if mask is not None:
            strip = np.where(mask[part], strip, np.nan)
        detail = np.abs(cv2.filter2D(strip, -1, _MASK.astype(strip.dtype))[1:-1, 1:-1])
        medians.append(np.median(detail.reshape(side, columns, side), axis=(0, 2)))
    levels = np.concatenate(medians) / (MEDIAN * _NORM)
    levels = levels[np.isfinite(levels)]
    return max(float(np.quantile(levels, PART)), least) if levels.size else least
