"""The moments of the values of a NumPy image, tile by tile or window by window, in memory that does not grow with it.

May import `filters` and what is below it.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from edgekit.backends.interface import Array
from edgekit.backends.opencv import fused, tiling
from edgekit.common.load_cv2 import cv2
from edgekit.focus.maps import LAPLACIAN
from edgekit.focus.moments import Map, Moments, in_floats, merged, moments
from edgekit.focus.planes import invalid_as_nan, planes_of, scaling

#: The moments of each map, in the order of its values.
Found = Mapping[Map, Sequence[Moments]]


def moments_of_image(image: Array, mask: Array | None, maps: Sequence[Map]) -> tuple[Found, int]:
    """Return the moments of an image that was divided by a power of two, and the exponent of that.

    Parameters
    ----------
    image : ndarray
        (H, W) or (H, W, C).
    mask : ndarray of bool, optional
        (H, W), True where the image is valid.
    maps : sequence of Map
        What to average.
    """
    rows, columns = image.shape[:2]
    parts: dict[int, Found] = {}
    exponent = _exponent(image, mask)

    def measure(start: int, stop: int) -> None:
        before, after = halo_of(maps, start)
        first, last = max(start - before, 0), min(stop + after, rows)
        inside = slice(start - first, stop - first), slice(0, columns)
        hidden = None if mask is None else mask[first:last]
        parts[start] = moments_of_window(image[first:last], *inside, maps, mask=hidden, exponent=exponent)

    # A mebibyte of numbers in single or double precision.
    pixels = tiling.TILE if _is_of_bytes(image) else tiling.TILE // 2
    height = max(pixels // columns, 8 * max(m.halo for m in maps), 16)
    tiling.each_tile(rows, height, cv2.getNumThreads(), measure)
    # In the order of the rows, whichever thread was first.
    return merged_windows([parts[start] for start in sorted(parts)]), exponent


def moments_of_window(
    image: Array, rows: slice, columns: slice, maps: Iterable[Map], *, mask: Array | None = None, exponent: int = 0
) -> Found:
    """Return the moments of some rows and columns of an image.

    Parameters
    ----------
    image : ndarray
        The rows and columns with a halo, where the image does not end. It begins in an even row and column of the whole
        image.
    rows, columns : slice
        The part without its halo.
    maps : iterable of Map
        What to average.
    mask : ndarray of bool, optional
        That of `image`.
    exponent : int
        Of the power of two that the image is divided by.
    """
    found: dict[Map, Sequence[Moments]] = {}
    maps = list(maps)
    of_bytes = _is_of_bytes(image)
    if LAPLACIAN in maps and of_bytes and mask is None:
        found[LAPLACIAN] = [_laplacian(image, rows, columns)]
        maps.remove(LAPLACIAN)
    planes = image if of_bytes else planes_of(image)
    if mask is not None or image.dtype.kind == "f":
        planes = invalid_as_nan(in_floats(planes), mask)
    planes = np.ldexp(planes, -exponent) if exponent else planes
    return found | {m: [moments(v.within(rows, columns)) for v in m.compute(planes, "propagate")] for m in maps}


def merged_windows(parts: Sequence[Found]) -> Found:
    """Return the moments of an image from those of its windows."""
    return {m: [merged(each) for each in zip(*(part[m] for part in parts), strict=True)] for m in parts[0]}


def halo_of(maps: Iterable[Map], start: int) -> tuple[int, int]:
    """Return how many pixels before and after a window that begins at `start` affect its moments.

    With them the window begins at an even row or column, as blocks of pixels do.
    """
    halo = max(m.halo for m in maps)
    return halo + (start - halo) % 2, halo


def _is_of_bytes(image: Array) -> bool:
    """Tell whether an image has one channel of 8 bits: it is measured in single precision, which is exact."""
    return bool(image.dtype == np.uint8 and image.ndim == 2)


def _laplacian(image: Array, rows: slice, columns: slice) -> Moments:
    """Return the moments of the Laplacian of 8 bits, from sums that are exact."""
    total, squares = fused.laplacian_sums(image, rows, columns)
    count = (rows.stop - rows.start) * (columns.stop - columns.start)
    mean = total / count
    return Moments(count, mean, max(0.0, squares / count - mean * mean))


def _exponent(image: Array, mask: Array | None) -> int:
    """Return the exponent of a power of two; 0 for most images."""
    if image.dtype.kind != "f":
        return 0
    height = max(tiling.TILE // image.shape[1], 1)
    largest, kind = 0.0, planes_of(image[:1])
    for start in range(0, len(image), height):
        part = slice(start, start + height)
        planes = invalid_as_nan(planes_of(image[part]), None if mask is None else mask[part])
        largest = max(largest, float(np.fmax.reduce(np.abs(planes), axis=None, initial=0)))
    return int(scaling(np.float64(largest), kind))
