"""The part of an image that can be measured: without borders of one colour, masked and saturated pixels.

May import `display` and what is below it.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgekit.common.load_cv2 import cv2
from edgekit.filters.inputs import FLOAT_LEVEL
from edgekit.focus.edge_profiles import SMALLEST, halved
from edgekit.focus.planes import planes_of

Array = NDArray[Any]

#: Largest range of gray levels in a row or column of a border of one colour, in steps.
BORDER_STEPS = 6

#: Least difference between a border and the first line of the picture, as a multiple of this range.
ABRUPT = 4

#: Images with fewer gray levels are drawings: the difference of two levels is no step of a scale.
FEWEST_LEVELS = 32

#: Pixels above this fraction of the range are saturated. They are not left out if they are more than half of an image,
#: such as a printed page.
SATURATED = 1 - 2 / 255

#: Longer side in pixels of the reduced image in which regions outside the picture are searched, such as the corners
#: around a round field of view.
SMALL = 256

#: Percentiles that define the range of gray levels, so that a few hot pixels have no influence.
OUTLIERS = (0.1, 99.9)

#: Gray levels outside their range of 0 to 255 are clipped at this distance from it.
MOST_BEYOND = 64

#: Images whose range is above or below this power of two are first multiplied by a power of two.
LARGEST_EXPONENT = 200

#: Least share of the regions outside the picture.
LEAST_OUTSIDE = 0.005

#: Least ratio of the two energies of `_noise` for which the finest details are white noise. It is 1 for white noise,
#: and 0.04 to 0.7 for photographs.
NOISE_RATIO = 0.85

#: Noise is measured in at most this number of pixels, in the middle of the image.
MOST_FOR_NOISE = 500_000

#: OpenCV's conversion to gray levels by the number of channels. Integers are rounded, as by decoders that read a colour
#: file in gray.
_TO_GRAY = {3: cv2.COLOR_RGB2GRAY, 4: cv2.COLOR_RGBA2GRAY}

_RIPPLE = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)


class PictureArea(NamedTuple):
    """An image in gray levels, ready for measuring.

    Attributes
    ----------
    gray : ndarray of uint8 or float32
        (H, W), without borders of one colour.
    invalid : ndarray of bool or None
        True where a pixel is masked or not finite.
    saturated : float
        Gray levels from this one on are saturated.
    step : float
        The step between neighbouring gray levels.
    valid : float
        The share of the valid pixels of the image.
    origin : (int, int)
        Row and column of the image at which `gray` begins.
    noise : float
        The standard deviation of white noise; 0 if the finest details are not noise.
    """

    gray: Array
    invalid: Array | None
    saturated: float
    step: float
    valid: float
    origin: tuple[int, int]
    noise: float

    def doubtful(self) -> Array | None:
        """Return where pixels are saturated, or outside the picture: their edges count only if there are no others."""
        saturated = self.gray >= self.saturated
        share = np.count_nonzero(saturated) / saturated.size
        outside = _outside(self.gray, BORDER_STEPS / 2 * self.step)
        if not 0 < share < 0.5:
            return outside
        return saturated if outside is None else saturated | outside

    def reduced(self, size: int) -> "PictureArea":
        """Return the area at `size` pixels on its longer side, by averaging; never enlarged, and never too small."""
        rows, columns = self.gray.shape
        scale = max(size / max(rows, columns), 2 * SMALLEST / min(rows, columns))
        if scale >= 1:
            return self
        smaller = max(1, round(columns * scale)), max(1, round(rows * scale))
        invalid = None if self.invalid is None else _averaged(self.invalid.astype(np.float32), smaller) > 0
        return self._replace(gray=_averaged(self.gray, smaller), invalid=invalid, noise=self.noise * scale)


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
    if image.dtype == bool:
        image = image.astype(np.uint8) * np.uint8(255)
    if image.ndim == 3 and image.dtype in (np.uint8, np.uint16) and image.shape[2] in _TO_GRAY:
        image = cv2.cvtColor(np.ascontiguousarray(image), _TO_GRAY[image.shape[2]])
    plane = image if image.ndim == 2 and image.dtype == np.uint8 else planes_of(image)
    if white is None:
        white = float(np.iinfo(image.dtype).max) if image.dtype.kind in "iu" else math.inf
    valid = mask
    if image.dtype.kind == "f":
        finite = np.isfinite(plane)
        valid = finite if mask is None else finite & mask
    if valid is not None and valid.all():
        valid = None
    share = 1.0 if valid is None else float(valid.mean())
    inside = slice(0, plane.shape[0]), slice(0, plane.shape[1])
    if valid is not None and share:
        inside = _bounding_box(valid)
        # A level that occurs: another one would seem to be a finer step of the scale.
        plane = np.where(valid, plane, np.median(plane[valid].ravel()[::7]))[inside]
    levels, step, saturated = plane, 1.0, white * SATURATED
    if plane.dtype != np.uint8:
        levels, scale, low = _scaled(np.nan_to_num(plane) if not share else plane)
        unit = float(plane.min()) >= 0 and float(plane.max()) <= 1
        step = scale if image.dtype.kind in "iu" else scale * FLOAT_LEVEL if unit else 1.0
        saturated = (saturated - low) * scale
    if image.dtype.kind == "f":
        saturated = min(saturated, float(levels.max(initial=0)) * SATURATED)
    step = max(step, _step(levels))
    rows, columns = _without_borders(levels, BORDER_STEPS * step)
    levels = np.ascontiguousarray(levels[rows, columns])
    invalid = None if valid is None else ~valid[inside][rows, columns]
    origin = inside[0].start + rows.start, inside[1].start + columns.start
    return PictureArea(levels, invalid, saturated, step, share, origin, _noise(levels))


def _averaged(values: Array, size: tuple[int, int]) -> Array:
    """Reduce an array to columns and rows by averaging. The last step is in single precision.

    Where it is halved, integers are rounded, and an odd last row or column is left out.
    """
    columns, rows = size
    # OpenCV halves an image in a tenth of the time of another factor.
    while values.shape[0] >= 2 * rows and values.shape[1] >= 2 * columns:
        values = halved(values)
    return cv2.resize(values.astype(np.float32, copy=False), size, interpolation=cv2.INTER_AREA)


def _scaled(plane: Array) -> tuple[Array, float, float]:
    """Return gray levels in single precision, a range of about 255 of them, their scale and the value of level 0.

    Single precision holds neither the squares of large values nor small differences between them.
    """
    some = plane[:: max(1, len(plane) // 512)]
    low, high = (float(value) for value in np.percentile(some, OUTLIERS))
    if high <= low:
        low, high = float(plane.min()), float(plane.max())
    # Halves do not overflow.
    span = 2 * (high / 2 - low / 2)
    exponent = math.frexp(span)[1] if 0 < span < math.inf else 0
    if not -LARGEST_EXPONENT < exponent < LARGEST_EXPONENT:
        scaled, scale, low = _scaled(np.ldexp(plane, -exponent))
        return scaled, math.ldexp(scale, -exponent), math.ldexp(low, exponent)
    scale = 255 / span if span > 0 else 1.0
    with np.errstate(over="ignore"):
        # Hot pixels must not look like noise.
        return ((plane - low) * scale).clip(-MOST_BEYOND, 255 + MOST_BEYOND).astype(np.float32), scale, low


def _bounding_box(valid: Array) -> tuple[slice, slice]:
    """Return the rows and columns that contain all valid pixels."""
    rows, columns = (np.flatnonzero(valid.any(axis)) for axis in (1, 0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _step(levels: Array) -> float:
    """Return the smallest difference of neighbouring pixels, in a sample of rows: images may use few of their levels.

    0 if there are fewer than `FEWEST_LEVELS` of them: these are edges of drawings, and not steps of a scale.
    """
    some = levels[:: max(1, len(levels) // 32)].astype(np.float32)
    differences = np.abs(np.diff(some, axis=1))
    positive = differences[differences > 0]
    least = float(positive.min()) if positive.size else 0.0
    return least if least * FEWEST_LEVELS <= float(np.ptp(some)) else 0.0


def _without_borders(levels: Array, tolerance: float) -> tuple[slice, slice]:
    """Return the rows and columns without borders of one colour; all if hardly any would be left."""
    rows = _without_ends(levels, tolerance)
    columns = _without_ends(levels[rows].T, tolerance)
    if min(rows.stop - rows.start, columns.stop - columns.start) < SMALLEST:
        return slice(0, levels.shape[0]), slice(0, levels.shape[1])
    return rows, columns


def _without_ends(levels: Array, tolerance: float) -> slice:
    """Return the lines without those at either end that are all of the colour of the outermost line."""

    def first_other(lines: Array) -> int:
        colour = float(lines[0].mean(dtype=np.float64)) if lines.size else 0.0
        for n, line in enumerate(lines if lines.size else ()):
            difference = max(float(line.max()) - colour, colour - float(line.min()))
            if difference > tolerance / 2:
                # A border ends at once. What changes slowly is the soft edge of a uniform ground.
                return n if difference > ABRUPT * tolerance else 0
        return len(lines)

    first = first_other(levels)
    return slice(first, max(first, len(levels) - first_other(levels[::-1])))


def _noise(levels: Array) -> float:
    """Return the standard deviation of white noise; 0 if the finest details are not noise.

    The energies of Immerkær's mask and of the Laplacian have the ratio 36 : 20 in white noise, and a smaller one in
    images, whose spectrum falls. Reference: Immerkær 1996, 10.1006/cviu.1996.0060.
    """
    high = min(len(levels), MOST_FOR_NOISE // levels.shape[1])
    first = (len(levels) - high) // 2
    rows = levels[first : first + high]
    ripple = cv2.filter2D(rows, cv2.CV_32F, _RIPPLE)[1:-1, 1:-1]
    detail = cv2.Laplacian(rows, cv2.CV_32F)[1:-1, 1:-1]
    variance = cv2.norm(detail, cv2.NORM_L2SQR) / 20
    if variance == 0 or cv2.norm(ripple, cv2.NORM_L2SQR) / 36 < NOISE_RATIO * variance:
        return 0.0
    return float(np.sqrt(variance / detail.size))


def _outside(levels: Array, tolerance: float) -> Array | None:
    """Return the regions of one gray level that contain a corner, such as those around a round field of view."""
    rows, columns = levels.shape
    factor = max(1, -(-max(rows, columns) // SMALL))
    small = np.ascontiguousarray(levels[::factor, ::factor]).astype(np.float32)
    high, wide = small.shape
    outside = np.zeros((high, wide), np.uint8)
    flags = 4 | cv2.FLOODFILL_FIXED_RANGE | cv2.FLOODFILL_MASK_ONLY | (1 << 8)
    for x, y in ((0, 0), (wide - 1, 0), (0, high - 1), (wide - 1, high - 1)):
        if outside[y, x]:
            continue
        found = np.zeros((high + 2, wide + 2), np.uint8)
        cv2.floodFill(small, found, (x, y), (0,), (tolerance,), (tolerance,), flags)
        region = np.ascontiguousarray(found[1:-1, 1:-1])
        rim = small[(cv2.dilate(region, np.ones((3, 3), np.uint8)) > 0) & (region == 0)]
        # It ends at once, as borders do. What changes slowly is the soft edge of a uniform ground.
        if rim.size and np.median(np.abs(rim - small[y, x])) > 2 * ABRUPT * tolerance:
            outside |= region
    if outside.mean() < LEAST_OUTSIDE:
        return None
    whole = cv2.resize(outside, (columns, rows), interpolation=cv2.INTER_NEAREST)
    return cv2.dilate(whole, np.ones((factor + 1, factor + 1), np.uint8)) > 0
