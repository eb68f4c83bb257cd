"""The input and the result of a suite. Imports `workers` and `comparison`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.harness.comparison import Comparison
from benchmarks.harness.plots import Chart
from benchmarks.harness.workers import Workers


@dataclass(frozen=True)
class Bench:
    """The input of a suite: options, workers, and a folder for its files."""

    workers: Workers
    scratch: Path
    runs: int
    sizes: Sequence[float]
    types: Sequence[str]
    operations: Sequence[str]
    photographs: Path | None
    count: int
    machine: str


@dataclass
class Outcome:
    """The result of a suite: Markdown by the names of blocks, also of the README, and charts."""

    comparisons: list[Comparison]
    blocks: dict[str, str]
    readme: dict[str, str] = field(default_factory=dict)
    charts: list[Chart] = field(default_factory=list)


Suite = Callable[[Bench], Outcome]
