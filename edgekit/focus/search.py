"""The peak of a focus sweep. May import `display` and what is below it."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgekit.common.choices import shown
from edgekit.common.html_views import fields_table
from edgekit.errors import DtypeError, ParameterError, ShapeError
from edgekit.focus.curves import Curve, best_curve, fit_bell

Array = NDArray[np.float64]
Status = Literal["peak", "start", "end", "none"]

#: A peak needs scores at this many positions.
MIN_POSITIONS = 3

#: Scores are flat if their range is below this fraction of the largest one: the rest is rounding error.
FLAT = 1e-9

#: The fraction of the variance of white noise that a Gaussian explains in one of a hundred sweeps, by the number of
#: scores.
EXPLAINED_IN_NOISE = {
    5: 0.9992, 6: 0.985, 7: 0.958, 8: 0.92, 9: 0.88, 10: 0.84, 12: 0.76, 16: 0.64, 20: 0.555, 30: 0.395, 50: 0.273,
    100: 0.164, 1000: 0.0215,
}  # fmt: skip

#: The noise of so few scores cannot be estimated. Their range must be at least this fraction of the largest one.
FEW_SCORES, MIN_CONTRAST = 6, 0.2

#: So few scores have a peak only if a Gaussian explains this fraction of their variance.
MIN_EXPLAINED = 0.9


@dataclass(frozen=True)
class Peak:
    """The peak of a focus sweep, as returned by `find_peak`.

    Attributes
    ----------
    position : float
        The position of the largest score, in units of the positions. With status ``start`` or ``end`` it is the first
        or last position of the sweep, with status ``none`` NaN.
    score : float
        The value of the fitted curve at this position. With status ``start`` or ``end`` it is the measured score.
    status : {"peak", "start", "end", "none"}
        ``start`` and ``end``: the maximum is at or beyond the lowest or highest position; continue in this direction.
        ``none``: the scores are flat, are noise, or have several peaks.
    confidence : float
        In [0, 1]: the fraction of the variance that one peak explains, beyond the fraction expected for noise.
    width : float or None
        Full width at half maximum in units of the positions; None if it is not known.
    error : float or None
        Standard error of the position, from the deviations of the scores from the curve. None if it is not known: with
        status ``start`` or ``end``, or with 3 scores.
    """

    position: float
    score: float
    status: Status
    confidence: float
    width: float | None = None
    error: float | None = None

    def _repr_html_(self) -> str:
        return fields_table("Peak", vars(self))


NO_PEAK = Peak(math.nan, math.nan, "none", 0.0)


def find_peak(positions: ArrayLike, scores: ArrayLike) -> Peak:
    """Find the peak of a focus sweep, to a fraction of a step.

    Parameters
    ----------
    positions : array_like
        (N,), in any unit and order, with any spacing. Scores at equal positions are averaged.
    scores : array_like
        (N,), higher is sharper. Scores that are not finite are ignored.

    Returns
    -------
    Peak
        Its status and confidence do not depend on the units of positions and scores. With more than six scores they do
        not depend on a constant that is added to all scores.

    Raises
    ------
    ShapeError
        If the numbers of scores and positions differ.
    DtypeError
        If positions or scores are not real numbers.
    ParameterError
        If a position is not finite, or fewer than 3 positions have a score.

    Notes
    -----
    Several curves are fitted by least squares. The first is the sum of a Gaussian and a constant, fitted to all scores.
    The others are fitted to the scores above several fractions of its height: a parabola, and a Gaussian fitted to the
    logarithm of the scores [1]_. The curve whose centre has the least standard error gives the position. The fraction
    of the variance that the first curve explains distinguishes a peak from noise.

    References
    ----------
    .. [1] Guo 2011, A simple algorithm for fitting a Gaussian function, 10.1109/MSP.2011.941846

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> z = np.arange(0, 90, 10.0)
    >>> peak = ek.find_peak(z, np.exp(-((z - 43.7) ** 2) / 300))
    >>> round(peak.position, 6), peak.status
    (43.7, 'peak')
    >>> ek.find_peak([1, 2, 3, 4], [5, 6, 7, 9]).status
    'end'
    """
    x, y = _sweep(positions, scores)
    if len(x) < MIN_POSITIONS:
        raise ParameterError(f"a peak needs finite scores at {MIN_POSITIONS} positions or more; found {len(x)}")
    low, span = float(y.min()), float(np.ptp(y))
    largest = float(np.abs(y).max())
    if span <= FLAT * largest:
        return NO_PEAK
    curve, explained = _fit(x, y)
    u = (x - x[0]) / (x[-1] - x[0])
    confidence = _confidence(explained, len(x), span / largest)
    if confidence <= 0:
        return NO_PEAK
    # A centre beyond the middle of the last step has no lower scores behind it: the peak may lie outside the sweep.
    if curve.centre <= (u[0] + u[1]) / 2:
        return Peak(float(x[0]), float(y[0]), "start", confidence)
    if curve.centre >= (u[-2] + u[-1]) / 2:
        return Peak(float(x[-1]), float(y[-1]), "end", confidence)
    scale = float(x[-1] - x[0])
    width = None if curve.width is None else curve.width * scale
    error = curve.error * scale if math.isfinite(curve.error) else None
    position = float(x[0]) + curve.centre * scale
    return Peak(position, low + curve.height * span, "peak", confidence, width, error)


def fitted_curve(positions: ArrayLike, scores: ArrayLike, at: Array) -> Array:
    """Return the values of the curve that gives the position of the peak, for a plot.

    Parameters
    ----------
    positions, scores : array_like
        As for `find_peak`, which found a peak.
    at : ndarray
        (M,) positions.
    """
    x, y = _sweep(positions, scores)
    curve, _ = _fit(x, y)
    values: Array = y.min() + np.ptp(y) * curve.at((at - x[0]) / (x[-1] - x[0]))
    return values


def _fit(x: Array, y: Array) -> tuple[Curve, float]:
    """Fit curves to scores at ascending positions, both scaled to [0, 1].

    Returns the curve with the least error, and the part of the variance that a Gaussian explains.
    """
    low, span = float(y.min()), float(np.ptp(y))
    u, v = (x - x[0]) / (x[-1] - x[0]), (y - low) / span
    # Far from its centre a Gaussian underflows to 0, which is the right value.
    with np.errstate(all="ignore"):
        bell, explained = fit_bell(u, v)
        return best_curve(u, v, low / span, bell), explained


def _sweep(positions: ArrayLike, scores: ArrayLike) -> tuple[Array, Array]:
    """Return the positions with finite scores in ascending order, and the mean score at each of them."""
    try:
        has_complex = np.iscomplexobj(positions) or np.iscomplexobj(scores)
        x, y = (np.asarray(v, complex if has_complex else np.float64) for v in (positions, scores))
    except (TypeError, ValueError):
        raise DtypeError(
            "positions and scores must be two sequences of numbers; found "
            f"positions={shown(positions)}, scores={shown(scores)}"
        ) from None
    if has_complex:
        raise DtypeError("positions and scores must be real numbers; found complex ones")
    if x.ndim != 1 or x.shape != y.shape:
        raise ShapeError(f"expected one score for each position; found shapes {x.shape} and {y.shape}")
    if not np.isfinite(x).all():
        raise ParameterError(f"positions must be finite; found {x[~np.isfinite(x)][0]}")
    kept = np.isfinite(y)
    unique, index_of = np.unique(x[kept], return_inverse=True)
    return unique, np.bincount(index_of, y[kept], len(unique)) / np.bincount(index_of, minlength=len(unique))


def _confidence(explained: float, count: int, contrast: float) -> float:
    """Return the confidence: 0 if noise explains as much of the variance, 1 if the peak explains all of it."""
    if count >= min(EXPLAINED_IN_NOISE):
        chance = float(np.interp(count, list(EXPLAINED_IN_NOISE), list(EXPLAINED_IN_NOISE.values())))
        if explained > chance:
            return (explained - chance) / (1 - chance)
    # A Gaussian fits any few scores, so that only their contrast counts. The confidence is then at most 0.5.
    if count <= FEW_SCORES and contrast >= MIN_CONTRAST and explained >= MIN_EXPLAINED:
        return contrast * explained / 2
    return 0.0
