"""What ``edgekit score`` says at the end: the counts, the distribution of the scores, and what to type next.

May import `report` and what is below it.
"""

import math
import shlex
import sys
from collections.abc import Sequence
from typing import Any

from edgekit.batch.jobs.scoring import ScoreJob
from edgekit.batch.progress import is_terminal
from edgekit.batch.runner import Status, Tally
from edgekit.batch.score_cache import ScoreCache
from edgekit.cli.output import RunOutput
from edgekit.cli.terminal import complain
from edgekit.common.choices import SCORE
from edgekit.focus.blur_threshold import Threshold

#: Bars of a histogram in the terminal, and how they are drawn.
BINS = 32
BARS = " ▁▂▃▄▅▆▇█"

#: Fewer scores than this have no histogram.
FEW = 8


def score_counts(tally: Tally) -> list[tuple[int, str]]:
    """Return the counts of the summary."""
    return [
        (tally.succeeded, "scored"),
        (tally.counts[Status.UNDEFINED], "of them undefined"),
        (tally.counts[Status.TRUNCATED], "of them truncated"),
        (tally.failed, "failed"),
    ]


def below_minimum(tally: Tally) -> str:
    """Return why the scores do not reach the minimum."""
    counts = ((tally.below, "below"), (tally.undefined, "undefined"))
    reasons = " and ".join(f"{n} {what}" for n, what in counts if n)
    return (
        f"--fail-below {tally.minimum:g}: "
        f"{f'of {tally.succeeded} scores {reasons}' if reasons else 'no image has a score'}"
    )


def describe_scores(cache: ScoreCache, job: ScoreJob, threshold: Threshold, shown: RunOutput) -> None:
    """Print the note about the threshold; in a terminal also the distribution of the scores."""
    value = threshold.value
    if is_terminal() and shown.tally.succeeded >= FEW:
        scores = cache.scores()
        if len(scores) >= FEW and "█" in _encodable():
            limits = (0.0, 1.0) if job.measures[0] == SCORE else (min(scores), max(scores))
            drawn = sparkline(scores, *limits, value)
            complain(f"{job.measures[0]} {limits[0]:.4g} {drawn} {limits[1]:.4g}")
        if value is not None and not threshold.note:
            blurred = sum(score < value for score in scores)
            complain(f"threshold {value:.4g}: {blurred:,} blurred, {len(scores) - blurred:,} sharp")
    if threshold.note:
        complain(f"{'' if value is None else f'threshold {value:.4g}, '}{threshold.note}")


def sparkline(scores: Sequence[float], low: float, high: float, threshold: float | None = None) -> str:
    """Return a histogram as one line of bars, with a vertical line at the threshold.

    Examples
    --------
    >>> sparkline([0.1, 0.1, 0.1, 0.9], 0, 1, 0.5)
    '   █            │            ▃   '
    """
    width = (high - low) / BINS or 1.0
    counts = [0] * BINS
    for score in scores:
        counts[min(BINS - 1, max(0, int((score - low) / width)))] += 1
    # A bar for a single image must be seen.
    bars = [BARS[math.ceil((len(BARS) - 1) * count / max(counts))] for count in counts]
    if threshold is not None and low <= threshold <= high:
        bars.insert(round((threshold - low) / width), "│")
    return "".join(bars)


def suggest_next(inputs: tuple[str, ...], values: dict[str, Any], shown: RunOutput) -> None:
    """Print what to type next, in a terminal and after several images."""
    if values["quiet"] or values["paths"] or not is_terminal() or shown.tally.succeeded < FEW:
        return
    if values["report"] is not None:
        complain("next: open the page, save your choice there, and run: edgekit apply choice.csv --move-blurred DIR")
        return
    names = shlex.join(inputs) if len(inputs) <= 3 else "..."
    command = f"edgekit score {names}{' -r' if values['recursive'] else ''}"
    complain(f"next: {command} --report DIR to look at the images,")
    complain(f"      {command} --move-blurred DIR --dry-run to sort them")


def _encodable() -> str:
    """Return the characters of bars that standard error can show."""
    return BARS.encode(sys.stderr.encoding or "ascii", "ignore").decode(sys.stderr.encoding or "ascii")
