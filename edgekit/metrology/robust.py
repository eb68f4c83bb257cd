"""Robust least squares for curves through points, with standard errors. May import `common`.

1. Many curves through few random points each are tried. The one with the least median distance is the start: up to half
   of the points may be outliers.
2. The curve is fitted to the points near it by least squares, until these points do not change.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

#: Returns signed distances (curves, points) of points (points, 2) from curves with parameters (curves, parameters).
Distances = Callable[[Array, Array], Array]

#: Returns the parameters of the curves through sets of points (sets, points of a set, 2); NaN if there is none.
Solve = Callable[[Array], Array]

#: Number of random sets of points, and of the points by which they are compared.
TRIALS, COMPARED = 400, 400

#: Points within this multiple of the standard deviation are fitted. The median distance gives the standard deviation.
NEAR, MEDIAN = 3.5, 0.6745

#: Largest number of times that the curve is fitted.
ROUNDS = 30

#: Distances below this part of the size of the points are rounding.
ROUNDING = 1e-12

#: Residuals at a larger distance along the curve than this part of the points are not compared with each other.
FARTHEST = 0.1


class RobustFit(NamedTuple):
    """A fitted curve.

    Attributes
    ----------
    parameters, errors : ndarray
        And their standard errors.
    rms : float
        Root mean square distance of the inliers.
    inliers : ndarray of bool
        Which points were fitted.
    """

    parameters: Array
    errors: Array
    rms: float
    inliers: Array


def robust_fit(points: Array, distances: Distances, solve: Solve, few: int) -> RobustFit | None:
    """Fit a curve to points; return None if no curve is determined by them.

    Parameters
    ----------
    points : ndarray of float
        (N, 2), in order along the curve if their errors are correlated.
    distances, solve : callable
    few : int
        The number of points that determine a curve.
    """
    from scipy.optimize import least_squares

    parameters = _start(points, distances, solve, few)
    if parameters is None:
        return None
    smallest = ROUNDING * float(np.ptp(points, axis=0).max())
    inliers, fitted = np.zeros(len(points), bool), None
    for _ in range(ROUNDS):
        far = np.abs(distances(parameters[None], points)[0])
        near = far <= NEAR * max(float(np.median(far)) / MEDIAN, smallest)
        if near.sum() <= few or (near == inliers).all():
            break
        inliers = near
        fitted = least_squares(
            lambda p, chosen: distances(p[None], chosen)[0], parameters, args=(points[inliers],), x_scale="jac",
            method="lm", xtol=1e-13, ftol=1e-13, gtol=1e-13,
        )  # fmt: skip
        parameters = fitted.x
    if fitted is None:
        # As many points as parameters: the curve goes through all of them, and nothing is known of its errors.
        far = np.abs(distances(parameters[None], points)[0])
        return RobustFit(parameters, np.full(len(parameters), np.nan), 0.0, far <= 1e-6)
    residuals = fitted.fun
    free = len(residuals) - len(parameters)
    normal = fitted.jac.T @ fitted.jac
    scale = 1 / np.sqrt(np.maximum(np.diag(normal), np.finfo(float).tiny))
    covariance = np.linalg.pinv(normal * scale * scale[:, None]) * scale * scale[:, None]
    variance = residuals @ residuals / free * correlation(residuals)
    errors = np.sqrt(np.maximum(np.diag(covariance), 0) * variance)
    return RobustFit(parameters, errors, float(np.sqrt(np.mean(residuals**2))), inliers)


def _start(points: Array, distances: Distances, solve: Solve, few: int) -> Array | None:
    """Return the best of many curves through few points; None if no set of points has a curve."""
    rng = np.random.default_rng(0)
    if len(points) == few:
        sets = points[None]
    else:
        sets = points[np.argsort(rng.random((TRIALS, min(len(points), COMPARED))), axis=1)[:, :few]] \
            if len(points) <= COMPARED else points[rng.integers(0, len(points), (TRIALS, few))]  # fmt: skip
    with np.errstate(all="ignore"):
        curves = solve(sets)
    curves = curves[np.isfinite(curves).all(axis=1)]
    if not len(curves):
        return None
    compared = points[:: max(1, len(points) // COMPARED)]
    with np.errstate(all="ignore"):
        medians = np.median(np.abs(distances(curves, compared)), axis=1)
    best: Array = curves[int(np.nanargmin(np.where(np.isfinite(medians), medians, np.inf)))]
    return best


def correlation(residuals: Array) -> float:
    """Return by which factor correlated residuals increase the variance of a fit: 1 for independent ones.

    It is one plus twice the sum of the correlations of neighbours at the distances 1, 2, ..., while they are
    significant.
    """
    power = float(residuals @ residuals)
    total, count = 1.0, len(residuals)
    for apart in range(1, max(2, int(count * FARTHEST))):
        if apart >= count or power == 0:
            break
        alike = float(residuals[apart:] @ residuals[:-apart]) / power
        if alike < 2 / count**0.5:
            break
        total += 2 * alike
    return total
