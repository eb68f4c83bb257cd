"""The same work by several contenders, who take turns; ratios are those of runs that follow one another.

May import workers and what is below it.
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

#: A measured run takes at least so many seconds, as in Python's timeit; what is faster is called several times.
LEAST = 0.2

#: What takes longer than so many seconds is run no more than so many times.
LONG, FEW = 3.0, 3

#: Seconds between runs, in which the threads of the last contender come to rest.
PAUSE = 0.01

#: Values compared at a time.
STRIP = 2**22


class Contender(NamedTuple):
    """Somebody who can do the work.

    `place` is the worker; `factor` what the numbers are multiplied with to be edgekit's; `own` says
    what is computed where that is not the same, and is then not compared.
    """

    name: str
    label: str
    place: str = "peers"
    factor: float = 1.0
    own: str = ""


@dataclass(frozen=True)
class Work:
    """What is to be done: `module` makes the calls by the contenders' names and the task.

    Results may differ from the first contender's by `tolerance`, and by any amount in a margin so many pixels wide.
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
    """What a contender needed: seconds of each run; of whole processes the peak in MiB."""

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
    """A median between quartiles."""

    low: float
    median: float
    high: float


@dataclass
class Comparison:
    """What came out: contenders by name, those left out with the reason, and what else is to be known."""

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
        """Return all of it for other programs."""
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
    """Check that all compute the same, and let them take turns.

    Raises
    ------
    Disagreement
        If one computes something else.
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
    """Return the seconds of each run; each round another contender begins."""
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
    """Return by how much each contender differs from the first at most."""
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
    # What is missing in both is no difference; what is in one alone makes the largest one NaN, which nothing allows.
    return float(np.max([np.max(np.abs(a - b), where=~(np.isnan(a) & np.isnan(b)), initial=0) for a, b in wide]))
