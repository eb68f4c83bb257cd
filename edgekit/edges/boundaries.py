"""Boundaries: edges that people would draw, found by gradient filters. May import `filters` and what is below it."""

import operator
from collections.abc import Sequence
from functools import reduce

import numpy as np

from edgekit.backends.choice import backend_of
from edgekit.backends.interface import Array, ImageLayout
from edgekit.common.types import ChannelAxis, ImageT
from edgekit.edges.thinning import by_numpy_plane, label, suppress, thinned
from edgekit.filters.apply import apply, apply_bank
from edgekit.filters.inputs import FLOAT_LEVEL, check_image
from edgekit.filters.luminance import luminance
from edgekit.operators.table import gaussian, own_operator

# These constants were chosen on half of the 200 training images of the Berkeley boundaries, BSDS500.

#: Weight of each octave in the mean over scales, the finest first.
WEIGHTS = (1.5, 1.0, 1.0, 0.5, 0.3)

#: Weight of differences in colour relative to differences in lightness.
COLOUR = 1.5

#: Added to the normalized magnitude: an octave without an edge weakens the edge of others and does not erase it.
FLOOR = 0.1

#: Standard deviation of the surround at each octave, in pixels of that octave reduced to a quarter.
SURROUND = 2.0

#: Added to the surround, relative to the mean of the magnitude: weak edges in flat surroundings stay weak.
QUIET = 0.5

#: Weight of the mean strength of a line in the strength of its pixels.
SHARED = 0.7

#: The probability of a strength is 1 / (1 + (HALF / strength) ** STEEP), fitted to the fraction of pixels that match a
#: boundary that somebody drew.
HALF, STEEP = 1.09, 3.94

#: Smaller than any strength that is not due to rounding.
TINY = 1e-20

#: The pixels of the finest scale that an invalid pixel affects.
_NEAR = own_operator([[1.0] * 7] * 7)
_SMOOTH = own_operator([[1 / 16, 2 / 16, 1 / 16], [2 / 16, 4 / 16, 2 / 16], [1 / 16, 2 / 16, 1 / 16]])


def detect(image: ImageT, *, channel_axis: ChannelAxis = "auto") -> ImageT:
    """Find the edges that people would draw, with a probability for each pixel.

    Parameters
    ----------
    image : ndarray or Tensor
        As for `edgekit.sobel`. Of three or four channels the first three are red, green and blue. Other numbers of
        channels have equal weight.
    channel_axis : int, None or "auto"
        The axis of the channels, as for `edgekit.sobel`.

    Returns
    -------
    ndarray or Tensor
        float32 in [0, 1], (H, W), or (..., 1, H, W) for torch. Lines are one pixel wide. The value is 0 elsewhere, and
        within three pixels of a pixel that is not finite. It is the fraction of pixels with this value, over many
        photographs, that are on a boundary that somebody drew. A threshold of 0.4 agrees best with people.

    Raises
    ------
    ShapeError, DtypeError
        If the image does not fit.

    Notes
    -----
    1. Square roots of the gray levels, so that dark regions have edges too. Colour images give lightness and two
       differences of colours.
    2. Gradients of all of them in five octaves, by a 5x5 Sobel operator on an image that is halved each time, combined
       by the structure tensor (Di Zenzo).
    3. In each octave the magnitude is divided by its mean in the surroundings: an edge among many edges has less
       weight.
    4. The weighted geometric mean over octaves: edges of objects are present at several scales, texture is not.
    5. Non-maximum suppression. Each pixel of a line then gets most of the line's mean strength, so that a long clear
       line keeps its weak parts.

    The result does not depend on the exposure, except for half a gray level that is added before the root.

    References
    ----------
    Di Zenzo 1986, 10.1016/0734-189X(86)90223-9; Grigorescu, Petkov and Westenberg 2003 (surround),
    10.1109/TIP.2003.814250; measured after Martin, Fowlkes and Malik 2004, 10.1109/TPAMI.2004.1273918.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> image = np.full((64, 64), 90, np.uint8)
    >>> image[:, 30:] = 110
    >>> np.flatnonzero(ek.detect(image)[32] > 0.4)
    array([30])
    """
    pixels, order = check_image(image, channel_axis)
    boundaries: ImageT = order.restore(_boundaries(pixels))
    return boundaries


def _boundaries(image: Array) -> Array:
    backend = backend_of(image)
    layout, xp = backend.image_layout(image), backend.xp
    if 0 in layout.leading:
        return backend.cast(image[..., :1, :, :], xp.float32)
    channels, known = _channels(image, layout)
    octaves = 2 ** (len(WEIGHTS) - 1)
    strength, xx, yy, xy = _octaves([_padded(p, octaves) for p in _opponents(channels, image)], WEIGHTS)

    strength = apply(xp.where(xx + yy > 0, xp.exp(strength / sum(WEIGHTS)), 0), _SMOOTH, {})
    across = xp.arctan2(2 * xy, xx - yy) / 2

    inside = (..., slice(layout.rows), slice(layout.columns))
    thin = suppress(strength[inside], xp.cos(across)[inside], xp.sin(across)[inside], interpolate=True)
    thin = by_numpy_plane(_averaged_along_lines, thinned(xp.where(known, thin, 0)))
    probability = thin**STEEP / (thin**STEEP + HALF**STEEP)
    has_channel_axis = layout.channels is not None and layout.channel_axis == -3
    return probability[..., None, :, :] if has_channel_axis else probability


