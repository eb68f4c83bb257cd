"""The default score: how sharp, for people who want one answer. May import measures and what is below them.

The score is built from the energy of the Laplacian, each step with its reason:

1. the image is reduced to `SIZE` pixels on its longer side, never enlarged: sizes compare;
2. noise is estimated where the image is smoothest, and its share of the energy is taken away;
3. pixels at and around what the sensor clipped are left out: a burnt spot has hard edges in any focus;
4. the energy is taken by tile, and of the tiles a high percentile: a sharp subject may be small;
5. its root is divided by the range of grey levels: exposures and contrasts compare;
6. what comes out, x, becomes x² / (x² + HALF²), in [0, 1).

It is undefined (NaN) where the range of grey levels is no more than noise would give.
"""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgekit.backends.choice import backend_of
from edgekit.common.load_cv2 import cv2
from edgekit.display.rendering import value_range
from edgekit.filters.channel_axis import AUTO, ChannelAxis, take
from edgekit.focus.measures import measured_type, planes_of

Array = NDArray[Any]

#: Raised when the score of an image changes.
VERSION = 1

#: Longer side of the image that is scored.
SIZE = 512

#: Tiles along each side, and the percentile of them that counts.
TILES, PERCENTILE = 8, 90

#: The ratio of Laplacian to range that scores a half; between photographs that people call sharp and blurred.
HALF = 0.16

#: Noise is that of the smoothest tenth of tiles half the size.
NOISE_PERCENTILE = 10

#: A range below so many times the noise, or so many of 255 levels, is flat. White noise itself spans 5.2.
FLAT_NOISE, FLAT_LEVELS = 8.0, 3.0

#: From this share of the range on a pixel counts as clipped.
CLIPPED = 1 - 2 / 255

#: Floating images whose largest value lies outside are scaled first.
TINIEST, LARGEST = 2.0**-64, 2.0**64

#: A smaller image has no tiles.
SMALLEST = 32

#: White noise of variance 1 adds this to the energy of the 4-neighbour Laplacian: the sum of its squared taps.
LAPLACIAN_NOISE = 20.0

#: The tenth percentile of the tiles lies so many deviations below their mean, and the ninetieth above.
SPREAD = 1.2816

#: In white noise the means of n values of Immerkær's mask, and of the squared Laplacian, deviate by so much over √n.
RIPPLE_SPREAD, ENERGY_SPREAD = 1.40, 1.82

_IMMERKAER = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)


class _Parts(NamedTuple):
    """What the score is made of, on the reduced image."""

    energy: Array
    """Squared Laplacian, NaN where pixels are left out."""
    noise: float
    span: float
    """The range of grey levels; NaN where the image is undefined."""


def score(image: Any, *, channel_axis: ChannelAxis = AUTO) -> Any:
    """Return how sharp an image is, in [0, 1].

    Parameters
    ----------
    image : ndarray or Tensor
        As for `edgekit.sharpness`. Integers range over their type; floating images over [0, 1] where
        they stay within it. Each image of a batch is scored as if it were alone.
    channel_axis : int or None
        Which axis holds the channels, as for `edgekit.sobel`.

    Returns
    -------
    float or Tensor
        For a tensor one value for each image of the batch, of the type of `edgekit.sharpness`, without a
        gradient. NaN where it is undefined: a flat image, one with a pixel that is not finite, one below 32 pixels.

    Raises
    ------
    ShapeError, DtypeError
        If the image does not fit.

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
    image, _ = take(image, channel_axis)
    if isinstance(image, np.ndarray):
        return _score(_parts(image))
    values = [_score(_parts(one)) for one in _in_numpy(image)]
    return image.new_tensor(values, dtype=measured_type(image)).reshape(_batch(image))


def sharpness_map(image: Any, *, channel_axis: ChannelAxis = AUTO) -> Any:
    """Return where an image is sharp.

    Parameters
    ----------
    image : ndarray or Tensor
        As for `edgekit.sharpness`. Each image of a batch is measured as if it were alone.
    channel_axis : int or None
        Which axis holds the channels, as for `edgekit.sobel`.

    Returns
    -------
    ndarray or Tensor of float32
        (H, W); for torch (..., 1, H, W), or (H, W) for an image without channels. In [0, 1): the score of
        each pixel's neighbourhood, a tile wide; NaN throughout where the score is undefined. Without a gradient.

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
    image, layout = take(image, channel_axis)
    if isinstance(image, np.ndarray):
        return _map(image)
    maps = image.new_empty((*_batch(image), *image.shape[-2:]), dtype=backend_of(image).xp.float32)
    for place, one in zip(maps.view(-1, *image.shape[-2:]), _in_numpy(image), strict=True):
        place.copy_(backend_of(image).xp.from_numpy(_map(one)))
    return layout.leave(maps if image.ndim == 2 else maps[..., None, :, :])


