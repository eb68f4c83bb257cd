"""Edges that people would draw, by gradient filters alone. May import dispatch, suppression and what is below them."""

import math
import operator
from collections.abc import Sequence
from functools import reduce

import numpy as np

from edgekit.backends.choice import backend_of
from edgekit.backends.interface import Array, Frame
from edgekit.edges.thinning import label, suppress, thinned
from edgekit.filters.apply import apply, apply_vector
from edgekit.filters.channel_axis import AUTO, ChannelAxis, take
from edgekit.filters.execute import FLOAT_LEVEL, LUMINANCE
from edgekit.operators.table import gaussian, own

# Chosen on half of the 200 training images of the Berkeley boundaries, BSDS500.

#: How much each octave counts in the mean over scales, the finest first.
WEIGHTS = (1.5, 1.0, 1.0, 0.5, 0.3)

#: How much a difference between colours counts beside one of lightness.
COLOUR = 1.5

#: Added to the magnitude over its surround: an octave at rest weakens an edge and does not silence it.
FLOOR = 0.1

#: Standard deviation of the surround at each octave, in pixels of that octave quartered.
SURROUND = 2.0

#: Added to the surround, in means of the magnitude: little in quiet surroundings stays little.
QUIET = 0.5

#: How much of its line's mean strength a pixel takes, the rest being its own.
SHARED = 0.7

#: What makes a probability of a strength, 1 / (1 + (HALF / strength) ** STEEP): fitted to the share of found
#: pixels that match what somebody drew.
HALF, STEEP = 1.09, 3.94

#: Far below any strength that is not rounding.
TINY = 1e-20

#: How far an invalid pixel spoils the finest scale.
_NEAR = own([[1.0] * 7] * 7)
_SMOOTH = own([[1 / 16, 2 / 16, 1 / 16], [2 / 16, 4 / 16, 2 / 16], [1 / 16, 2 / 16, 1 / 16]])


