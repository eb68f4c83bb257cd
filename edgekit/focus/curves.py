"""Peaked curves through few values, by least squares. Imports nothing of edgekit; SciPy, which scikit-image brings."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: So many of the largest values may be the middle of a bell, and so many places before and behind the sweep.
MOST_CENTRES, OUTSIDE = 64, (-0.6, -0.25, -0.1, -0.03, 1.03, 1.1, 1.25, 1.6)

#: Below this a sum of squares is rounding.
TINY = 1e-24

#: Full width at half maximum of a Gaussian, in standard deviations.
HALF_MAXIMUM = math.sqrt(8 * math.log(2))


#: Shares of the height above which samples count as the top.
TOPS = (0.9, 0.8, 0.65, 0.5, 0.35)


class Curve(NamedTuple):
    """A peaked curve through values at positions; both range over [0, 1].

    Attributes
    ----------
    centre, height : float
        Where its maximum is, and how high.
    width : float or None
        Full width at half maximum; None where the curve has none.
    error : float
        Standard error of the centre; infinite where as many values as parameters say nothing of it.
    base : float
        What the curve falls to.
    """

    centre: float
    height: float
    width: float | None
    error: float
    base: float = 0.0


def fit_bell(u: Array, v: Array) -> tuple[Curve, float]:
    """Fit a Gaussian on a constant; return it and the share of the variance that it explains.

    Parameters
    ----------
    u, v : ndarray
        (N,) ascending positions and their values, both from 0 to 1.
    """
    from scipy.optimize import least_squares

    centres = np.concatenate([u[np.argsort(-v)[:MOST_CENTRES]], OUTSIDE])
    starts = [(_unexplained(u, v, centres, w), w) for w in np.geomspace(0.3 / len(u), 2, 16)]
    left, width = min(starts, key=lambda start: float(start[0].min()))
    fit = least_squares(
        lambda p: _bell_at(u, v, p[0], math.exp(p[1]))[0] - v, (centres[left.argmin()], math.log(width)),
        bounds=((-1, math.log(0.03 / len(u))), (2, math.log(4))), xtol=1e-15, ftol=1e-15, gtol=1e-15,
    )  # fmt: skip
    centre, width = float(fit.x[0]), math.exp(fit.x[1])
    values, size, base = _bell_at(u, v, centre, width)
    squares = float(((v - values) ** 2).sum())
    error = _standard_error(squares, len(u) - 4, fit.jac, np.array([1.0, 0.0]))
    bell = Curve(centre, base + size, HALF_MAXIMUM * width, error, base)
    return bell, 1 - squares / float(((v - v.mean()) ** 2).sum())


def _unexplained(u: Array, v: Array, centres: Array, width: float) -> Array:
    """Return what bells at each of `centres` leave of the variance; a valley explains nothing."""
    shapes = np.exp(-(((u - centres[:, None]) / width) ** 2) / 2)
    shapes -= shapes.mean(1, keepdims=True)
    along = np.maximum(shapes @ (v - v.mean()), 0)
    left: Array = -(along**2) / np.maximum((shapes**2).sum(1), TINY)
    return left


def _bell_at(u: Array, v: Array, centre: float, width: float) -> tuple[Array, float, float]:
    """Fit the height of a bell and the constant below it; return values, height and constant."""
    shape = np.exp(-(((u - centre) / width) ** 2) / 2)
    turned = shape - shape.mean()
    size = max(0.0, float(turned @ v)) / max(float(turned @ turned), TINY)
    base = float(v.mean() - size * shape.mean())
    return base + size * shape, size, base


def best_curve(u: Array, v: Array, low: float, bell: Curve) -> Curve:
    """Return the curve that tells best where the peak is: the one with the least standard error of its centre.

    A wide top averages noise, a narrow one is closer to the form of the curve; the error knows both.

    Parameters
    ----------
    u, v : ndarray
        As for `fit_bell`.
    low : float
        The value 0 before it was moved there, in units of the range.
    bell : Curve
        What `fit_bell` found.
    """
    found = [bell] if len(u) > 4 else []
    for first, last in _tops(u, v, bell):
        part = slice(first, last + 1)
        found += [c for c in (_log_gaussian(u[part], v[part], low), _parabola(u[part], v[part])) if c is not None]
    return min(found, key=lambda curve: curve.error, default=bell)


def _tops(u: Array, v: Array, bell: Curve) -> list[tuple[int, int]]:
    """Return first and last of the samples around the largest that lie above shares of the height."""
    inside = np.abs(u - bell.centre) <= max((bell.width or 0) / 2, float(np.abs(u - bell.centre).min()))
    middle = int(np.argmax(np.where(inside, v, -1)))
    tops = []
    for share in TOPS:
        limit = bell.base + share * (bell.height - bell.base)
        first = max(0, min(middle - 2, len(u) - 5))
        last = min(len(u), first + 5) - 1
        while first > 0 and v[first - 1] > limit:
            first -= 1
        while last < len(u) - 1 and v[last + 1] > limit:
            last += 1
        tops.append((first, last))
    return sorted(set(tops))


def _parabola(u: Array, v: Array) -> Curve | None:
    """Fit a parabola; None where it has no maximum."""
    (a, b, c), middle, error = _quadratic(u, v, np.ones_like(u))
    if a >= 0:
        return None
    return Curve(middle - b / (2 * a), c - b * b / (4 * a), None, error)


def _log_gaussian(u: Array, v: Array, low: float) -> Curve | None:
    """Fit a Gaussian on the logarithm, each value with the weight that it has there; None where there is none."""
    above = v + low
    if above.min() <= 0:
        return None
    (a, b, c), middle, error = _quadratic(u, np.log(above), above)
    if a >= 0:
        return None
    # A top far outside may be as high as it likes.
    height = math.exp(min(c - b * b / (4 * a), 700.0)) - low
    return Curve(middle - b / (2 * a), height, HALF_MAXIMUM * math.sqrt(-1 / (2 * a)), error)


def _quadratic(u: Array, v: Array, weights: Array) -> tuple[tuple[float, float, float], float, float]:
    """Fit a·x² + b·x + c with x = u - middle; return the three, the middle, and the error of the centre."""
    middle = float(u.mean())
    x = u - middle
    # Powers of small numbers are smaller still: in units of the window they are not.
    unit = float(np.abs(x).max())
    columns = np.stack([(x / unit) ** 2, x / unit, np.ones_like(x)], axis=1) * weights[:, None]
    a, b, c = solution = np.linalg.lstsq(columns, v * weights, rcond=None)[0]
    squares = float(((columns @ solution - v * weights) ** 2).sum())
    # The centre is -b / 2a.
    slopes = np.array([b / (2 * a * a), -1 / (2 * a), 0.0]) * unit if a else np.zeros(3)
    error = _standard_error(squares, len(u) - 3, columns, slopes)
    return (float(a) / unit**2, float(b) / unit, float(c)), middle, error


def _standard_error(squares: float, free: int, columns: Array, slopes: Array) -> float:
    """Return the standard error of what depends on a fit's parameters by `slopes`.

    Parameters
    ----------
    squares : float
        The sum of the residuals' squares.
    free : int
        How many more values than parameters there are; few tell little of the error.
    columns : ndarray
        What the values depend on the parameters by.
    """
    if free < 1:
        return math.inf
    variance = float(slopes @ np.linalg.pinv(columns.T @ columns) @ slopes)
    return math.sqrt(max(variance * squares / free, 0)) * (1 + 2 / free)
