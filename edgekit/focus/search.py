"""Where focus is best: the peak of a sweep, and a search that drives a lens.

May import curves and errors.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgekit.errors import DtypeError, MeasureError, ParameterError, ShapeError
from edgekit.focus.curves import best_curve, fit_bell

Array = NDArray[np.float64]
Status = Literal["peak", "start", "end", "none"]

#: Fewer scores make no peak.
FEWEST = 3

#: A range of scores below this share of the largest is rounding.
ROUNDING = 1e-9

#: How much of the variance of white noise a bell explains in one sweep of a hundred, by the number of scores.
BY_CHANCE = {
    5: 0.9992, 6: 0.985, 7: 0.958, 8: 0.92, 9: 0.88, 10: 0.84, 12: 0.76, 16: 0.64, 20: 0.555, 30: 0.395, 50: 0.273,
    100: 0.164, 1000: 0.0215,
}  # fmt: skip

#: Up to so many scores say too little of their noise; there the range must be this share of the largest.
FEW, CLEAR = 6, 0.2

#: Scores that a bell does not explain better than this are no peak, however few.
POOR = 0.9


@dataclass(frozen=True)
class Peak:
    """The peak of a sweep; `find_peak` makes it.

    Attributes
    ----------
    position : float
        Where the score is largest, in units of the positions; the end of the sweep where the status says so;
        NaN without a peak.
    score : float
        The score there, as the curve has it; at an end the one that was measured.
    status : {"peak", "start", "end", "none"}
        ``start`` and ``end``: the maximum is at or beyond the lowest or highest position; go on in that
        direction. ``none``: the scores are flat, noise, or several peaks.
    confidence : float
        In [0, 1]: how much of what varies is one peak, beyond what noise alone would give.
    width : float or None
        Full width at half maximum in units of the positions, where it is known.
    error : float or None
        Standard error of the position, by the scatter of the scores about the curve; None where it is not
        known: at an end, or of 3 scores.
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
    """What `autofocus` found.

    Attributes
    ----------
    position, score, status, confidence
        As in `Peak`.
    measurements : tuple of (float, float)
        Position and score in the order in which they were measured; NaN where there was none.
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
        (N,), in any unit, order and steps. Scores at equal positions are averaged.
    scores : array_like
        (N,), higher is sharper. What is not finite is left out.

    Returns
    -------
    Peak
        Neither status nor confidence depends on the unit of positions or scores, nor on a constant
        that is added to more than six scores.

    Raises
    ------
    ShapeError
        If there is not one score for each position.
    DtypeError
        If they are not numbers.
    ParameterError
        If a position is not finite, or fewer than 3 positions have a score.

    Notes
    -----
    Curves are fitted by least squares: a Gaussian on a constant to all scores; a parabola and, on the logarithm
    [1]_, a Gaussian to the top above several shares of the height. The one whose centre has the least standard
    error counts. The share of the variance that the first explains tells a peak from noise.

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
    if len(x) < FEWEST:
        raise ParameterError(f"a peak needs scores at {FEWEST} positions or more; found {len(x)} that are finite")
    low, span = float(y.min()), float(np.ptp(y))
    largest = float(np.abs(y).max())
    if span <= ROUNDING * largest:
        return NO_PEAK
    u, v = (x - x[0]) / (x[-1] - x[0]), (y - low) / span
    # The flanks of a bell are too small for floating point, and meant to be nothing there.
    with np.errstate(all="ignore"):
        bell, explained = fit_bell(u, v)
        curve = best_curve(u, v, low / span, bell)
    confidence = _confidence(explained, len(x), span / largest)
    if confidence <= 0:
        return NO_PEAK
    # Beyond the middle of the last step the largest score is the last one: nothing shows that it goes down again.
    if curve.centre <= (u[0] + u[1]) / 2:
        return Peak(float(x[0]), float(y[0]), "start", confidence)
    if curve.centre >= (u[-2] + u[-1]) / 2:
        return Peak(float(x[-1]), float(y[-1]), "end", confidence)
    scale = float(x[-1] - x[0])
    width = None if curve.width is None else curve.width * scale
    error = curve.error * scale if math.isfinite(curve.error) else None
    position = float(x[0]) + curve.centre * scale
    return Peak(position, low + curve.height * span, "peak", confidence, width, error)


def _sweep(positions: ArrayLike, scores: ArrayLike) -> tuple[Array, Array]:
    """Return ascending positions and their finite scores, equal positions averaged."""
    if np.iscomplexobj(positions) or np.iscomplexobj(scores):
        raise DtypeError("positions and scores must be real numbers; found complex ones")
    try:
        x, y = np.asarray(positions, np.float64), np.asarray(scores, np.float64)
    except (TypeError, ValueError) as error:
        raise DtypeError(f"positions and scores must be numbers: {error}") from None
    if x.ndim != 1 or x.shape != y.shape:
        raise ShapeError(f"expected one score for each position; found shapes {x.shape} and {y.shape}")
    if not np.isfinite(x).all():
        raise ParameterError(f"positions must be finite; found {x[~np.isfinite(x)][0]}")
    kept = np.isfinite(y)
    places, which = np.unique(x[kept], return_inverse=True)
    return places, np.bincount(which, y[kept], len(places)) / np.bincount(which, minlength=len(places))


def _confidence(explained: float, count: int, contrast: float) -> float:
    """Return how much more of the variance is explained than by chance, as a share of what could be."""
    if count >= min(BY_CHANCE):
        chance = float(np.interp(count, list(BY_CHANCE), list(BY_CHANCE.values())))
        if explained > chance:
            return (explained - chance) / (1 - chance)
    # So few fit a bell whatever they are; that they differ much must do, and is no more than half sure.
    return contrast * explained / 2 if count <= FEW and contrast >= CLEAR and explained >= POOR else 0.0


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
        Takes a position, moves there, and returns a score; higher is sharper. NaN where there is none.
    lo, hi : float
        The range of positions, in any unit.
    budget : int
        The most measurements.
    samples : int
        How many of them are spread over the range first; the peak should be wider than their distance.
    tolerance : float, optional
        The search ends when the position is as sure, in units of the positions; a thousandth of the range by default.
    backlash : float
        The play of the drive, in units of the positions. Where it is not 0, positions are approached from
        below only: the search goes back by as much and more, and passes over the scores measured until the
        play is taken up. Scores within `backlash` above `lo` then do not count. Focus for the picture from
        below, too.

    Returns
    -------
    Focus
        With every measurement. Status ``none`` where the scores are flat, noise, or none at all.

    Raises
    ------
    ParameterError
        If the range is empty, or the budget too small.
    MeasureError
        If `measure` raises, or what it returns is no number. It carries the position and the measurements so
        far; the original error is its cause.

    Notes
    -----
    A sweep; around its best, Brent's search for a maximum [1]_; where the scores are noisy, what is left of the
    budget goes to both flanks of the peak. With backlash a second sweep does for both, because it turns round
    once. At last `find_peak` on all scores: the largest of noisy scores is not the peak. Where the first sweep
    shows no peak, it is made denser.

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
    if not (math.isfinite(lo) and math.isfinite(hi) and lo < hi):
        raise ParameterError(f"the range must be two finite numbers, the lower first; found {lo} and {hi}")
    if not FEWEST <= samples <= budget:
        raise ParameterError(f"expected {FEWEST} <= samples <= budget; found samples={samples}, budget={budget}")
    if not 0 <= backlash < hi - lo:
        raise ParameterError(f"backlash={backlash} must be 0 or more, and less than the range {hi - lo}")
    tolerance = (hi - lo) / 1000 if tolerance is None else tolerance
    if not tolerance > 0:
        raise ParameterError(f"tolerance={tolerance} must be above 0")
    lens = _Lens(measure, lo, budget, backlash)
    lens.sweep(np.linspace(lo, hi, samples))
    parts = samples - 1
    while lens.left and lens.peak().status == "none":
        lens.sweep(np.linspace(lo, hi, 2 * parts + 1)[1::2])
        parts *= 2
    # Brent's search begins with two.
    if lens.left > 1:
        _refine(lens, lo, hi, (hi - lo) / parts, tolerance)
    peak = lens.peak()
    return Focus(peak.position, peak.score, peak.status, peak.confidence, tuple(lens.measurements))


def _refine(lens: "_Lens", lo: float, hi: float, step: float, tolerance: float) -> None:
    """Measure more around the best."""
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
        # Where noise decides, the flanks tell more of the place than the flat top: once over its half height.
        reach = (peak.width or step) / 2
        lens.sweep(np.linspace(max(lo, peak.position - reach), min(hi, peak.position + reach), lens.left))


class _Lens:
    """Measures within a budget, approaches from below, and keeps what it measured."""

    def __init__(self, measure: Callable[[float], float], lo: float, budget: int, backlash: float) -> None:
        self.measurements: list[tuple[float, float]] = []
        self.backlash = backlash
        self._measure, self._lo, self._budget = measure, lo, budget
        self._counted: list[tuple[float, float]] = []
        #: How far the drive went up since it last turned round.
        self._climbed = 0.0

    @property
    def left(self) -> int:
        """How many measurements may follow that count; with backlash one is lost where the drive turns round."""
        turns = bool(self.backlash and self.measurements)
        return max(0, self._budget - len(self.measurements) - turns)

    def sweep(self, positions: Array) -> None:
        """Measure at ascending positions; at some of them where the budget does not reach."""
        for n in np.linspace(0, len(positions) - 1, min(len(positions), self.left)).round().astype(int):
            self._reach(float(positions[n]))

    def score_at(self, position: float) -> float:
        """Measure; where there is no score, return the lowest so far, for a search that must compare."""
        score = self._reach(position)
        return score if math.isfinite(score) else min(s for _, s in self._counted)

    def peak(self) -> Peak:
        """Return the peak of what counts."""
        try:
            return find_peak([p for p, _ in self._counted], [s for _, s in self._counted])
        except ParameterError:  # Too few have a score.
            return NO_PEAK

    def best(self) -> float:
        """Return the position of the largest score."""
        return max(self._counted, key=lambda pair: pair[1])[0]

    def _reach(self, position: float) -> float:
        """Measure at a position, with backlash from below."""
        here = self.measurements[-1][0] if self.measurements else math.inf
        if position < here:
            self._climbed = 0.0
            if self.backlash and self.measurements:
                here = max(self._lo, position - self.backlash)
                self._note(here)
        if position > here:
            self._climbed += position - here
        score = self._note(position)
        # Sums of steps are rounded.
        if math.isfinite(score) and self._climbed >= self.backlash * (1 - 1e-9):
            self._counted.append((position, score))
        return score

    def _note(self, position: float) -> float:
        """Measure, and keep it."""
        try:
            score = float(self._measure(position))
        except Exception as error:  # Cameras and drives raise whatever they like.
            message = f"no score at position {position:g}, after {len(self.measurements)} measurements: "
            raise MeasureError(
                f"{message}{type(error).__name__}: {error}", position, tuple(self.measurements)
            ) from error
        self.measurements.append((position, score))
        return score
