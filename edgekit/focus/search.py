"""Focus search: the peak of a focus sweep, and a search that controls a lens.

May import `display` and what is below it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgekit.common.choices import real_number, shown
from edgekit.errors import DtypeError, MeasureError, ParameterError, ShapeError
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


NO_PEAK = Peak(math.nan, math.nan, "none", 0.0)


@dataclass(frozen=True)
class Focus:
    """The position of best focus, as returned by `autofocus`.

    Attributes
    ----------
    position, score, status, confidence
        As in `Peak`.
    measurements : tuple of (float, float)
        Positions and scores in the order of the measurements; the score is NaN where `measure` returned NaN.
    """

    position: float
    score: float
    status: Status
    confidence: float
    measurements: tuple[tuple[float, float], ...]


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


def autofocus(
    measure: Callable[[float], float],
    lo: float,
    hi: float,
    *,
    budget: int = 20,
    samples: int = 9,
    tolerance: float | None = None,
    backlash: float = 0.0,
) -> Focus:
    """Find the position of best focus with few measurements.

    Parameters
    ----------
    measure : callable
        Moves to the position that it is given and returns the score there; higher is sharper. NaN means no score.
    lo, hi : float
        The range of positions, in any unit.
    budget : int
        Maximum number of measurements.
    samples : int
        Number of measurements in the first sweep over the range. The peak should be wider than their spacing.
    tolerance : float, optional
        The search ends when the error of the position is below this value, in units of the positions. Default: a
        thousandth of the range.
    backlash : float
        Mechanical backlash of the drive, in units of the positions. If it is not 0, all positions are approached from
        below: to reach a lower position, the search first moves at least `backlash` further down. Scores measured
        before the drive has moved up by `backlash` are ignored; these include the scores less than `backlash` above
        `lo`. Approach the final position from below, too.

    Returns
    -------
    Focus
        The best focus and all measurements. Status ``none``: the scores are flat, are noise, or are all NaN.

    Raises
    ------
    ParameterError
        If the range is empty, or an option is out of range.
    MeasureError
        If `measure` raises, or returns no number. The error contains the position and the measurements so far; the
        original error is its cause.

    Notes
    -----
    1. A sweep over the range. It is made denser until it shows a peak.
    2. Brent's search for a maximum [1]_ around the best position.
    3. If the scores are noisy, the remaining measurements are spread over both flanks of the peak.
    4. `find_peak` on all scores, because the largest of noisy scores is not the peak.

    With backlash a second sweep around the best position replaces steps 2 and 3, because it reverses only once.

    References
    ----------
    .. [1] Brent 1973, Algorithms for Minimization without Derivatives, chapter 5.

    Examples
    --------
    >>> import edgekit as ek
    >>> found = ek.autofocus(lambda z: 1 / (1 + (z - 3.21) ** 2), 0, 10)
    >>> round(found.position, 2), found.status, len(found.measurements) <= 20
    (3.21, 'peak', True)
    """
    if not callable(measure):
        raise ParameterError(
            f"measure={shown(measure)} must be a function of one position; call autofocus(measure, lo, hi)"
        )
    lo, hi = real_number("lo", lo), real_number("hi", hi)
    if lo >= hi:
        raise ParameterError(f"lo must be below hi; found {lo:g} and {hi:g}")
    for name, number in (("samples", samples), ("budget", budget)):
        if isinstance(number, bool) or not isinstance(number, Integral):
            raise ParameterError(f"{name}={shown(number)} must be an integer")
    if not MIN_POSITIONS <= samples <= budget:
        raise ParameterError(f"expected {MIN_POSITIONS} <= samples <= budget; found samples={samples}, budget={budget}")
    backlash = real_number("backlash", backlash)
    if not 0 <= backlash < hi - lo:
        raise ParameterError(f"backlash={backlash:g} must be 0 or more, and less than the range {hi - lo:g}")
    tolerance = (hi - lo) / 1000 if tolerance is None else real_number("tolerance", tolerance, "a number above 0")
    if tolerance <= 0:
        raise ParameterError(f"tolerance={tolerance:g} must be a number above 0")
    lens = _Lens(measure, lo, budget, backlash)
    lens.sweep(np.linspace(lo, hi, samples))
    intervals = samples - 1
    while lens.left and lens.peak().status == "none":
        lens.sweep(np.linspace(lo, hi, 2 * intervals + 1)[1::2])
        intervals *= 2
    # Brent's search begins with two measurements.
    if lens.left > 1:
        _refine(lens, lo, hi, (hi - lo) / intervals, tolerance)
    peak = lens.peak()
    return Focus(peak.position, peak.score, peak.status, peak.confidence, tuple(lens.measurements))


def _refine(lens: "_Lens", lo: float, hi: float, step: float, tolerance: float) -> None:
    """Measure around the best position."""
    from scipy.optimize import minimize_scalar

    best = lens.best()
    around = max(lo, best - step), min(hi, best + step)
    if lens.backlash:
        lens.sweep(np.linspace(*around, lens.left))
        return
    options = {"xatol": tolerance, "maxiter": (lens.left + 1) // 2}
    minimize_scalar(lambda at: -lens.score_at(float(at)), bounds=around, method="bounded", options=options)
    peak = lens.peak()
    if peak.status == "peak" and not (peak.error is not None and peak.error <= tolerance):
        # In noise the steep flanks determine the position better than the flat top: sweep the width at half maximum.
        reach = (peak.width or step) / 2
        lens.sweep(np.linspace(max(lo, peak.position - reach), min(hi, peak.position + reach), lens.left))


class _Lens:
    """A lens that counts and stores its measurements, and with backlash approaches positions from below."""

    def __init__(self, measure: Callable[[float], float], lo: float, budget: int, backlash: float) -> None:
        self.measurements: list[tuple[float, float]] = []
        self.backlash = backlash
        self._measure, self._lo, self._budget = measure, lo, budget
        self._counted: list[tuple[float, float]] = []
        #: Distance that the drive has moved up since its last reversal.
        self._moved_up = 0.0

    @property
    def left(self) -> int:
        """Remaining measurements whose scores count. With backlash the reversal of the drive takes one measurement."""
        reversal = bool(self.backlash and self.measurements)
        return max(0, self._budget - len(self.measurements) - reversal)

    def sweep(self, positions: Array) -> None:
        """Measure at ascending positions, or at a part of them if the budget is too small."""
        for n in np.linspace(0, len(positions) - 1, min(len(positions), self.left)).round().astype(int):
            self._reach(float(positions[n]))

    def score_at(self, position: float) -> float:
        """Measure. Without a score return the lowest one so far, because the search must compare."""
        score = self._reach(position)
        return score if math.isfinite(score) else min(s for _, s in self._counted)

    def peak(self) -> Peak:
        """Return the peak of the scores that count."""
        try:
            return find_peak([p for p, _ in self._counted], [s for _, s in self._counted])
        except ParameterError:  # Too few positions have a score.
            return NO_PEAK

    def best(self) -> float:
        """Return the position of the largest score."""
        return max(self._counted, key=lambda pair: pair[1])[0]

    def _reach(self, position: float) -> float:
        """Move to a position, with backlash from below, and measure."""
        here = self.measurements[-1][0] if self.measurements else math.inf
        if position < here:
            self._moved_up = 0.0
            if self.backlash and self.measurements:
                here = max(self._lo, position - self.backlash)
                self._measure_at(here)
        if position > here:
            self._moved_up += position - here
        score = self._measure_at(position)
        # The tolerance allows for rounding errors in the sum of steps.
        if math.isfinite(score) and self._moved_up >= self.backlash * (1 - 1e-9):
            self._counted.append((position, score))
        return score

    def _measure_at(self, position: float) -> float:
        """Measure, and store the result."""
        try:
            score = float(self._measure(position))
        except Exception as error:  # The caller's function may raise anything.
            message = f"cannot measure at position {position:g}, after {len(self.measurements)} measurements: "
            raise MeasureError(
                f"{message}{type(error).__name__}: {error}", position, tuple(self.measurements)
            ) from error
        self.measurements.append((position, score))
        return score
