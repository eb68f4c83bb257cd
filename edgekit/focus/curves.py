"""Least-squares fits of curves with one peak to few values. May import `display` and what is below it."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Initial centres of the fit: the positions of this many largest values, and these positions outside the sweep.
MOST_CENTRES, OUTSIDE = 64, (-0.6, -0.25, -0.1, -0.03, 1.03, 1.1, 1.25, 1.6)

#: Sums of squares below this are rounding errors.
TINY = 1e-24

#: Full width at half maximum of a Gaussian, in standard deviations.
HALF_MAXIMUM = math.sqrt(8 * math.log(2))

#: Fractions of the height; curves are fitted to the samples above each of them.
TOPS = (0.9, 0.8, 0.65, 0.5, 0.35)


class Curve(NamedTuple):
    """A fitted curve with one peak; positions and values are scaled to [0, 1].

    Attributes
    ----------
    centre, height : float
        Position and value of the maximum.
    width : float or None
        Full width at half maximum; None for a parabola.
    error : float
        Standard error of the centre; infinite if there are only as many values as parameters.
    base : float
        The value of the curve far from the peak.
    bend : float
        The coefficient of the square of a parabola; 0 for a Gaussian.
    """

    centre: float
    height: float
    width: float | None
    error: float
    base: float = 0.0
    bend: float = 0.0

    def at(self, u: Array) -> Array:
        """Return the values of the curve."""
        if self.width is None:
            return self.height + self.bend * (u - self.centre) ** 2
        return self.base + (self.height - self.base) * np.exp(
            -(((u - self.centre) * HALF_MAXIMUM / self.width) ** 2) / 2
        )


def fit_bell(u: Array, v: Array) -> tuple[Curve, float]:
    """Fit the sum of a Gaussian and a constant; return the curve and the fraction of the variance that it explains.

    Parameters
    ----------
    u, v : ndarray
        (N,) ascending positions and their values, both in [0, 1].
    """
    from scipy.optimize import least_squares

    centres = np.concatenate([u[np.argsort(-v)[:MOST_CENTRES]], OUTSIDE])
    candidates = [(_unexplained(u, v, centres, w), w) for w in np.geomspace(0.3 / len(u), 2, 16)]
    unexplained, width = min(candidates, key=lambda start: float(start[0].min()))
    fit = least_squares(
        lambda p: _bell_at(u, v, p[0], math.exp(p[1]))[0] - v, (centres[unexplained.argmin()], math.log(width)),
        bounds=((-1, math.log(0.03 / len(u))), (2, math.log(4))), xtol=1e-15, ftol=1e-15, gtol=1e-15,
    )  # fmt: skip
    centre, width = float(fit.x[0]), math.exp(fit.x[1])
    values, size, base = _bell_at(u, v, centre, width)
    squares = float(((v - values) ** 2).sum())
    error = _standard_error(squares, len(u) - 4, fit.jac, np.array([1.0, 0.0]))
    bell = Curve(centre, base + size, HALF_MAXIMUM * width, error, base)
    return bell, 1 - squares / float(((v - v.mean()) ** 2).sum())


def _unexplained(u: Array, v: Array, centres: Array, width: float) -> Array:
    """Return, up to a constant, the variance that a Gaussian at each of `centres` does not explain.

    A minimum instead of a peak explains nothing.
    """
    shapes = np.exp(-(((u - centres[:, None]) / width) ** 2) / 2)
    shapes -= shapes.mean(1, keepdims=True)
    along = np.maximum(shapes @ (v - v.mean()), 0)
    unexplained: Array = -(along**2) / np.maximum((shapes**2).sum(1), TINY)
    return unexplained


def _bell_at(u: Array, v: Array, centre: float, width: float) -> tuple[Array, float, float]:
    """Fit the height of a Gaussian and the constant; return the values of the curve, the height and the constant."""
    shape = np.exp(-(((u - centre) / width) ** 2) / 2)
    centred = shape - shape.mean()
    size = max(0.0, float(centred @ v)) / max(float(centred @ centred), TINY)
    base = float(v.mean() - size * shape.mean())
    return base + size * shape, size, base


def best_curve(u: Array, v: Array, low: float, bell: Curve) -> Curve:
    """Return the curve with the least standard error of its centre.

    A fit to many samples averages noise; a fit to few samples near the peak depends less on the shape of the curve. The
    standard error accounts for both.

    Parameters
    ----------
    u, v : ndarray
        As for `fit_bell`.
    low : float
        The lowest value before scaling, divided by the range of the values.
    bell : Curve
        The result of `fit_bell`.
    """
    found = [bell] if len(u) > 4 else []
    for first, last in _tops(u, v, bell):
        part = slice(first, last + 1)
        found += [c for c in (_log_gaussian(u[part], v[part], low), _parabola(u[part], v[part])) if c is not None]
    return min(found, key=lambda curve: curve.error, default=bell)


def _tops(u: Array, v: Array, bell: Curve) -> list[tuple[int, int]]:
    """Return intervals around the peak, as first and last sample: their values are above a fraction of its height."""
    inside = np.abs(u - bell.centre) <= max((bell.width or 0) / 2, float(np.abs(u - bell.centre).min()))
    middle = int(np.argmax(np.where(inside, v, -1)))
    tops = []
    for fraction in TOPS:
        level = bell.base + fraction * (bell.height - bell.base)
        first = max(0, min(middle - 2, len(u) - 5))
        last = min(len(u), first + 5) - 1
        while first > 0 and v[first - 1] > level:
            first -= 1
        while last < len(u) - 1 and v[last + 1] > level:
            last += 1
        tops.append((first, last))
    return sorted(set(tops))


def _parabola(u: Array, v: Array) -> Curve | None:
    """Fit a parabola; None if it has no maximum."""
    (a, b, c), middle, error = _quadratic(u, v, np.ones_like(u))
    if a >= 0:
        return None
    return Curve(middle - b / (2 * a), c - b * b / (4 * a), None, error, bend=a)


def _log_gaussian(u: Array, v: Array, low: float) -> Curve | None:
    """Fit a Gaussian to the logarithm of the values, weighted by the values; None if it has no maximum.

    The logarithm changes the variance of the noise; the weights compensate for this.
    """
    above = v + low
    if above.min() <= 0:
        return None
    (a, b, c), middle, error = _quadratic(u, np.log(above), above)
    if a >= 0:
        return None
    # The height of a peak far outside the sweep is limited, to avoid an overflow.
    height = math.exp(min(c - b * b / (4 * a), 700.0)) - low
    return Curve(middle - b / (2 * a), height, HALF_MAXIMUM * math.sqrt(-1 / (2 * a)), error, -low)


def _quadratic(u: Array, v: Array, weights: Array) -> tuple[tuple[float, float, float], float, float]:
    """Fit a·x² + b·x + c with x = u - middle; return (a, b, c), the middle, and the standard error of the centre."""
    middle = float(u.mean())
    x = u - middle
    # Powers of small numbers lose precision, so that x is scaled to [-1, 1].
    unit = float(np.abs(x).max())
    columns = np.stack([(x / unit) ** 2, x / unit, np.ones_like(x)], axis=1) * weights[:, None]
    a, b, c = solution = np.linalg.lstsq(columns, v * weights, rcond=None)[0]
    squares = float(((columns @ solution - v * weights) ** 2).sum())
    # The derivatives of the centre, -b / 2a, by the three parameters.
    slopes = np.array([b / (2 * a * a), -1 / (2 * a), 0.0]) * unit if a else np.zeros(3)
    error = _standard_error(squares, len(u) - 3, columns, slopes)
    return (float(a) / unit**2, float(b) / unit, float(c)), middle, error


def _standard_error(squares: float, degrees: int, columns: Array, slopes: Array) -> float:
    """Return the standard error of a quantity whose derivatives by the fitted parameters are `slopes`.

    Parameters
    ----------
    squares : float
        Sum of the squared residuals.
    degrees : int
        Degrees of freedom: the number of values minus that of parameters. The error is increased if there are few.
    columns : ndarray
        Derivatives of the values by the parameters: a row for each value.
    """
    if degrees < 1:
        return math.inf
    variance = float(slopes @ np.linalg.pinv(columns.T @ columns) @ slopes)
    return math.sqrt(max(variance * squares / degrees, 0)) * (1 + 2 / degrees)
