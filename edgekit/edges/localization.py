"""Places edges between pixels: the maximum of the strength across an edge. May import `common` and `backends`.

The logarithm of the gradient's magnitude is a parabola across an edge whose blur is a Gaussian, so a parabola through
three of its samples has its maximum on the edge. The samples lie on a line through the pixel, along the gradient:

1. Three samples, one pixel apart, give a first position and the width of the edge.
2. Three samples around this position, as far apart as the edge is wide, give the result. Samples in the flat top of a
   wide edge would be decided by noise.

Samples between pixels are interpolated by cubic polynomials through 4x4 values of the logarithm.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

#: Largest distance of an edge from the centre of its pixel: half a diagonal.
FARTHEST = 0.5**0.5

#: Least and largest distance of the samples of step 2, in pixels.
NARROWEST, WIDEST = 1.0, 3.0

#: Least curvature of the logarithm: that of an edge with a standard deviation of 30 pixels.
LEAST_BEND = 1e-3

#: Pixels that the samples of a pixel need on each side, and the number of edges that are located at a time.
MARGIN, CHUNK = 6, 8192

#: A sample below this part of the pixel's strength counts as this part: the logarithm of 0 is not finite.
LEAST = 1e-4


class Located(NamedTuple):
    """Positions of edges; each attribute has one value for each edge.

    Attributes
    ----------
    offset : ndarray
        Distance from the centre of the pixel along the gradient, in pixels, at most `FARTHEST`.
    variance : ndarray
        The squared standard deviation of the strength across the edge, in square pixels; infinite where the strength
        has no maximum.
    step : ndarray
        Distance of the samples in pixels.
    strength : ndarray
        The strength at the position.
    """

    offset: Array
    variance: Array
    step: Array
    strength: Array


def locate(strength: Array, rows: Array, columns: Array, x: Array, y: Array) -> Located:
    """Return the positions of edges between pixels.

    Parameters
    ----------
    strength : ndarray of float
        (H, W), at least 0 and finite.
    rows, columns : ndarray of int
        (N,), the pixels of the edges.
    x, y : ndarray of float
        (N,), the direction across each edge, of length 1.
    """
    logarithm = np.log(np.maximum(strength, np.finfo(strength.dtype).tiny))
    padded = np.pad(logarithm, MARGIN, "edge")
    parts = [
        _locate(padded, *(a[start : start + CHUNK] for a in (rows, columns, x, y)))
        for start in range(0, max(len(rows), 1), CHUNK)
    ]
    return Located(*map(np.concatenate, zip(*parts, strict=True)))


def _locate(logarithm: Array, rows: Array, columns: Array, x: Array, y: Array) -> Located:
    """Return the positions of a few edges in a padded plane of logarithms."""
    x, y = x.astype(logarithm.dtype), y.astype(logarithm.dtype)
    origin = (rows + MARGIN) * logarithm.shape[1] + columns + MARGIN
    flat = logarithm.ravel()
    here = flat[origin]
    floor = here + logarithm.dtype.type(np.log(LEAST))
    offset, step = np.zeros_like(here), np.full_like(here, NARROWEST)
    variance, top = np.full_like(here, np.inf), here
    for _ in range(2):
        behind, centre, ahead = (
            np.maximum(_interpolate(flat, logarithm.shape[1], origin, at * x, at * y), floor)
            for at in (offset - step, offset, offset + step)
        )
        bend = 2 * centre - behind - ahead
        good = bend > LEAST_BEND
        variance = np.where(good, step * step / np.where(good, bend, 1), variance)
        moved = np.where(good, variance * (ahead - behind) / (2 * step), 0)
        moved = (offset + moved).clip(-FARTHEST, FARTHEST) - offset
        # The height of the parabola.
        top = centre + moved * (ahead - behind) / (4 * step)
        offset, used = offset + moved, step
        step = np.sqrt(variance).clip(NARROWEST, WIDEST)
    return Located(offset, variance, used, np.exp(top))


def _interpolate(flat: Array, width: int, origin: Array, x: Array, y: Array) -> Array:
    """Return values at a distance from pixels, by the cubic polynomials through 4x4 values of a plane of this width."""
    left, upper = np.floor(x), np.floor(y)
    across, down = _weights(x - left), _weights(y - upper)
    corner = origin + upper.astype(np.intp) * width + left.astype(np.intp)
    total = np.zeros_like(x)
    for row, weight in enumerate(down, -1):
        first = corner + row * width
        line = across[0] * flat[first - 1]
        for column in (1, 2, 3):
            line += across[column] * flat[first + (column - 1)]
        total += line * weight
    return total


def _weights(t: Array) -> list[Array]:
    """Return the weights of samples at -1, 0, 1 and 2 for a position in [0, 1): Lagrange's polynomials."""
    below, above, far = t + 1, t - 1, t - 2
    return [-t * above * far / 6, below * above * far / 2, -below * t * far / 2, below * t * above / 6]
