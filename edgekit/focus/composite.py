"""The composite score: the default measure of sharpness, in [0, 1). May import `display` and what is below it.

The score is computed from the energy of the Laplacian. Each step has its reason:

1. The image is reduced to `SIZE` pixels on its longer side, and never enlarged: images of all sizes compare.
2. Noise is estimated where the image is smoothest, and its energy is subtracted.
3. Saturated regions and the pixels around them do not count: they have hard edges even out of focus.
4. The energy is averaged in each tile, and a high percentile of the tiles counts: a sharp subject may be small.
5. The root of this energy is divided by the range of gray levels: all exposures and contrasts compare.
6. The result x is mapped to x² / (x² + HALF²).

The score is undefined (NaN) if the range of gray levels is not larger than that of noise.
"""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgekit.backends.choice import backend_of
from edgekit.common.choices import number_range
from edgekit.common.load_cv2 import cv2
from edgekit.common.types import ChannelAxis
from edgekit.display.value_range import Range, score_range
from edgekit.filters.inputs import check_image, to_numpy_image
from edgekit.focus.measures import measured_type, planes_of

Array = NDArray[Any]

#: Version of the formula; a new one makes stored scores stale.
VERSION = 1

#: Longer side of the reduced image, in pixels.
SIZE = 512

#: Tiles along each side, and the percentile of their energies that is used.
TILES, PERCENTILE = 8, 90

#: The ratio of Laplacian to range with a score of 0.5: between photographs that people call sharp and blurred.
HALF = 0.16

#: Noise is estimated in the smoothest tenth of tiles of half the size.
NOISE_PERCENTILE = 10

#: An image is flat if its range is below so many times the noise, or below so many of 255 levels. White noise has a
#: range of 5.2.
FLAT_NOISE, FLAT_LEVELS = 8.0, 3.0

#: Pixels above this fraction of the range are saturated.
SATURATED = 1 - 2 / 255

#: Floating images are scaled if their largest value is outside this range.
TINIEST, LARGEST = 2.0**-64, 2.0**64

#: A smaller image is not divided into tiles.
SMALLEST = 32

#: The energy of the 4-neighbour Laplacian of white noise of variance 1: the sum of its squared coefficients.
LAPLACIAN_NOISE = 20.0

#: The 10th percentile of a normal distribution is so many standard deviations below the mean, the 90th above.
SPREAD = 1.2816

#: Standard deviations, over √n, of the means of n values of Immerkær's mask and of the squared Laplacian, in white
#: noise.
RIPPLE_SPREAD, ENERGY_SPREAD = 1.40, 1.82

_IMMERKAER = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)


class _Parts(NamedTuple):
    """The parts of the score, on the reduced image."""

    energy: Array
    """Squared Laplacian; NaN where pixels do not count."""
    noise: float
    span: float
    """The range of gray levels; NaN where the score is undefined."""


def score(image: Any, *, channel_axis: ChannelAxis = "auto", in_range: Range | None = None) -> Any:
    """Return the composite score of the sharpness of an image, in [0, 1).

    Parameters
    ----------
    image : ndarray or Tensor
        As for `edgekit.sharpness`. The range of integers is that of their type, the range of floating images is [0, 1]
        if they are within it. Each image of a batch is scored separately.
    channel_axis : int, None or "auto"
        The axis of the channels, as for `edgekit.sobel`.
    in_range : (float, float), optional
        The values of black and white, if they are not those of the type, such as (0, 4095) for 12 bits.

    Returns
    -------
    float or Tensor
        For a tensor one value for each image of the batch, of the type of `edgekit.sharpness`, without a gradient.
        NaN where the score is undefined: for an image with a pixel that is not finite, with a side shorter than 32
        pixels, or without contrast: a range of gray levels of at most 3/255 of the range of its type, or no larger
        than that of its noise.

    Raises
    ------
    ShapeError, DtypeError
        If the image does not fit.
    ParameterError
        If `in_range` is not two numbers.

    Notes
    -----
    The formula is in the docstring of `edgekit.focus.composite`.

    Examples
    --------
    >>> import numpy as np, cv2, edgekit as ek
    >>> y, x = np.mgrid[:256, :256]
    >>> image = np.where((x // 16 + y // 16) % 2, 200, 50).astype(np.uint8)
    >>> blurred = cv2.GaussianBlur(image, (0, 0), 2)
    >>> ek.score(image) > 0.6 > 0.2 > ek.score(blurred)
    True
    >>> ek.score(np.full((64, 64), 9, np.uint8))
    nan
    """
    image, _ = check_image(image, channel_axis)
    if in_range is not None:
        in_range = number_range("in_range", in_range)
    if isinstance(image, np.ndarray):
        return _score(_parts(image, in_range))
    values = [_score(_parts(one, in_range)) for one in _numpy_images(image)]
    return image.new_tensor(values, dtype=measured_type(image)).reshape(_batch(image))


def sharpness_map(image: Any, *, channel_axis: ChannelAxis = "auto") -> Any:
    """Return a map of the local sharpness of an image.

    Parameters
    ----------
    image : ndarray or Tensor
        As for `edgekit.sharpness`. Each image of a batch is measured separately.
    channel_axis : int, None or "auto"
        The axis of the channels, as for `edgekit.sobel`.

    Returns
    -------
    ndarray or Tensor of float32
        (H, W); for torch (..., 1, H, W), or (H, W) for an image without channels. In [0, 1): the score of each pixel's
        neighbourhood, an eighth of the image along each side. NaN everywhere if the score is undefined. Without a
        gradient.

    Raises
    ------
    ShapeError, DtypeError
        If the image does not fit.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> image = np.full((128, 128), 100, np.uint8)
    >>> image[:64, ::2] = 150
    >>> where = ek.sharpness_map(image)
    >>> bool(where[20].min() > where[100].max())
    True
    """
    image, order = check_image(image, channel_axis)
    if isinstance(image, np.ndarray):
        return _map(image)
    maps = image.new_empty((*_batch(image), *image.shape[-2:]), dtype=backend_of(image).xp.float32)
    for place, one in zip(maps.view(-1, *image.shape[-2:]), _numpy_images(image), strict=True):
        place.copy_(backend_of(image).xp.from_numpy(_map(one)))
    return order.restore(maps if image.ndim == 2 else maps[..., None, :, :])


