"""Thresholds between blurred and sharp scores: half the median, or the gap between two groups.

May import `display` and what is below it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

#: Default threshold of the composite score: it separates photographs that people call sharp and blurred.
DEFAULT = 0.5

#: The threshold of `relative`, as a fraction of the median.
RELATIVE = 0.5

#: Scores form two groups if the groups explain more than this fraction of the variance. The two halves of a normal
#: distribution explain 0.64 (2/π), those of a uniform distribution 0.75.
TWO_GROUPS = 0.8

#: Fewer scores than this do not show groups.
MIN_SCORES = 8


class Threshold(NamedTuple):
    """A threshold, and a note for the user.

    Attributes
    ----------
    value : float or None
        Scores below it are blurred; None if there is no threshold.
    note : str
        How the threshold was found, or why there is none.
    """

    value: float | None
    note: str = ""


def automatic(scores: Sequence[float]) -> Threshold:
    """Find the threshold between two groups of scores, by Otsu's method on their logarithms.

    Examples
    --------
    >>> automatic([0.1, 0.11, 0.12, 0.09, 0.8, 0.7, 0.75, 0.72]).note
    'found between 4 blurred and 4 sharp'
    >>> automatic([0.70, 0.71, 0.72, 0.73, 0.74, 0.71, 0.72, 0.72]).value is None
    True
    """
    positive = np.sort(np.asarray([s for s in scores if s > 0], float))
    if len(positive) < MIN_SCORES:
        return Threshold(None, f"no threshold: {len(positive)} scores are too few to show two groups")
    logs = np.log(positive)
    counts = np.arange(1, len(logs))
    below = np.cumsum(logs)[:-1] / counts
    above = (logs.sum() - np.cumsum(logs)[:-1]) / (len(logs) - counts)
    between = counts * (len(logs) - counts) * (below - above) ** 2 / len(logs) ** 2
    # Equal scores belong to one group; the variance between them may be a rounding error.
    between[np.diff(logs) == 0] = 0
    best = int(np.argmax(between))
    if logs.var() == 0 or between[best] / logs.var() < TWO_GROUPS:
        return Threshold(None, "no threshold: the scores form only one group; choose a number or relative")
    blurred = best + 1 + len(scores) - len(positive)
    note = f"found between {blurred} blurred and {len(positive) - best - 1} sharp"
    return Threshold(float(np.exp((logs[best] + logs[best + 1]) / 2)), note)


def relative(scores: Sequence[float]) -> Threshold:
    """Return half the median of the scores.

    Examples
    --------
    >>> relative([0.2, 0.6, 0.8]).value
    0.3
    """
    if not len(scores):
        return Threshold(None, "no threshold: there are no scores")
    return Threshold(RELATIVE * float(np.median(scores)), "half the median of all scores")
