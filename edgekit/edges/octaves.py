"""Strength and direction of edges by gradients at several octaves. May import `filters` and what is below it.

The constants were chosen on half of the 200 training images of the Berkeley boundaries, BSDS500, and those of all edges
also on ten pictures of UDED.
"""

import math
import operator
from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np

from edgekit.backends.choice import backend_of
from edgekit.backends.interface import Array
from edgekit.edges.edge_thresholds import quantile
from edgekit.edges.resampling import detached, doubled, halved, padded
from edgekit.filters.apply import apply, apply_bank
from edgekit.filters.inputs import FLOAT_LEVEL
from edgekit.filters.luminance import luminance
from edgekit.operators.table import gaussian, own_operator

#: Weight of each octave in the mean over scales, the finest first.
WEIGHTS = (1.5, 1.0, 1.0, 0.5, 0.3)

#: The pixels of the photographs for which the weights were chosen. In an image of four times as many pixels the weights
#: belong to octaves that are coarser by SHIFT, and strengths are divided by STRONGER.
PIXELS, SHIFT, STRONGER = 481 * 321, 0.3, 1.085

#: Weight of differences in colour relative to differences in lightness.
COLOUR = 1.5

#: Added to the normalized magnitude: an octave without an edge weakens the edge of others and does not erase it.
FLOOR = 0.1

#: Standard deviation of the surround at each octave, in pixels of that octave reduced to a quarter.
SURROUND = 2.0

#: Added to the surround, relative to the mean of the magnitude: weak edges in flat surroundings stay weak.
QUIET = 0.25

#: Standard deviation of the gradient of texture, in pixels of the image reduced to a quarter, for an image of PIXELS
#: pixels; what is added to it, so that the edge of an object without texture keeps its strength; and its power in the
#: strength of an edge. The deviation grows with the fourth root of the number of pixels.
COARSE, UNTEXTURED, SHARE_OF_TEXTURE = 1.75, 0.017, 0.42

#: Standard deviation of the gradient for all edges, in pixels, and the weight of differences in colour.
FINE, FINE_COLOUR = 1.5, 0.7

#: Added to the magnitude of all edges, relative to white.
FAINT = 0.003

#: Added to the probability of a boundary: all edges have at least this weight.
UNLIKELY = 0.2

#: Gradients of colours below this multiple of their noise are not counted.
NOISE = 2.0

#: The share of gradients that is due to noise alone, and their magnitude relative to the standard deviation.
QUANTILE = 0.2
RAYLEIGH = math.sqrt(-2 * math.log(1 - QUANTILE))

#: Smaller than any strength that is not due to rounding.
TINY = 1e-20

_SMOOTH = own_operator([[1 / 16, 2 / 16, 1 / 16], [2 / 16, 4 / 16, 2 / 16], [1 / 16, 2 / 16, 1 / 16]])


class Edges(NamedTuple):
    """Edges before they are thinned: strength, and direction across them in radians; both (rows, columns)."""

    strength: Array
    across: Array


def relative(planes: Sequence[Array], *, floating: bool) -> tuple[list[Array], float]:
    """Return planes relative to the largest value, so that nothing overflows, and half a gray level."""
    peak = max(float(abs(detached(p)).max()) for p in planes) or 1.0
    # In a floating image the largest value is white.
    return [p / peak for p in planes], FLOAT_LEVEL / 2 if floating else 0.5 / peak


def roots(planes: Sequence[Array], half: float) -> list[Array]:
    """Return square roots of relative values, so that dark regions have edges too."""
    backend = backend_of(planes[0])
    xp = backend.xp
    # An odd function: negative values mirror positive ones, and 0 stays 0.
    return [backend.cast(xp.sign(p) * (xp.sqrt(xp.abs(p) + half) - half**0.5), xp.float32) for p in planes]


def opponents(planes: Sequence[Array], colour: float) -> list[Array]:
    """Return lightness, red minus green, and yellow minus blue; other numbers of planes as they are."""
    if len(planes) != 3:
        return list(planes)
    red, green, blue = planes
    return [luminance(list(planes)), (red - green) * colour, ((red + green) / 2 - blue) * colour]


def boundaries(planes: Sequence[Array], half: float) -> Edges:
    """Return the edges of objects: those at all octaves, relative to the edges in their surroundings."""
    xp = backend_of(planes[0]).xp
    rows, columns = planes[0].shape
    larger = max(0.0, math.log2(rows * columns / PIXELS) / 2)
    weights = _weights(SHIFT * larger)
    unit = 2 ** (len(weights) - 1)
    planes = [padded(p, unit) for p in opponents(roots(planes, half), COLOUR)]
    strength, xx, yy, xy = _octaves(planes, weights)
    change = _change_of_texture(planes, COARSE * 2 ** (larger / 2))
    strength = xp.exp(strength / sum(weights)) * (UNTEXTURED + change) ** SHARE_OF_TEXTURE / STRONGER**larger
    strength = apply(xp.where(xx + yy > 0, strength, 0), _SMOOTH, {})
    across = xp.arctan2(2 * xy, xx - yy) / 2
    return Edges(strength[:rows, :columns], across[:rows, :columns])


def _weights(shift: float) -> list[float]:
    """Return the weights of octaves that are coarser by `shift`."""
    last = len(WEIGHTS) + math.ceil(shift)
    places = np.arange(last) - shift
    return [float(w) for w in np.interp(places, range(len(WEIGHTS)), WEIGHTS, right=0)]