def _batch(image: Any) -> tuple[int, ...]:
    """Return the batch axes of a tensor (..., C, H, W) or (H, W)."""
    return tuple(image.shape[:-3])


def _numpy_images(image: Any) -> Iterator[Array]:
    """Yield each image of a batch as a NumPy array (H, W) or (H, W, C)."""
    images = image[None] if image.ndim == 2 else image.reshape(math.prod(_batch(image)), *image.shape[-3:])
    return (to_numpy_image(one, backend_of(image)) for one in images)


def _map(image: Array) -> Array:
    """Return the map of a NumPy image."""
    rows, columns = image.shape[:2]
    parts = _parts(image)
    if math.isnan(parts.span):
        return np.full((rows, columns), np.nan, np.float32)
    kept = np.isfinite(parts.energy).astype(np.float32)
    width = tuple(max(3, n // TILES | 1) for n in reversed(parts.energy.shape))
    total = cv2.blur(np.nan_to_num(parts.energy), width)
    energy = total / np.maximum(cv2.blur(kept, width), np.float32(1e-3))
    local = np.maximum(energy - LAPLACIAN_NOISE * parts.noise**2, 0) / parts.span**2
    shown: Array = local / (local + HALF**2)
    return cv2.resize(shown.astype(np.float32), (columns, rows), interpolation=cv2.INTER_LINEAR)


def reduced(image: Array) -> Array:
    """Reduce an image to `SIZE` pixels on its longer side, by averaging; never enlarge it."""
    rows, columns = image.shape[:2]
    scale = SIZE / max(rows, columns)
    if scale >= 1:
        return image
    size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


@np.errstate(all="ignore")
def _parts(image: Array, in_range: Range | None = None) -> _Parts:
    low, high = in_range or score_range(image)
    plane = image if image.ndim == 2 and image.dtype.kind != "f" else planes_of(image)
    if not TINIEST < max(abs(low), abs(high)) < LARGEST:
        # Single precision does not hold the values or their range.
        exponent = math.frexp(max(abs(low), abs(high)))[1]
        plane, low, high = np.ldexp(plane, -exponent), math.ldexp(low, -exponent), math.ldexp(high, -exponent)
    # On a scale of 255 levels single precision and the thresholds fit every type.
    levels = (reduced(plane.astype(np.float32)) - np.float32(low)) * np.float32(255 / (high - low or 255))
    undefined = _Parts(levels, math.nan, math.nan)
    if min(levels.shape) < SMALLEST or not np.isfinite(levels).all():
        return undefined
    tiles = min(TILES, min(levels.shape) // (SMALLEST // 2))
    ripple = np.abs(cv2.filter2D(levels, -1, _IMMERKAER))[1:-1, 1:-1]
    least = float(np.percentile(_tiles(ripple, 2 * tiles), NOISE_PERCENTILE)) * math.sqrt(math.pi / 2) / 6
    noise = least / (1 - SPREAD * RIPPLE_SPREAD * 2 * tiles / math.sqrt(levels.size))
    # A quarter of the pixels gives the same range as all of them. Whole lines: stripes could lie between single pixels.
    some = np.concatenate([levels[::8].ravel(), levels[:, ::8].ravel()])
    darkest, brightest = np.percentile(some, (0.5, 99.5))
    span = float(brightest - darkest)
    if span <= max(FLAT_LEVELS, FLAT_NOISE * noise):
        return undefined
    energy = np.square(cv2.Laplacian(levels, cv2.CV_32F))
    # Two pixels around a saturated region do not count either: the reduced image has a half saturated edge there, and
    # the Laplacian covers the next pixel. An image that is mostly white, such as a printed page, is not saturated.
    saturated = cv2.dilate((levels >= 255 * SATURATED).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    if saturated.mean() < 0.5:
        energy[saturated] = np.nan
    return _Parts(energy, noise, span)


def _score(parts: _Parts) -> float:
    if math.isnan(parts.span):
        return math.nan
    tiles = min(TILES, min(parts.energy.shape) // (SMALLEST // 2))
    energies = _tiles(parts.energy, tiles)
    most = 1 + SPREAD * ENERGY_SPREAD * tiles / math.sqrt(parts.energy.size)
    floor = LAPLACIAN_NOISE * parts.noise**2 * most
    energy: float = float(np.percentile(energies[np.isfinite(energies)], PERCENTILE)) - floor
    x2 = max(energy, 0.0) / parts.span**2
    return x2 / (x2 + HALF**2)


def _tiles(values: Array, count: int) -> Array:
    """Return the mean of each of `count` times `count` tiles, over the pixels that are not NaN."""
    kept = np.isfinite(values)
    means = cv2.resize(np.where(kept, values, 0), (count, count), interpolation=cv2.INTER_AREA).astype(np.float64)
    fractions = cv2.resize(kept.astype(np.float32), (count, count), interpolation=cv2.INTER_AREA)
    # Resizing leaves tiny fractions in tiles without pixels.
    return np.where(fractions > 1e-3, means / np.maximum(fractions, 1e-3), np.nan).ravel()
