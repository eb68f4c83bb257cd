"""Measures the speed of edgekit, and compares it with other libraries and programs.

    python scripts/benchmarks/run.py SUITE... [--photographs FOLDER] [--runs N] [--json FILE] [--plots FOLDER] [--write]

The other libraries are installed by `pip install -e ".[bench]"`; vips and ImageMagick are needed for their command
lines. Libraries and programs that are not installed are left out. Before the measurement the results of all contenders
are compared. The contenders run in turn, so that a slower machine slows all of them. A ratio is the median of the
ratios of paired runs. `--write` fills the blocks of docs/performance.md and of the README.
"""

import argparse
import importlib
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.harness.images import STRETCH
from benchmarks.harness.machine import describe, in_short, in_words
from benchmarks.harness.plots import draw
from benchmarks.harness.suite import Bench, Outcome
from benchmarks.harness.workers import Workers
from benchmarks.suites.filter_contenders import OPERATIONS
from common.blocks import fill
from common.paths import README, ROOT

PAGE = ROOT / "docs" / "performance.md"

#: The suites: modules of `benchmarks.suites`, whose `run` measures.
SUITES = ("copy", "filter", "score", "batch", "startup", "overhead", "scaling", "detect", "measures", "fast_paths")

#: The suites that read a folder of photographs.
FOLDERS = ("score", "batch")

SIZES = (0.3, 2.0, 8.0)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, measure, print, and write the requested files."""
    options = parse(arguments)
    machine = describe()
    outcomes: dict[str, Outcome] = {}
    with tempfile.TemporaryDirectory() as scratch, Workers() as workers:
        bench = Bench(
            workers=workers,
            scratch=Path(scratch),
            runs=options.runs,
            sizes=options.sizes,
            types=options.types,
            operations=options.operations,
            photographs=options.photographs and options.photographs.resolve(),
            count=options.count,
            machine=in_short(machine),
        )
        for name in options.suites:
            outcome = importlib.import_module(f"benchmarks.suites.{name}").run(bench)
            page = captioned(outcome, bench)
            for block, text in page.items():
                print(f"\n## {block}\n\n{text}", flush=True)
            # Written at once: results must not be lost if a later suite fails.
            outcomes[name] = outcome
            if options.json:
                text = json.dumps(as_json(machine, bench, outcomes), indent=1)
                options.json.write_text(f"{text}\n", encoding="utf-8")
            if options.plots:
                for chart in outcome.charts:
                    draw(chart, options.plots)
            if options.write:
                # The page shows the machine of the run of all suites.
                whole = {"machine": in_words(machine)} if set(options.suites) >= set(SUITES) else {}
                write(PAGE, {**whole, **page})
                write(README, outcome.readme)


def write(path: Path, blocks: dict[str, str]) -> None:
    """Fill blocks of a page."""
    text = path.read_text(encoding="utf-8")
    for name, content in blocks.items():
        text = fill(text, name, content)
    path.write_text(text, encoding="utf-8")


def captioned(outcome: Outcome, bench: Bench) -> dict[str, str]:
    """Return the blocks of a suite, with the machine in each caption: suites can be measured at different times."""
    caption = f"Median of {bench.runs} interleaved runs (quartiles), {bench.machine}."
    return {name: f"{caption}\n\n{text}" for name, text in outcome.blocks.items()}


def as_json(machine: dict[str, Any], bench: Bench, outcomes: dict[str, Outcome]) -> dict[str, Any]:
    """Return everything for other programs."""
    return {
        "machine": machine,
        "runs": bench.runs,
        "suites": {name: [c.as_json() for c in outcome.comparisons] for name, outcome in outcomes.items()},
    }


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    every = [*SUITES, "all"]
    parser.add_argument("suites", nargs="+", choices=every, metavar="SUITE", help=f"of {', '.join(every)}")
    parser.add_argument("--photographs", type=Path, help=f"a folder of JPEGs for {' and '.join(FOLDERS)}")
    parser.add_argument("--runs", type=count, default=7, help="how often each is run (default: %(default)s)")
    parser.add_argument("--sizes", type=sizes, default=SIZES, help="megapixels, as 0.3,2 (default: 0.3,2,8)")
    parser.add_argument("--types", type=names(STRETCH), default=list(STRETCH), help=f"of {','.join(STRETCH)}")
    parser.add_argument(
        "--operations", type=names(OPERATIONS), default=list(OPERATIONS), help=f"of {','.join(OPERATIONS)}"
    )
    parser.add_argument("--count", type=count, default=20, help="photographs of a batch (default: %(default)s)")
    parser.add_argument("--json", type=Path, help="write everything into this file")
    parser.add_argument("--plots", type=Path, help="draw into this folder")
    parser.add_argument("--write", action="store_true", help="fill the blocks of docs/performance.md and of README.md")
    options = parser.parse_args(arguments)
    if "all" in options.suites:
        options.suites = list(SUITES)
    if needing := [name for name in options.suites if name in FOLDERS and not options.photographs]:
        parser.error(f"{' and '.join(needing)} need --photographs FOLDER")
    return options


def count(text: str) -> int:
    """Return a number from 1 on."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1 on")
    return int(text)


def sizes(text: str) -> list[float]:
    """Return megapixels."""
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError:
        found = [0.0]
    if not all(0 < size < 1000 for size in found):
        raise argparse.ArgumentTypeError(f"{text} is not a list of megapixels")
    return found


def names(known: dict[str, Any]) -> Any:
    """Return a parser of lists of these names."""

    def read(text: str) -> list[str]:
        chosen = text.split(",")
        for name in chosen:
            if name not in known:
                raise argparse.ArgumentTypeError(f"{name} is none of {', '.join(known)}")
        return chosen

    return read


if __name__ == "__main__":
    main()