def _channels(image: Array, layout: ImageLayout) -> tuple[list[Array], Array]:
    """Return the planes, without values that are not finite, and the pixels that these values do not affect."""
    backend = backend_of(image)
    xp = backend.xp
    work = backend.array_types(image).work
    if layout.channels is None:
        planes = [image]
    else:
        counted = range(3 if layout.channels == 4 else layout.channels)
        planes = [image[..., i] if layout.channel_axis == -1 else image[..., i, :, :] for i in counted]
    planes = [backend.cast(p, work) for p in planes]
    finite = reduce(operator.and_, (xp.isfinite(p) for p in planes))
    planes = [by_numpy_plane(_filled, p, finite) for p in planes]
    affected = apply(backend.cast(~finite, xp.float32), _NEAR, {}) > 0
    return planes, ~affected


def _opponents(channels: Sequence[Array], image: Array) -> list[Array]:
    """Return square roots. Red, green and blue give lightness, red minus green, and yellow minus blue."""
    backend = backend_of(image)
    xp = backend.xp
    peak = reduce(xp.maximum, (xp.amax(xp.abs(c), axis=(-2, -1), keepdims=True) for c in channels))
    peak = xp.where(peak > 0, peak, 1)
    # Relative to the largest value nothing overflows. In a floating image the largest value is white.
    half = FLOAT_LEVEL / 2 if backend.array_types(image).floating else 0.5 / peak

    def root(channel: Array) -> Array:
        value = channel / peak
        # An odd function: negative values mirror positive ones, and 0 stays 0.
        return backend.cast(xp.sign(value) * (xp.sqrt(xp.abs(value) + half) - half**0.5), xp.float32)

    roots = [root(c) for c in channels]
    if len(roots) != 3:
        return roots
    red, green, blue = roots
    return [luminance(roots), (red - green) * COLOUR, ((red + green) / 2 - blue) * COLOUR]


def _padded(plane: Array, unit: int) -> Array:
    """Pad planes to a multiple of `unit` rows and columns."""
    backend = backend_of(plane)
    layout = backend.image_layout(plane)
    padding = (0, -layout.rows % unit, 0, -layout.columns % unit)
    return backend.pad(plane, layout, 0, layout.rows, padding, "reflect", plane.dtype, 0)


def _octaves(planes: Sequence[Array], weights: Sequence[float]) -> list[Array]:
    """Return the weighted sums over octaves of the logarithm of the edge strength, and of the structure tensor.

    The tensor consists of the sums over planes of gx², gy² and gx·gy.
    """
    xp = backend_of(planes[0]).xp
    gradients = [apply_bank(p, "sobel", {"size": 5}) for p in planes]
    xx, yy = (sum(g[i] * g[i] for g in gradients) for i in (0, 1))
    xy = sum(gx * gy for gx, gy in gradients)
    magnitude = xp.sqrt((xx + yy + xp.sqrt((xx - yy) ** 2 + 4 * xy * xy)) / 2)
    mean = xp.mean(magnitude, axis=(-2, -1), keepdims=True) + TINY
    strength = xp.log(FLOOR + magnitude / (_surround(magnitude) + QUIET * mean))
    here = [part * weights[0] for part in (strength, xx, yy, xy)]
    if len(weights) == 1:
        return here
    coarser = _octaves([_halved(p) for p in planes], weights[1:])
    return [part + _doubled(c) for part, c in zip(here, coarser, strict=True)]


def _surround(magnitude: Array) -> Array:
    """Return the mean around each pixel, weighted by a Gaussian."""
    bell = gaussian(SURROUND)
    mean = _halved(_halved(_padded(magnitude, 4)))
    for kernel in ([bell], [[c] for c in bell]):
        mean = apply(mean, own_operator(kernel), {})
    rows, columns = magnitude.shape[-2:]
    return _doubled(_doubled(mean))[..., :rows, :columns]


def _halved(planes: Array) -> Array:
    """Return the means of two by two pixels."""
    upper, lower = planes[..., ::2, :], planes[..., 1::2, :]
    return (upper[..., ::2] + upper[..., 1::2] + lower[..., ::2] + lower[..., 1::2]) / 4


def _doubled(planes: Array) -> Array:
    """Return planes of twice the size, by linear interpolation between the centres of pixels."""
    xp = backend_of(planes).xp
    rows, columns = planes.shape[-2:]
    for axis, shape in ((-1, (rows, 2 * columns)), (-2, (2 * rows, 2 * columns))):
        first, last = ((..., s) if axis == -1 else (..., s, slice(None)) for s in (slice(1), slice(-1, None)))
        inner = [(..., s) if axis == -1 else (..., s, slice(None)) for s in (slice(None, -1), slice(1, None))]
        before = xp.concatenate([planes[first], planes[inner[0]]], axis)
        after = xp.concatenate([planes[inner[1]], planes[last]], axis)
        parts = [planes * 0.75 + neighbour * 0.25 for neighbour in (before, after)]
        planes = xp.stack(parts, axis).reshape(*planes.shape[:-2], *shape)
    return planes


def _averaged_along_lines(thin: Array) -> Array:
    """Return the weighted geometric mean of each pixel of a NumPy plane and the mean of its line."""
    count, labels = label(thin > 0)
    labels = labels.ravel()
    pixels = np.maximum(np.bincount(labels, minlength=count), 1)
    means = np.bincount(labels, thin.ravel(), count) / pixels
    return (thin ** (1 - SHARED) * means[labels].reshape(thin.shape) ** SHARED).astype(thin.dtype)


def _filled(plane: Array, finite: Array) -> Array:
    """Return a NumPy plane in which each pixel that is not finite has the value of the nearest finite pixel."""
    if finite.all():
        return plane
    if not finite.any():
        return np.zeros_like(plane)
    from scipy import ndimage

    nearest = ndimage.distance_transform_edt(~finite, return_distances=False, return_indices=True)
    filled: Array = plane[tuple(nearest)]
    return filled