def detect(image: Array, *, channel_axis: ChannelAxis = AUTO) -> Array:
    """Find the edges that people would draw, and say how sure they are.

    Parameters
    ----------
    image : ndarray or Tensor
        As for `edgekit.sobel`. Of three or four channels the first three are red, green and blue;
        others count alike.
    channel_axis : int or None
        Which axis holds the channels, as for `edgekit.sobel`.

    Returns
    -------
    ndarray or Tensor
        Lines one pixel wide, float32 in [0, 1]; 0 elsewhere, and within three pixels of one that is not
        finite. (H, W), or (..., 1, H, W) for torch. The value is the share of such pixels, over many
        photographs, that lie on a boundary that somebody drew; above 0.4 edges agree best with people's.

    Raises
    ------
    ShapeError, DtypeError
        If the image does not fit.

    Notes
    -----
    1. Square roots of the levels, so that the dark has edges too; lightness and two differences of
       colours (for colour images).
    2. Gradients of all of them in five octaves, by a 5x5 Sobel operator on an image halved each time,
       joined by the structure tensor (Di Zenzo).
    3. In each octave the magnitude is divided by its mean in the surroundings: among many edges one
       counts less.
    4. The weighted geometric mean over octaves: an edge of an object is there at several scales,
       texture is not.
    5. What is strongest across the edge stays, one pixel wide, and each pixel of a line takes on most of
       the line's mean strength: a long clear line keeps its faint parts.

    Nothing in it depends on the exposure, but for half a level that is added below the root.

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
    image, layout = take(image, channel_axis)
    backend = backend_of(image)
    frame, xp = backend.frame(image), backend.xp
    if 0 in frame.leading:
        return layout.leave(backend.cast(image[..., :1, :, :], xp.float32))
    channels, known = _channels(image, frame)
    octaves = 2 ** (len(WEIGHTS) - 1)
    strength, xx, yy, xy = _octaves([_padded(p, octaves) for p in _opponents(channels, image)], WEIGHTS)

    strength = apply(xp.where(xx + yy > 0, xp.exp(strength / sum(WEIGHTS)), 0), _SMOOTH, {})
    across = xp.arctan2(2 * xy, xx - yy) / 2

    inside = (..., slice(frame.rows), slice(frame.columns))
    thin = suppress(strength[inside], xp.cos(across)[inside], xp.sin(across)[inside], interpolate=True)
    thin = backend.by_plane_in_numpy(_shared, thinned(xp.where(known, thin, 0)))
    sure = thin**STEEP / (thin**STEEP + HALF**STEEP)
    return layout.leave(sure[..., None, :, :] if frame.channels is not None and frame.channel_axis == -3 else sure)


def _channels(image: Array, frame: Frame) -> tuple[list[Array], Array]:
    """Return the planes that count, 0 where one is not finite, and where that is far enough away."""
    backend = backend_of(image)
    xp = backend.xp
    work, _ = backend.dtypes(image, wide=False)
    if frame.channels is None:
        planes = [image]
    else:
        counted = range(3 if frame.channels == 4 else frame.channels)
        planes = [image[..., i] if frame.channel_axis == -1 else image[..., i, :, :] for i in counted]
    planes = [backend.cast(p, work) for p in planes]
    finite = reduce(operator.and_, (xp.isfinite(p) for p in planes))
    planes = [backend.by_plane_in_numpy(_filled, p, finite) for p in planes]
    spoiled = apply(backend.cast(~finite, xp.float32), _NEAR, {}) > 0
    return planes, ~spoiled


def _opponents(channels: Sequence[Array], image: Array) -> list[Array]:
    """Return square roots; of red, green and blue, those of lightness, red against green, and yellow against blue."""
    backend = backend_of(image)
    xp = backend.xp
    peak = reduce(xp.maximum, (xp.amax(xp.abs(c), axis=(-2, -1), keepdims=True) for c in channels))
    peak = xp.where(peak > 0, peak, 1)
    # What follows does not depend on the unit: nothing overflows, and of a floating image the largest value is white.
    half = FLOAT_LEVEL / 2 if backend.limits(image)[1] == math.inf else 0.5 / peak

    def root(channel: Array) -> Array:
        share = channel / peak
        # Negative values mirror positive ones, and 0 stays 0.
        return backend.cast(xp.sign(share) * (xp.sqrt(xp.abs(share) + half) - half**0.5), xp.float32)

    roots = [root(c) for c in channels]
    if len(roots) != 3:
        return roots
    red, green, blue = roots
    lightness = sum(c * w for c, w in zip(roots, LUMINANCE, strict=True))
    return [lightness, (red - green) * COLOUR, ((red + green) / 2 - blue) * COLOUR]


def _padded(plane: Array, unit: int) -> Array:
    """Continue planes to a multiple of `unit` pixels each way."""
    backend = backend_of(plane)
    frame = backend.frame(plane)
    halo = (0, -frame.rows % unit, 0, -frame.columns % unit)
    return backend.window(plane, frame, 0, frame.rows, halo, "reflect", plane.dtype, 0)


def _octaves(planes: Sequence[Array], weights: Sequence[float]) -> list[Array]:
    """Return the weighted sum over octaves of the logarithm of how strong an edge is, and of the structure tensor.

    The tensor are the sums over planes of gx², gy² and gx·gy.
    """
    xp = backend_of(planes[0]).xp
    gradients = [apply_vector(p, "sobel", {"size": 5}) for p in planes]
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
    taps = gaussian(SURROUND)
    mean = _halved(_halved(_padded(magnitude, 4)))
    for kernel in ([taps], [[t] for t in taps]):
        mean = apply(mean, own(kernel), {})
    rows, columns = magnitude.shape[-2:]
    return _doubled(_doubled(mean))[..., :rows, :columns]


def _halved(planes: Array) -> Array:
    """Return the means of two by two pixels."""
    upper, lower = planes[..., ::2, :], planes[..., 1::2, :]
    return (upper[..., ::2] + upper[..., 1::2] + lower[..., ::2] + lower[..., 1::2]) / 4


def _doubled(planes: Array) -> Array:
    """Return planes twice as large each way, between pixels' centres in proportion."""
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


def _shared(thin: Array) -> Array:
    """Give each pixel of a NumPy plane most of the mean strength of the line that it is on."""
    count, labels = label(thin > 0)
    labels = labels.ravel()
    pixels = np.maximum(np.bincount(labels, minlength=count), 1)
    means = np.bincount(labels, thin.ravel(), count) / pixels
    return (thin ** (1 - SHARED) * means[labels].reshape(thin.shape) ** SHARED).astype(thin.dtype)


def _filled(plane: Array, finite: Array) -> Array:
    """Return a NumPy plane, each pixel that is not finite taken from the nearest that is."""
    if finite.all():
        return plane
    if not finite.any():
        return np.zeros_like(plane)
    from scipy import ndimage

    nearest = ndimage.distance_transform_edt(~finite, return_distances=False, return_indices=True)
    filled: Array = plane[tuple(nearest)]
    return filled