def _batch(image: Any) -> tuple[int, ...]:
    """Return the batch axes of a tensor (..., C, H, W) or (H, W)."""
    return tuple(image.shape[:-3])


def _in_numpy(image: Any) -> Iterator[Array]:
    """Give each image of a batch as a NumPy array (H, W) or (H, W, C)."""
    images = image[None] if image.ndim == 2 else image.reshape(math.prod(_batch(image)), *image.shape[-3:])
    return map(backend_of(image).give_back, images)


def _map(image: Array) -> Array:
    """Return where a NumPy image is sharp."""
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
def _parts(image: Array) -> _Parts:
    low, high = value_range(image)
    plane = image if image.ndim == 2 and image.dtype.kind != "f" else planes_of(image)
    if not TINIEST < max(abs(low), abs(high)) < LARGEST:
        # Single precision could not hold it, nor its range.
        exponent = math.frexp(max(abs(low), abs(high)))[1]
        plane, low, high = np.ldexp(plane, -exponent), math.ldexp(low, -exponent), math.ldexp(high, -exponent)
    # In 255 levels, so that single precision and the thresholds fit every type.
    levels = (reduced(plane.astype(np.float32)) - np.float32(low)) * np.float32(255 / (high - low or 255))
    undefined = _Parts(levels, math.nan, math.nan)
    if min(levels.shape) < SMALLEST or not np.isfinite(levels).all():
        return undefined
    tiles = min(TILES, min(levels.shape) // (SMALLEST // 2))
    ripple = np.abs(cv2.filter2D(levels, -1, _IMMERKAER))[1:-1, 1:-1]
    least = float(np.percentile(_tiles(ripple, 2 * tiles), NOISE_PERCENTILE)) * math.sqrt(math.pi / 2) / 6
    noise = least / (1 - SPREAD * RIPPLE_SPREAD * 2 * tiles / math.sqrt(levels.size))
    # A quarter of the pixels tells the range as well as all of them; whole lines, lest stripes fall between.
    some = np.concatenate([levels[::8].ravel(), levels[:, ::8].ravel()])
    darkest, brightest = np.percentile(some, (0.5, 99.5))
    span = float(brightest - darkest)
    if span <= max(FLAT_LEVELS, FLAT_NOISE * noise):
        return undefined
    energy = np.square(cv2.Laplacian(levels, cv2.CV_32F))
    # Where the whole picture is at the limit, as a printed page is, nothing is burnt.
    # Two pixels around: reducing leaves a rim half clipped, and the Laplacian sees the rim from the next.
    burnt = cv2.dilate((levels >= 255 * CLIPPED).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    if burnt.mean() < 0.5:
        energy[burnt] = np.nan
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
    """Return the mean of each of `count` times `count` tiles, of the pixels that count; NaN where none does."""
    kept = np.isfinite(values)
    means = cv2.resize(np.where(kept, values, 0), (count, count), interpolation=cv2.INTER_AREA).astype(np.float64)
    shares = cv2.resize(kept.astype(np.float32), (count, count), interpolation=cv2.INTER_AREA)
    # Averaging leaves a crumb where nothing was.
    return np.where(shares > 1e-3, means / np.maximum(shares, 1e-3), np.nan).ravel()
