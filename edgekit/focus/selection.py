"""Selection of the sharpest images of a sequence, with a least distance between them. Standard library only.

The position of a video frame is its time; the positions of the images of a folder are 0, 1, 2 and so on.
"""

import bisect
import math
import statistics
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from edgekit.common.choices import check_choice
from edgekit.errors import ParameterError

METHODS = ("spread", "windows", "best", "outliers")

#: An image is an outlier if its score is below this fraction of the median score of its neighbours.
OUTLIER = 0.5

#: Number of neighbours on either side of an image.
AROUND = 12

#: Tolerance for rounding errors when a distance is compared with the gap.
ROUNDING = 1e-9


class Choice(NamedTuple):
    """A selected image and the reason.

    Attributes
    ----------
    number : int
        Index of the image, from 0.
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
    places: Sequence[float] | None = None,
) -> list[Choice]:
    """Select images by their scores.

    Parameters
    ----------
    positions : sequence of float
        Position of each image, ascending: seconds of a video, or 0, 1, 2 and so on.
    scores : sequence of float
        Higher is better; NaN counts as the lowest.
    method : {"spread", "windows", "best", "outliers"}
        ``spread``: the best of each of `count` equal intervals. ``windows``: the best of each interval of length
        `window`.
        ``best``: the `count` best of all images. ``outliers``: all except those far below their neighbours. An
        interval with low scores only still gives its best image.
    count : int, optional
        Number of images to select, for ``spread`` and ``best``.
    window : float, optional
        Length of an interval, in the unit of the positions, for ``windows``.
    min_gap : float
        Least distance between two selected images.
    places : sequence of float, optional
        What ``spread`` divides into equal intervals, ascending, such as the path of the camera. Default: the positions.

    Returns
    -------
    list of Choice
        Ordered by position. They are fewer than `count` if `min_gap` leaves no place for more.

    Raises
    ------
    ParameterError
        If the method is not known, lacks an option that it needs, or is given one that it does not use.

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
    places = positions if places is None else places
    if any(b < a for along in (positions, places) for a, b in pairwise(along)):
        raise ParameterError("positions must be in ascending order")
    finite = [s for s in scores if math.isfinite(s)]
    below_all = min(finite, default=0.0) - 1
    known = [s if math.isfinite(s) else below_all for s in scores]
    if method == "best":
        return _best(positions, known, count or 0, min_gap)
    if method == "outliers":
        # Images without a score are outliers, unless no image has one.
        candidates = [i for i, score in enumerate(scores) if math.isfinite(score)] or list(range(len(scores)))
        kept = [candidates[i] for i in _near_median([known[i] for i in candidates])]
        alone = _one_of_each([positions[i] for i in kept], [known[i] for i in kept], list(range(len(kept))), min_gap)
        return [Choice(kept[i], f"at least {OUTLIER:g} of the median of its neighbours") for i in alone]
    along = places if method == "spread" else positions
    first, last = along[0], along[-1]
    length = window or (last - first) / (count or 1) or 1.0
    # With `count` the last image belongs to the last interval, and does not begin another one.
    intervals = [int(min((p - first) / length, math.inf if count is None else count - 1)) for p in along]
    return [
        Choice(i, _why(i, known, intervals, first, length)) for i in _one_of_each(positions, known, intervals, min_gap)
    ]


def _check(method: str, count: int | None, window: float | None, min_gap: float) -> None:
    check_choice("method", method, METHODS)
    takes = {"spread": "count", "best": "count", "windows": "window"}.get(method)
    for name, value in (("count", count), ("window", window)):
        if (value is None) == (name == takes):
            raise ParameterError(f"method {method} {'needs' if name == takes else 'does not take'} {name}")
        if value is not None and not ROUNDING < value < math.inf:
            raise ParameterError(f"{name}={value} must be positive")
    if not 0 <= min_gap < math.inf:
        raise ParameterError(f"min_gap={min_gap} must be 0 or more")


def _best(positions: Sequence[float], scores: Sequence[float], count: int, min_gap: float) -> list[Choice]:
    """Select in the order of the scores each image that is far enough from those already selected."""
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
    """Return the indices of the scores that are not far below the median of their neighbours."""
    around = (scores[max(i - AROUND, 0) : i + AROUND + 1] for i in range(len(scores)))
    # Half of a negative median is above it, so that half of its absolute value is subtracted.
    medians = map(statistics.median, around)
    return [i for i, median in enumerate(medians) if scores[i] >= median - abs(median) * (1 - OUTLIER)]


def _one_of_each(
    positions: Sequence[float], scores: Sequence[float], intervals: Sequence[int], min_gap: float
) -> list[int]:
    """Select at most one image of each interval: as many as the gap allows, with the highest sum of scores.

    By dynamic programming: the best selection up to an image follows from the best ones up to earlier images.
    """
    best: list[tuple[int, float, int]] = []  # Up to each image: number selected, sum of scores, last one.
    before = [-1] * len(scores)
    for i, position in enumerate(positions):
        free = bisect.bisect_right(positions, position - min_gap + ROUNDING)
        free = min(free, bisect.bisect_left(intervals, intervals[i]))
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


def _why(i: int, scores: Sequence[float], intervals: Sequence[int], first: float, length: float) -> str:
    start, stop = bisect.bisect_left(intervals, intervals[i]), bisect.bisect_right(intervals, intervals[i])
    begin = first + intervals[i] * length
    reason = f"best of {stop - start} from {begin:.6g} to {begin + length:.6g}"
    return reason if scores[i] == max(scores[start:stop]) else f"{reason} that is far enough from others"
