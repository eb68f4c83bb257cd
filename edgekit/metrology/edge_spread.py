"""Fits the edge spread function of a slanted edge to the pixels of a region. May import `common`.

The gray level of a pixel depends on its distance u from the edge along the normal: it is the integral of the line
spread function up to u. The line spread function is a sum of Hermite functions of the scale of the edge, and of a few
functions of three and nine times this scale, for flare and for halos of sharpening. Their integrals are fitted to the
pixels by linear least squares. No wide bins, no derivative of noisy data and no window change the result, and the
covariance of the coefficients gives the standard error of each number.

1. The line of the edge comes from the maxima of the rows.
2. The scale is searched. Then the line is corrected, by a polynomial of third degree that follows distorted edges.
3. The number of Hermite functions is that with the least Bayesian information criterion.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgekit.metrology.edge_line import EdgeLine
from edgekit.metrology.hermite import hermite, hermite_integrals, hermite_transforms

Array = NDArray[Any]

#: Least and largest number of Hermite functions of the scale of the edge.
LEAST_ORDERS, MOST_ORDERS = 5, 25

#: Wider functions: each is a multiple of the scale and a number of Hermite functions.
WIDE: tuple[tuple[tuple[float, int], ...], ...] = ((), ((3.0, 3),), ((3.0, 3), (9.0, 3)))

#: Ranges in which the scale is searched, as multiples of the last one. The first is in pixels.
SEARCHES = [np.geomspace(*search) for search in ((0.35, 12, 16), (0.7, 1.4, 9), (0.9, 1.1, 7), (0.95, 1.05, 5))]

#: Pixels are joined to bins of this width if they are near the edge, and of one pixel beyond. Each bin is a part of the
#: length of the edge, since the illumination changes along it.
BIN, NEAR, PARTS = 0.02, 30.0, 8

#: With fewer rows the edge is a straight line.
ROWS_OF_CURVES = 40

#: Sums of squares below this part of the pixels' are rounding.
ROUNDING = 1e-20


class _Samples(NamedTuple):
    """Pixels of a region, joined to bins; each attribute has a value for each bin.

    Attributes
    ----------
    u, v, level : ndarray
        Means of the distance from the edge, the coordinate along it, and the gray level.
    weight : ndarray
        The root of the number of pixels.
    within : float
        The sum of squares of the gray levels within the bins.
    pixels : int
    """

    u: Array
    v: Array
    level: Array
    weight: Array
    within: float
    pixels: int


class EdgeSpread(NamedTuple):
    """A fitted edge spread function.

    Attributes
    ----------
    line : EdgeLine
    parts : tuple of (float, int)
        The scale and the number of Hermite functions of each part.
    coefficients : ndarray
        The level of the left side, the slopes of the illumination, then the weights of the functions.
    covariance : ndarray
        Of the coefficients.
    background : int
        The number of coefficients that do not belong to the line spread function.
    noise : float
        Root mean square of the residuals in gray levels.
    pixels : int
        The number of pixels.
    """

    line: EdgeLine
    parts: tuple[tuple[float, int], ...]
    coefficients: Array
    covariance: Array
    background: int
    noise: float
    pixels: int

    @property
    def weights(self) -> Array:
        """The weights of the Hermite functions."""
        return self.coefficients[self.background :]

    @property
    def weights_covariance(self) -> Array:
        """The covariance of the weights."""
        return self.covariance[self.background :, self.background :]

    def esf(self, u: Array) -> Array:
        """Return the functions whose weighted sum is the edge spread function, (functions, N)."""
        return np.concatenate([hermite_integrals(u / scale, orders) for scale, orders in self.parts])

    def lsf(self, u: Array) -> Array:
        """Return the functions whose weighted sum is the line spread function, (functions, N)."""
        return np.concatenate([hermite(u / scale, orders) / scale for scale, orders in self.parts])

    def otf(self, frequency: Array) -> Array:
        """Return the functions whose weighted sum is the transform of the line spread function, (functions, N)."""
        return np.concatenate([hermite_transforms(frequency * scale, orders) for scale, orders in self.parts])


def fit_edge_spread(levels: Array, line: EdgeLine) -> EdgeSpread:
    """Fit the edge spread function, and the line of the edge, to a region.

    Parameters
    ----------
    levels : ndarray of float
        (H, W). Pixels that are not finite are left out.
    line : EdgeLine
        From `find_line`.
    """
    region = levels[line.rows]
    scale = 1.0
    for search in SEARCHES:
        samples = _samples(region, line)
        scale = _best_scale(samples, scale * search)
        line = _corrected(region, line, _solve(samples, scale, (), LEAST_ORDERS, shading=False))
    samples = _samples(region, line)
    fits = [_solve(samples, scale, wide, MOST_ORDERS, shading=shading) for wide in WIDE for shading in (False, True)]
    best = min(fits, key=lambda fit: fit.criterion)
    return EdgeSpread(line, best.parts, best.coefficients, best.covariance, best.background, best.noise, samples.pixels)


def _samples(region: Array, line: EdgeLine) -> _Samples:
    """Return the pixels of a region by their distance from the edge, joined to bins."""
    far = line.distances(region.shape[1])
    known = np.isfinite(region)
    u, level = far[known], region[known].astype(float)
    v = np.broadcast_to(line.v()[:, None], region.shape)[known]
    near = np.abs(u) <= NEAR
    bins = np.where(near, np.rint(u / BIN), np.rint(u) * round(2 / BIN)).astype(int)
    bins = bins * PARTS + ((v + 1) / 2 * PARTS).astype(int).clip(0, PARTS - 1)
    _, bins, counts = np.unique(bins, return_inverse=True, return_counts=True)
    u, v, mean = (np.bincount(bins, values) / counts for values in (u, v, level))
    return _Samples(u, v, mean, np.sqrt(counts), float(np.sum((level - mean[bins]) ** 2)), len(level))


class _Solution(NamedTuple):
    parts: tuple[tuple[float, int], ...]
    coefficients: Array
    covariance: Array
    background: int
    noise: float
    criterion: float


def _solve(
    samples: _Samples, scale: float, wide: tuple[tuple[float, int], ...], most: int, *, shading: bool
) -> _Solution:
    """Fit the background, the wide functions and the best number of functions of this scale.

    With QR the sums of squares of all numbers of functions come from one factorization. The levels are its last column.
    """
    background = [np.ones_like(samples.u), samples.v]
    if shading:
        # Slopes of the illumination left and right of the edge, and a contrast that changes along it.
        span = float(np.abs(samples.u).max())
        background += [np.minimum(samples.u, 0) / span, np.maximum(samples.u, 0) / span]
        background.append(samples.v * hermite_integrals(samples.u / scale, 1)[0])
    wider = [hermite_integrals(samples.u / (times * scale), orders) for times, orders in wide]
    matrix = np.concatenate((background, *wider, hermite_integrals(samples.u / scale, most)))
    fixed = len(matrix) - most
    joined = np.concatenate((matrix, samples.level[None])) * samples.weight
    r = np.asarray(np.linalg.qr(joined.T, mode="r"))
    along = r[: len(matrix), -1]
    left = samples.within + float(np.sum(r[len(matrix) :, -1] ** 2))
    # The sum of squares that remains with the first n functions.
    sums = left + np.append(np.cumsum(along[::-1] ** 2)[::-1][1:], 0)
    orders = np.arange(min(LEAST_ORDERS, most), most + 1)
    count = fixed + orders
    rounding = ROUNDING * samples.pixels * float(np.mean(samples.level**2) or 1)
    criteria = samples.pixels * np.log(np.maximum(sums[count - 1], rounding)) + count * math.log(samples.pixels)
    best = int(criteria.argmin())
    used = int(count[best])
    noise = float(sums[used - 1]) / max(1, samples.pixels - used)
    upper = r[:used, :used]
    # A function that the pixels do not determine gets a large variance, and no infinite coefficient.
    upper = upper + np.eye(used) * 1e-12 * np.abs(np.diag(upper)).max()
    inverse = np.linalg.inv(upper)
    parts = (*((times * scale, orders) for times, orders in wide), (scale, used - fixed))
    return _Solution(
        parts, inverse @ along[:used], inverse @ inverse.T * noise, len(background), math.sqrt(noise),
        float(criteria[best]),
    )  # fmt: skip


def _best_scale(samples: _Samples, scales: Array) -> float:
    """Return the scale with which few functions fit best."""
    few = min(LEAST_ORDERS, 3)
    return float(min(scales, key=lambda scale: _solve(samples, scale, (), few, shading=False).criterion))


def _corrected(region: Array, line: EdgeLine, fit: _Solution) -> EdgeLine:
    """Return the line moved so that the residuals of a fit do not depend on the row."""
    (scale, orders), width = fit.parts[-1], region.shape[1]
    far, v = line.distances(width), np.broadcast_to(line.v()[:, None], region.shape)
    t, weights = (far / scale).ravel(), fit.coefficients[fit.background :]
    slope = (weights @ hermite(t, orders) / scale).reshape(region.shape)
    level = (fit.coefficients[0] + weights @ hermite_integrals(t, orders)).reshape(region.shape) + fit.coefficients[
        1
    ] * v
    known = np.isfinite(region)
    degree = 3 if line.size >= ROWS_OF_CURVES else 1
    normal = (1 / np.hypot(1, line.slopes()))[:, None]
    moved = np.stack([(-slope * normal * v**power)[known] for power in range(1, degree + 1)])
    change = np.linalg.lstsq(moved @ moved.T, moved @ (region - level)[known], rcond=None)[0]
    coefficients = line.coefficients.copy()
    coefficients[1 : degree + 1] += change
    # The middle of the line spread function is at 0.
    centre = float(np.sum(far * slope) / np.sum(slope)) if np.sum(slope) else 0.0
    coefficients[0] += max(-1.0, min(1.0, centre)) * math.hypot(1, line.slope())
    return line._replace(coefficients=coefficients)
