"""Which of many pictures in a row to keep: the sharpest, spread out, never two too near. Standard library only.

Frames of a clip lie at their times; files of a folder at 0, 1, 2 and so on.
"""

import bisect
import math
import statistics
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from edgekit.common.names import unknown
from edgekit.errors import ParameterError

METHODS = ("spread", "windows", "best", "outliers")

#: Below this part of the median score around it a picture is an outlier.
OUTLIER = 0.5

#: So many pictures on either side are around one.
AROUND = 12

#: Rounding must not part what is a gap apart.
ROUNDING = 1e-9


class Choice(NamedTuple):
    """A picture that was chosen, and why.

    Attributes
    ----------
    number : int
        Which of the pictures it is, from 0 on.
    reason : str
        Such as ``best of 24 from 3 to 4``.
    """

    number: int
    reason: str


def pick(
    positions: Sequence[float],
    scores: Sequence[float],
    method: str = "spread",
    *,
    count: int | None = None,
    window: float | None = None,
    min_gap: float = 0.0,
) -> list[Choice]:
    """Choose pictures by their scores.

    Parameters
    ----------
    positions : sequence of float
        Where each picture lies, growing: seconds of a clip, or 0, 1, 2 and so on.
    scores : sequence of float
        Higher is better; NaN counts as the lowest.
    method : {"spread", "windows", "best", "outliers"}
        ``spread``: `count` equal windows from first to last, the best of each. ``windows``: the best of
        every `window`. ``best``: the `count` best, wherever they lie. ``outliers``: all but those that are
        far below the pictures around them. A window where all are poor still gives its best.
    count : int, optional
        How many, for ``spread`` and ``best``.
    window : float, optional
        Length of a window in the positions' unit, for ``windows``.
    min_gap : float
        No two chosen ones lie nearer than this.

    Returns
    -------
    list of Choice
        By position; fewer than `count` where there is no room for more.

    Raises
    ------
    ParameterError
        If the method is not known, or lacks or does not take what it was given.

    Examples
    --------
    >>> from edgekit.focus.selection import pick
    >>> [c.number for c in pick([0, 1, 2, 3], [0.1, 0.9, 0.3, 0.2], count=2)]
    [1, 2]
    >>> [c.number for c in pick([0, 1, 2, 3], [0.1, 0.9, 0.3, 0.2], count=2, min_gap=2)]
    [1, 3]
    """
    _check(method, count, window, min_gap)
    if not scores:
        return []
    if any(b < a for a, b in pairwise(positions)):
        raise ParameterError("positions must grow from picture to picture")
    finite = [s for s in scores if math.isfinite(s)]
    lowest = min(finite, default=0.0) - 1
    known = [s if math.isfinite(s) else lowest for s in scores]
    if method == "best":
        return _best(positions, known, count or 0, min_gap)
    if method == "outliers":
        # Undefined ones are outliers, unless all are.
        candidates = [i for i, score in enumerate(scores) if math.isfinite(score)] or list(range(len(scores)))
        kept = [candidates[i] for i in _near_median([known[i] for i in candidates])]
        alone = _one_of_each([positions[i] for i in kept], [known[i] for i in kept], list(range(len(kept))), min_gap)
        return [Choice(kept[i], f"at least {OUTLIER:g} of the median around it") for i in alone]
    first, last = positions[0], positions[-1]
    length = window or (last - first) / (count or 1) or 1.0
    # The last picture of a spread belongs to the last window, not to one of its own.
    windows = [int(min((p - first) / length, math.inf if count is None else count - 1)) for p in positions]
    return [Choice(i, _why(i, known, windows, first, length)) for i in _one_of_each(positions, known, windows, min_gap)]


def _check(method: str, count: int | None, window: float | None, min_gap: float) -> None:
    if method not in METHODS:
        raise ParameterError(unknown("method", method, METHODS))
    takes = {"spread": "count", "best": "count", "windows": "window"}.get(method)
    for name, value in (("count", count), ("window", window)):
        if (value is None) == (name == takes):
            raise ParameterError(f"method {method} {'needs' if name == takes else 'does not take'} {name}")
        if value is not None and not ROUNDING < value < math.inf:
            raise ParameterError(f"{name}={value} must be positive")
    if not 0 <= min_gap < math.inf:
        raise ParameterError(f"min_gap={min_gap} must be 0 or more")


def _best(positions: Sequence[float], scores: Sequence[float], count: int, min_gap: float) -> list[Choice]:
    """Take the best, and of what is left the best that is far enough from all taken, and so on."""
    taken: list[tuple[float, int]] = []
    reasons: dict[int, str] = {}
    for rank, i in enumerate(sorted(range(len(scores)), key=lambda i: -scores[i]), 1):
        at = bisect.bisect(taken, (positions[i], i))
        if all(abs(positions[i] - p) >= min_gap - ROUNDING for p, _ in taken[max(at - 1, 0) : at + 1]):
            taken.insert(at, (positions[i], i))
            reasons[i] = f"rank {rank} of {len(scores)}"
            if len(taken) == count:
                break
    return [Choice(i, reasons[i]) for _, i in taken]


def _near_median(scores: Sequence[float]) -> list[int]:
    """Return which scores are not far below the median of those around them."""
    around = (scores[max(i - AROUND, 0) : i + AROUND + 1] for i in range(len(scores)))
    # Half of a negative median lies above it.
    medians = map(statistics.median, around)
    return [i for i, median in enumerate(medians) if scores[i] >= median - abs(median) * (1 - OUTLIER)]


def _one_of_each(
    positions: Sequence[float], scores: Sequence[float], windows: Sequence[int], min_gap: float
) -> list[int]:
    """Choose one of as many windows as the gap allows, and of all such choices that with the highest sum of scores.

    What is best up to each picture follows from what is best up to those far enough before it.
    """
    best: list[tuple[int, float, int]] = []  # Up to each picture: how many, their sum, the last of them.
    before = [-1] * len(scores)
    for i, position in enumerate(positions):
        free = bisect.bisect_right(positions, position - min_gap + ROUNDING)
        free = min(free, bisect.bisect_left(windows, windows[i]))
        number, total, last = best[free - 1] if free else (0, 0.0, -1)
        before[i] = last
        here = (number + 1, total + scores[i], i)
        best.append(max(here, best[-1], key=lambda b: b[:2]) if best else here)
    chosen = []
    last = best[-1][2] if best else -1
    while last >= 0:
        chosen.append(last)
        last = before[last]
    return chosen[::-1]


def _why(i: int, scores: Sequence[float], windows: Sequence[int], first: float, length: float) -> str:
    start, stop = bisect.bisect_left(windows, windows[i]), bisect.bisect_right(windows, windows[i])
    begin = first + windows[i] * length
    where = f"{stop - start} from {begin:.6g} to {begin + length:.6g}"
    return f"best of {where}" if scores[i] == max(scores[start:stop]) else f"far enough from others, of {where}"
