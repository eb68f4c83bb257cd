"""What a suite is given, and what it returns. May import workers and comparison."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.harness.comparison import Comparison
from benchmarks.harness.plots import Chart
from benchmarks.harness.workers import Workers


@dataclass(frozen=True)
class Bench:
    """What a suite is given: options, workers, and a folder to write into."""

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
    """What a suite returns: Markdown by the names of blocks, those of the README too, and drawings."""

    comparisons: list[Comparison]
    blocks: dict[str, str]
    readme: dict[str, str] = field(default_factory=dict)
    charts: list[Chart] = field(default_factory=list)


Suite = Callable[[Bench], Outcome]