def all_edges(planes: Sequence[Array], probability: Array) -> Edges:
    """Return all edges: a fine gradient of the gray levels, with more weight where a boundary is probable.

    Parameters
    ----------
    planes : sequence of array
        Relative to white.
    probability : array
        Of a boundary at each pixel.
    """
    backend = backend_of(planes[0])
    xp = backend.xp
    planes = opponents([backend.cast(p, xp.float32) for p in planes], FINE_COLOUR)
    xx, yy, xy = _tensor([apply_bank(p, "gaussian", {"sigma": FINE}) for p in planes])
    strength = xp.where(xx + yy > 0, _largest(xx, yy, xy) + FAINT, 0) * (UNLIKELY + probability)
    return Edges(strength, xp.arctan2(2 * xy, xx - yy) / 2)


def changes(planes: Sequence[Array]) -> Array:
    """Return where any plane has a gradient."""
    backend = backend_of(planes[0])
    gradients = [apply_bank(detached(backend.cast(p, backend.xp.float32)), "gaussian", {"sigma": FINE}) for p in planes]
    return sum(abs(g) for pair in gradients for g in pair) > 0


def ridges(strength: Array) -> Edges:
    """Return smoothed strengths, and the direction in which they fall most steeply on both sides."""
    xp = backend_of(strength).xp
    strength = apply(strength, own_operator([[bell] for bell in gaussian(1.0)]), {})
    strength = apply(strength, own_operator([gaussian(1.0)]), {})
    gx, gy = apply_bank(strength, "gaussian", {"sigma": 1.5})
    (xx, xy), (_, yy) = (apply_bank(g, "sobel", {}) for g in (gx, gy))
    return Edges(strength, xp.arctan2(-2 * xy, yy - xx) / 2)


def _octaves(planes: Sequence[Array], weights: Sequence[float]) -> list[Array]:
    """Return the weighted sums over octaves of the logarithm of the edge strength, and of the structure tensor.

    The tensor consists of the sums over planes of gx², gy² and gx·gy.
    """
    xp = backend_of(planes[0]).xp
    xx, yy, xy = _tensor([apply_bank(p, "sobel", {"size": 5}) for p in planes])
    magnitude = _largest(xx, yy, xy)
    mean = xp.mean(magnitude) + TINY
    strength = xp.log(FLOOR + magnitude / (_surround(magnitude) + QUIET * mean))
    here = [part * weights[0] for part in (strength, xx, yy, xy)]
    if len(weights) == 1:
        return here
    coarser = _octaves([halved(p) for p in planes], weights[1:])
    return [part + doubled(c) for part, c in zip(here, coarser, strict=True)]


def _change_of_texture(planes: Sequence[Array], sigma: float) -> Array:
    """Return how much the texture on one side of each pixel differs from that on the other, from 0 to about 1.

    Texture is the density and the direction of gradients. Their contrast has little effect: each counts by its
    magnitude relative to the sum of this magnitude and the mean one. `sigma` is in pixels of the image reduced to a
    quarter.
    """
    xp = backend_of(planes[0]).xp
    xx, yy, xy = _tensor([apply_bank(p, "sobel", {}) for p in planes])
    magnitude = _root(xx + yy)
    product = magnitude * (magnitude + xp.mean(magnitude))
    weight = xp.where(product > 0, 1 / xp.where(product > 0, product, 1), 0)
    parts = [halved(halved(part * weight)) for part in (xx - yy, 2 * xy, xx + yy)]
    gradients = [apply_bank(part, "gaussian", {"sigma": sigma}) for part in parts]
    return doubled(doubled(_largest(*_sums(_products(gradients)))))


def _tensor(gradients: Sequence[Sequence[Array]]) -> list[Array]:
    """Return the sums of gx², gy² and gx·gy. Of colours only what is above their noise is added."""
    lightness, *others = _products(gradients)
    return _sums([lightness, *map(_above_noise, others)] if len(others) == 2 else [lightness, *others])


def _products(gradients: Sequence[Sequence[Array]]) -> list[list[Array]]:
    return [[gx * gx, gy * gy, gx * gy] for gx, gy in gradients]


def _sums(products: Sequence[Sequence[Array]]) -> list[Array]:
    return [reduce(operator.add, same) for same in zip(*products, strict=True)]


def _above_noise(products: list[Array]) -> list[Array]:
    """Return products of the components of a gradient, less the share that is due to noise."""
    xp = backend_of(products[0]).xp
    energy = products[0] + products[1]
    limit = (NOISE * _noise(energy)) ** 2
    above = energy > limit
    share = xp.where(above, 1 - limit / xp.where(above, energy, 1), 0) if limit else 1
    return [p * share for p in products]


def _noise(energy: Array) -> float:
    """Return the standard deviation of the components of a gradient that are due to noise, from its smallest values."""
    some = energy[::2, ::2]
    some = backend_of(some).to_numpy(detached(some))
    return math.sqrt(quantile(some, QUANTILE)) / RAYLEIGH


def _largest(xx: Array, yy: Array, xy: Array) -> Array:
    """Return the largest change in any direction (Di Zenzo)."""
    return _root((xx + yy + backend_of(xx).magnitude([xx - yy, 2 * xy])) / 2)


def _root(squares: Array) -> Array:
    """Return the root. Its gradient at 0 is 0, and not infinite."""
    xp = backend_of(squares).xp
    positive = squares > 0
    return xp.where(positive, xp.sqrt(xp.where(positive, squares, 1)), 0)


def _surround(magnitude: Array) -> Array:
    """Return the mean around each pixel, weighted by a Gaussian."""
    bell = gaussian(SURROUND)
    mean = halved(halved(padded(magnitude, 4)))
    for kernel in ([bell], [[c] for c in bell]):
        mean = apply(mean, own_operator(kernel), {})
    rows, columns = magnitude.shape[-2:]
    return doubled(doubled(mean))[..., :rows, :columns]
