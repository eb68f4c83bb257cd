"""Thresholds between blurred and sharp scores: half the median, or the gap between two groups.

May import `display` and what is below it.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

#: Default threshold of the score, which is a probability.
DEFAULT = 0.5

#: The threshold of `relative`, as a fraction of the median.
RELATIVE = 0.5

#: Scores form two groups if the groups explain more than this fraction of the variance. The two halves of a normal
#: distribution explain 0.64 (2/π), those of a uniform distribution 0.75.
TWO_GROUPS = 0.8

#: Largest logit: probabilities above 0.9975 count as equal, and so do those below 0.0025.
MOST_LOGIT = 6.0

#: The threshold between blurred and sharp is within these logits of 0: from 0.1 to 0.9.
DOUBTFUL = 2.2

#: A split is nearly as good as the best one if it explains at least this fraction of the variance that the best one
#: explains.
NEARLY = 0.9

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


def automatic(scores: Sequence[float], *, probabilities: bool = False) -> Threshold:
    """Find the threshold between two groups of scores, by Otsu's method.

    Parameters
    ----------
    scores : sequence of float
    probabilities : bool
        Whether the scores are probabilities, which are compared by their logits. Then the threshold is from 0.1 to 0.9,
        and `DEFAULT` if they form one group. Other scores, which are not negative, are compared by their logarithms,
        and have no threshold if they form one group.

    Examples
    --------
    >>> automatic([0.1, 0.11, 0.12, 0.09, 0.8, 0.7, 0.75, 0.72]).note
    'found between 4 blurred and 4 sharp'
    >>> automatic([0.70, 0.71, 0.72, 0.73, 0.74, 0.71, 0.72, 0.72]).value is None
    True
    >>> automatic([0.70, 0.71, 0.72, 0.73, 0.74, 0.71, 0.72, 0.72], probabilities=True).value
    0.5
    """
    known = np.sort(np.asarray([s for s in scores if s > 0 or (probabilities and s == 0)], float))
    levels = _logits(known) if probabilities else np.log(known)
    best = _split(levels, DOUBTFUL if probabilities else math.inf)
    if best is None:
        few = f"{len(known)} scores are too few to show two groups"
        reason = few if len(known) < MIN_SCORES else "the scores form only one group"
        if probabilities:
            return Threshold(DEFAULT, f"no gap: {reason}")
        return Threshold(None, f"no threshold: {reason}; choose a number or relative")
    middle = float((levels[best] + levels[best + 1]) / 2)
    blurred = best + 1 + len(scores) - len(known)
    note = f"found between {blurred} blurred and {len(known) - best - 1} sharp"
    return Threshold(1 / (1 + math.exp(-middle)) if probabilities else math.exp(middle), note)


def _logits(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the logits of probabilities, at most `MOST_LOGIT` on either side."""
    with np.errstate(divide="ignore"):
        logits: NDArray[np.float64] = np.log(scores) - np.log1p(-scores)
    return logits.clip(-MOST_LOGIT, MOST_LOGIT)


def _split(levels: NDArray[np.float64], most: float) -> int | None:
    """Return the index of the last of the lower group of sorted values; None if they form one group.

    The threshold between the groups is at most `most` from 0.
    """
    if len(levels) < MIN_SCORES:
        return None
    counts = np.arange(1, len(levels))
    below = np.cumsum(levels)[:-1] / counts
    above = (levels.sum() - np.cumsum(levels)[:-1]) / (len(levels) - counts)
    between = counts * (len(levels) - counts) * (below - above) ** 2 / len(levels) ** 2
    # Equal scores belong to one group; the variance between them may be a rounding error.
    between[np.diff(levels) == 0] = 0
    between[np.abs(levels[:-1] + levels[1:]) > 2 * most] = 0
    best = int(np.argmax(between))
    if levels.var() == 0 or between[best] / levels.var() < TWO_GROUPS:
        return None
    if most < math.inf:
        # Of splits that are nearly as good, the one with the widest gap.
        best = int(np.argmax(np.where(between >= NEARLY * between[best], np.diff(levels), 0)))
    return best


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
