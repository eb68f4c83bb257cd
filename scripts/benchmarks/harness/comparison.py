"""Compares contenders that do the same work, in interleaved runs. A ratio compares two runs of the same round. Imports
`workers`.
"""

import math
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from benchmarks import Disagreement
from benchmarks.harness.workers import Workers

Array = npt.NDArray[Any]

#: Least duration of a measured run in seconds. Faster calls are repeated, as in Python's timeit.
LEAST = 0.2

#: Calls that take longer than this number of seconds have at most this number of runs.
LONG, FEW = 3.0, 3

#: Seconds between runs, until the threads of the last contender are idle.
PAUSE = 0.01

#: Values compared at a time.
STRIP = 2**22


class Contender(NamedTuple):
    """One way to do the work. `place` is the worker. `factor` is the factor from its numbers to those of edgekit. `own`
    describes the result if it is another one, which is then not compared.
    """

    name: str
    label: str
    place: str = "peers"
    factor: float = 1.0
    own: str = ""


@dataclass(frozen=True)
class Work:
    """Work to compare: `module` returns the calls by the names of the contenders and the task.

    Results may differ from that of the first contender by `tolerance`, and by any amount in a margin of `margin`
    pixels.
    """

    name: str
    title: str
    module: str
    task: Mapping[str, Any]
    contenders: Sequence[Contender]
    references: Sequence[str]
    tolerance: float = 0.0
    margin: int = 0


@dataclass
class Entry:
    """The measurements of a contender: seconds of each run, for whole processes also the peak memory in MiB."""

    name: str
    label: str
    seconds: list[float]
    difference: float | None = None
    own: str = ""
    peak: float | None = None

    @property
    def median(self) -> float:
        """The median of the seconds."""
        return statistics.median(self.seconds)


class Spread(NamedTuple):
    """A median and its quartiles."""

    low: float
    median: float
    high: float


@dataclass
class Comparison:
    """The result: contenders by name, those left out with the reasons, and further facts."""

    name: str
    title: str
    entries: dict[str, Entry]
    references: Sequence[str] = ()
    left_out: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    def ratio(self, name: str, reference: str) -> Spread:
        """Return the ratio of paired runs."""
        pairs = zip(self.entries[name].seconds, self.entries[reference].seconds, strict=False)
        return spread([mine / theirs for mine, theirs in pairs])

    def compared(self) -> list[str]:
        """Return the references that took part."""
        return [name for name in self.references if name in self.entries]

    def as_json(self) -> dict[str, Any]:
        """Return everything for other programs."""
        contenders = {
            name: {
                "label": entry.label,
                "seconds": entry.seconds,
                **spread(entry.seconds)._asdict(),
                "ratios": {other: self.ratio(name, other)._asdict() for other in self.compared()},
                "largest_difference": entry.difference,
                "computes": entry.own or "the same",
                "peak_mib": entry.peak,
            }
            for name, entry in self.entries.items()
        }
        return {
            "name": self.name,
            "title": self.title,
            "facts": self.facts,
            "contenders": contenders,
            "left_out": self.left_out,
        }


def spread(values: Sequence[float]) -> Spread:
    """Return the median and the quartiles."""
    if len(values) == 1:
        return Spread(values[0], values[0], values[0])
    return Spread(*statistics.quantiles(values, n=4, method="inclusive"))


def compare(work: Work, workers: Workers, runs: int) -> Comparison:
    """Check that all results are equal, then run the contenders in turn.

    Raises
    ------
    Disagreement
        If a result differs.
    """
    ready, left_out = [], {}
    try:
        for contender in work.contenders:
            arguments = (contender.name, work.module, contender.name, dict(work.task))
            if reason := workers.ask(contender.place, "prepare", *arguments):
                left_out[contender.label] = reason
            else:
                ready.append(contender)
        differences = check_results(work, ready, workers)
        seconds = take_turns(ready, workers, runs)
    finally:
        workers.forget()
    entries = {c.name: Entry(c.name, c.label, seconds[c.name], differences.get(c.name), c.own) for c in ready}
    facts = {**work.task, "tolerance": work.tolerance, "margin": work.margin}
    return Comparison(work.name, work.title, entries, work.references, left_out, facts)


def take_turns(contenders: Sequence[Contender], workers: Workers, runs: int) -> dict[str, list[float]]:
    """Return the seconds of each run. Each round begins with another contender."""
    loops, rounds = {}, {}
    for c in contenders:
        workers.ask(c.place, "time", c.name, 1)
        once = workers.ask(c.place, "time", c.name, 1)
        loops[c.name] = max(1, min(10_000, math.ceil(LEAST / once)))
        rounds[c.name] = min(runs, FEW) if once > LONG else runs
    seconds: dict[str, list[float]] = {c.name: [] for c in contenders}
    for n in range(runs):
        first = n % len(contenders)
        for c in (*contenders[first:], *contenders[:first]):
            if n < rounds[c.name]:
                time.sleep(PAUSE)
                seconds[c.name].append(workers.ask(c.place, "time", c.name, loops[c.name]))
    return seconds


def check_results(work: Work, contenders: Sequence[Contender], workers: Workers) -> dict[str, float]:
    """Return the largest difference of each contender from the first one."""
    same = [c for c in contenders if not c.own]
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as scratch:
        paths = [Path(scratch, "first.npy"), Path(scratch, "other.npy")]
        for c in same:
            path = paths[c is not same[0]]
            workers.ask(c.place, "save", c.name, path)
            first, mine = (np.load(p, mmap_mode="r") for p in (paths[0], path))
            found[c.name] = difference(mine, first, (c.factor, same[0].factor), work.margin)
            if not found[c.name] <= work.tolerance:
                raise Disagreement(
                    f"{work.title}: {c.label} differs from {same[0].label} by {found[c.name]:g}, "
                    f"and {work.tolerance:g} is allowed"
                )
    return found


def difference(mine: Array, first: Array, factors: tuple[float, float], margin: int) -> float:
    """Return the largest difference between two arrays, each times its factor; infinite for different shapes."""
    if mine.shape != first.shape:
        return math.inf
    if not mine.ndim:
        return abs(float(mine) * factors[0] - float(first) * factors[1])
    inner = (..., slice(margin, -margin or None), slice(margin, -margin or None))
    mine, first = (np.atleast_3d(a[inner]) if a.ndim < 3 else a[inner] for a in (mine, first))
    rows = max(1, STRIP // math.prod(mine.shape[1:]))
    strips = (slice(i, i + rows) for i in range(0, mine.shape[0], rows))
    both = list(zip((mine, first), factors, strict=True))
    wide = ([array[s].astype(np.float64) * factor for array, factor in both] for s in strips)
    # NaN in both is no difference. NaN in one of them makes the largest difference NaN, which no tolerance allows.
    return float(np.max([np.max(np.abs(a - b), where=~(np.isnan(a) & np.isnan(b)), initial=0) for a, b in wide]))
