"""A search that controls a lens. May import `display` and what is below it."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.common.choices import check_choice, real_number, shown
from edgekit.common.html_views import fields_table
from edgekit.errors import MeasureError, ParameterError
from edgekit.focus.light import ImageScore
from edgekit.focus.measures import MEASURES
from edgekit.focus.search import MIN_POSITIONS, NO_PEAK, Peak, Status, find_peak

Array = NDArray[np.float64]


@dataclass(frozen=True, repr=False)
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

    def __repr__(self) -> str:
        return (
            f"Focus(position={self.position!r}, score={self.score!r}, status={self.status!r}, "
            f"confidence={self.confidence!r}, {len(self.measurements)} measurements)"
        )

    def _repr_html_(self) -> str:
        return fields_table("Focus", vars(self))


def autofocus(
    measure: Callable[[float], Any],
    lo: float,
    hi: float,
    *,
    image_measure: str = "tenengrad",
    budget: int = 20,
    samples: int = 9,
    tolerance: float | None = None,
    backlash: float = 0.0,
) -> Focus:
    """Find the position of best focus with few measurements.

    Parameters
    ----------
    measure : callable
        Moves to the position that it is given and returns the score there; higher is sharper. NaN means no score. It
        may also return the image there, (H, W) or (H, W, C), or a tensor (C, H, W) or (H, W).
    lo, hi : float
        The range of positions, in any unit.
    image_measure : str
        The focus measure of images, a name in `MEASURES`. A measure that grows with a power of the light is divided by
        this power of the mean gray level, so that a lamp that changes does not move the focus.
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
        If the range is empty, an option is out of range, or there is no such measure.
    MeasureError
        If `measure` raises, or returns neither a number nor an image. The error contains the position and the
        measurements so far; the original error is its cause.

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
    check_choice("image_measure", image_measure, MEASURES)
    lens = _Lens(measure, ImageScore(image_measure), lo, budget, backlash)
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

    def __init__(
        self, measure: Callable[[float], Any], of_image: ImageScore, lo: float, budget: int, backlash: float
    ) -> None:
        self.measurements: list[tuple[float, float]] = []
        self.backlash = backlash
        self._measure, self._of_image, self._lo, self._budget = measure, of_image, lo, budget
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
            measured = self._measure(position)
            score = self._of_image(measured) if getattr(measured, "ndim", 0) > 1 else float(measured)
        except Exception as error:  # The caller's function may raise anything.
            message = f"cannot measure at position {position:g}, after {len(self.measurements)} measurements: "
            raise MeasureError(
                f"{message}{type(error).__name__}: {error}", position, tuple(self.measurements)
            ) from error
        self.measurements.append((position, score))
        return score
