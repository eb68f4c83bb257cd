"""The part of an image that can be measured: without borders of one colour, masked and saturated pixels.

May import `display` and what is below it.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgekit.common.load_cv2 import cv2
from edgekit.focus.measures import planes_of

Array = NDArray[Any]

#: A row or column of the border has one colour if its gray levels are within so many steps.
BORDER_STEPS = 6

#: A scale of gray levels has at least so many.
FEWEST_LEVELS = 32

#: Pixels above this fraction of the range are saturated. If more than half of an image is, such as of a printed page,
#: they count nevertheless.
SATURATED = 1 - 2 / 255

#: Regions outside the picture, such as the corners around a round field of view, are searched at this size.
SMALL = 256


#: Smaller regions in the corners are parts of the picture.
LEAST_OUTSIDE = 0.005


class PictureArea(NamedTuple):
    """An image in gray levels, ready for measuring.

    Attributes
    ----------
    gray : ndarray of uint8 or float32
        (H, W), without borders of one colour.
    invalid : ndarray of bool or None
        True where a pixel is masked or not finite.
    white : float
        The value of white.
    step : float
        The step between neighbouring gray levels.
    valid : float
        The share of the valid pixels of the image.
    origin : (int, int)
        Row and column of the image at which `gray` begins.
    """

    gray: Array
    invalid: Array | None
    white: float
    step: float
    valid: float
    origin: tuple[int, int]

    def doubtful(self) -> Array | None:
        """Return where pixels are saturated, or outside the picture: their edges count only if there are no others."""
        saturated = self.gray >= self.white * SATURATED
        share = np.count_nonzero(saturated) / saturated.size
        outside = _outside(self.gray, BORDER_STEPS / 2 * self.step)
        if not 0 < share < 0.5:
            return outside
        return saturated if outside is None else saturated | outside

    def reduced(self, size: int) -> "PictureArea":
        """Return the area at `size` pixels on its longer side, by averaging; never enlarged."""
        rows, columns = self.gray.shape
        scale = size / max(rows, columns)
        if scale >= 1:
            return self
        smaller = max(1, round(columns * scale)), max(1, round(rows * scale))

        gray = cv2.resize(self.gray, smaller, interpolation=cv2.INTER_AREA)
        if self.invalid is None:
            return self._replace(gray=gray)
        shares = cv2.resize(self.invalid.astype(np.float32), smaller, interpolation=cv2.INTER_AREA)
        return self._replace(gray=gray, invalid=shares > 0)


def picture_area(image: Array, mask: Array | None = None, white: float | None = None) -> PictureArea:
    """Prepare an image.

    Parameters
    ----------
    image : ndarray
        (H, W) or (H, W, C).
    mask : ndarray of bool, optional
        (H, W), True where the image is valid.
    white : float, optional
        The value of white. Default: that of the type for integers, the largest value for floats.
    """
    integers = image.dtype.kind in "iub"
    plane = image if image.ndim == 2 and image.dtype == np.uint8 else planes_of(image)
    finite = np.isfinite(plane) if plane.dtype.kind == "f" else None
    valid = mask if finite is None or finite.all() else finite if mask is None else finite & mask
    if valid is not None and valid.all():
        valid = None
    if valid is not None:
        share = float(valid.mean())
        plane = np.where(valid, plane, plane[valid].mean() if share else 0)
    if white is None:
        white = float(np.iinfo(image.dtype).max) if image.dtype.kind in "iu" else float(plane.max(initial=0))
    if plane.dtype != np.uint8:
        # Single precision holds neither the squares of large values nor small differences of them.
        low, high = float(plane.min(initial=0)), float(plane.max(initial=0))
        scale = 255 / (high - low) if high > low else 1.0
        levels: Array = ((plane - low) * scale).astype(np.float32)
        step, white = (scale if integers else 1.0), (white - low) * scale
    else:
        levels, step = plane, 1.0
    step = max(step, _step(levels))
    rows, columns = _inside(levels, BORDER_STEPS * step)
    levels = np.ascontiguousarray(levels[rows, columns])
    invalid = None if valid is None else ~valid[rows, columns]
    share = 1.0 if valid is None else share
    return PictureArea(levels, invalid, white, step, share, (rows.start, columns.start))


def _step(levels: Array) -> float:
    """Return the smallest difference of neighbouring pixels, in a sample of rows: images may use few of their levels.

    0 if there are fewer than `FEWEST_LEVELS` of them: these are edges of drawings, and not steps of a scale.
    """
    some = levels[:: max(1, len(levels) // 32)].astype(np.float32)
    differences = np.abs(np.diff(some, axis=1))
    positive = differences[differences > 0]
    least = float(positive.min()) if positive.size else 0.0
    return least if least * FEWEST_LEVELS <= float(np.ptp(some)) else 0.0


def _inside(levels: Array, tolerance: float) -> tuple[slice, slice]:
    """Return the rows and columns without borders of one colour."""
    rows = _without_ends(levels, tolerance)
    return rows, _without_ends(levels[rows].T, tolerance)


def _without_ends(levels: Array, tolerance: float) -> slice:
    first, last = 0, len(levels)
    while first < last and np.ptp(levels[first].astype(np.float32)) <= tolerance:
        first += 1
    while last > first and np.ptp(levels[last - 1].astype(np.float32)) <= tolerance:
        last -= 1
    return slice(first, last) if first < last else slice(0, len(levels))


def _outside(levels: Array, tolerance: float) -> Array | None:
    """Return the regions of one gray level that contain a corner, such as those around a round field of view."""
    rows, columns = levels.shape
    factor = max(1, -(-max(rows, columns) // SMALL))
    small = np.ascontiguousarray(levels[::factor, ::factor]).astype(np.float32)
    high, wide = small.shape
    found = np.zeros((high + 2, wide + 2), np.uint8)
    flags = 4 | cv2.FLOODFILL_FIXED_RANGE | cv2.FLOODFILL_MASK_ONLY | (1 << 8)
    for x, y in ((0, 0), (wide - 1, 0), (0, high - 1), (wide - 1, high - 1)):
        if not found[y + 1, x + 1]:
            cv2.floodFill(small, found, (x, y), (0,), (tolerance,), (tolerance,), flags)
    region = np.ascontiguousarray(found[1:-1, 1:-1])
    if region.mean() < LEAST_OUTSIDE:
        return None
    whole = cv2.resize(region, (columns, rows), interpolation=cv2.INTER_NEAREST)
    return cv2.dilate(whole, np.ones((factor + 1, factor + 1), np.uint8)) > 0
