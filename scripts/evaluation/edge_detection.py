"""Compares edge detectors with the boundaries that people drew, and measures their time.

    python scripts/evaluation/edge_detection.py IMAGES BOUNDARIES -o FOLDER [--methods sobel,canny] [--dark]
                                                [-j 2] [--limit 20]

IMAGES contains photographs, BOUNDARIES files with the same stems: those of the Berkeley Segmentation Data Set, or
images with white boundaries, as those of UDED. Writes table.md, scores.json and curves.png. Results are stored in
results.sqlite, so that a run that was killed can be resumed.
Needs `pip install -e ".[bench]"`.
"""

import argparse
import hashlib
import json
import multiprocessing
import sqlite3
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import edgekit as ek
from common.blocks import fill_page
from common.paths import DOCS, SAMPLES
from edgekit.io.formats import BY_ENDING
from evaluation.boundary_measure import (
    VERSION,
    Agreement,
    Mask,
    Tally,
    Values,
    agree,
    harmonic,
    inner,
    read_boundaries,
    tally,
)
from evaluation.edge_methods import METHODS, Image, Method
from evaluation.precision_recall_plot import draw
from maintenance.make_samples import darken

#: Number of photographs that are timed.
TIMED = 15

#: A part of a photograph. If a method finds other edges there, its stored results are stale.
PIECE = np.s_[40:241, 100:333]


class Pair(NamedTuple):
    """A photograph, and the boundaries that people drew."""

    image: Path
    boundaries: Path

    def read(self) -> tuple[Image, list[Mask]]:
        """Return the photograph in colour, 8 bits, and each person's boundaries."""
        image, people = read_photograph(self.image), read_boundaries(self.boundaries)
        for person in people:
            if person.shape != image.shape[:2]:
                raise ValueError(f"boundaries are of shape {person.shape}, the photograph of {image.shape[:2]}")
        return image, people

    def digest(self) -> str:
        """Return a checksum of both files."""
        return hashlib.sha256(self.image.read_bytes() + self.boundaries.read_bytes()).hexdigest()


class Task(NamedTuple):
    """One method on one photograph."""

    method: str
    pair: Pair
    dark: bool
    thresholds: int


class Failure(NamedTuple):
    """What could not be measured, and the reason."""

    stem: str
    reason: str


@dataclass(frozen=True)
class Result:
    """The results of one method on all photographs. `dark` and `fixed` are set if the photographs were also darkened:
    `fixed` is F on the dark ones at the best threshold of the original ones.
    """

    method: Method
    light: Agreement
    milliseconds: float
    dark: Agreement | None = None
    fixed: float | None = None


def read_photograph(path: Path) -> Image:
    """Return a photograph in 8 bits with three channels."""
    image = ek.read_image(path)
    if image.dtype != np.uint8:
        raise ValueError(f"{path.name} is not in 8 bits")
    return np.repeat(image[..., None], 3, 2) if image.ndim == 2 else np.ascontiguousarray(image[..., :3])


def find(images: Path, boundaries: Path, limit: int | None) -> tuple[list[tuple[Pair, str]], list[Failure]]:
    """Return the pairs that can be read, with their checksums, and the failures. With a limit, photographs are selected
    at equal distances.
    """
    paths = sorted(p for p in images.iterdir() if p.suffix.lower() in BY_ENDING)
    if limit and limit < len(paths):
        paths = [paths[i * len(paths) // limit] for i in range(limit)]
    good, bad = [], []
    for path in paths:
        drawing = boundaries / f"{path.stem}.png"
        pair = Pair(path, drawing if drawing.exists() else boundaries / f"{path.stem}.mat")
        try:
            pair.read()
            good.append((pair, pair.digest()))
        except (OSError, ValueError, ek.EdgekitError) as error:
            bad.append(Failure(path.stem, str(error)))
    return good, bad


def carry_out(task: Task) -> Tally | str:
    """Return the counts of a task, or the reason of its failure."""
    try:
        image, people = task.pair.read()
        return tally(METHODS[task.method].strength(darkened(image, task.dark)), people, inner(task.thresholds))
    # A method that fails on one photograph must not end the run.
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def darkened(image: Image, dark: bool) -> Image:
    """Return the image, or its copy that is eight times darker."""
    return darken(image) if dark else image


def key_of(task: Task, digest: str, fingerprint: str) -> str:
    """Return the key of a stored result. It changes with everything that the result depends on."""
    parts = (VERSION, task.method, fingerprint, digest, task.dark, task.thresholds)
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def fingerprint(method: Method, dark: bool) -> str:
    """Return a checksum of a method's edges, which depend on its definition, edgekit and OpenCV."""
    image = read_photograph(SAMPLES / "coffee.png")[PIECE]
    return hashlib.sha256(method.strength(darkened(image, dark)).tobytes()).hexdigest()


class Store:
    """Results by key. Each is written to the file at once."""

    def __init__(self, path: Path) -> None:
        self.base = sqlite3.connect(path)
        self.base.execute("CREATE TABLE IF NOT EXISTS results (key TEXT PRIMARY KEY, counts TEXT NOT NULL)")

    def get(self, key: str) -> Tally | None:
        """Return a result, or None."""
        row = self.base.execute("SELECT counts FROM results WHERE key = ?", (key,)).fetchone()
        return None if row is None else Tally(*np.array(json.loads(row[0]), np.int64))

    def put(self, key: str, counts: Tally) -> None:
        """Store a result."""
        with self.base:
            text = json.dumps([column.tolist() for column in counts])
            self.base.execute("INSERT OR REPLACE INTO results VALUES (?, ?)", (key, text))

    def close(self) -> None:
        """Close the file."""
        self.base.close()


def measure(tasks: dict[str, Task], store: Store, jobs: int) -> Iterator[Failure]:
    """Run the tasks without a stored result; return those that failed."""
    missing = {key: task for key, task in tasks.items() if store.get(key) is None}
    with tqdm(total=len(missing), disable=None, unit="map") as bar:
        for key, outcome in outcomes(missing, jobs):
            bar.update()
            if isinstance(outcome, str):
                task = missing[key]
                yield Failure(task.pair.image.stem, f"{task.method}{' in the dark' * task.dark}: {outcome}")
            else:
                store.put(key, outcome)


def outcomes(tasks: dict[str, Task], jobs: int) -> Iterator[tuple[str, Tally | str]]:
    """Run tasks in several processes; yield each when it is finished."""
    if jobs == 1 or not tasks:
        yield from ((key, carry_out(task)) for key, task in tasks.items())
        return
    # A forked process would inherit OpenCV's threads in an undefined state.
    pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), initializer=cv2.setNumThreads, initargs=(1,))
    try:
        futures = {pool.submit(carry_out, task): key for key, task in tasks.items()}
        yield from ((futures[future], future.result()) for future in as_completed(futures))
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def one_thread() -> Iterator[None]:
    """Limit OpenCV, and torch if it is installed, to one thread."""
    torch = sys.modules.get("torch")
    before = cv2.getNumThreads(), torch.get_num_threads() if torch else 0
    cv2.setNumThreads(1)
    if torch:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before[0])
        if torch:
            torch.set_num_threads(before[1])


def milliseconds(method: Method, threshold: float, pairs: Sequence[Pair]) -> float:
    """Return the median time that the method takes for a photograph, on one core."""
    chosen = [pairs[i * len(pairs) // TIMED] for i in range(TIMED)] if len(pairs) > TIMED else pairs
    images = [pair.read()[0] for pair in chosen]
    method.once(images[0], threshold)  # The first call loads libraries and fills caches.
    times = []
    for image in images:
        start = time.perf_counter()
        method.once(image, threshold)
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)


def collect(tasks: dict[str, Task], store: Store, methods: Sequence[Method], thresholds: Values) -> list[Result]:
    """Sum the stored results; a method without results is left out."""
    counts: dict[tuple[str, bool], list[Tally]] = {}
    for key, task in tasks.items():
        if (got := store.get(key)) is not None:
            counts.setdefault((task.method, task.dark), []).append(got)
    pairs = list(dict.fromkeys(task.pair for task in tasks.values()))
    results = []
    for method in methods:
        if (method.name, False) not in counts:
            continue
        light = agree(counts[method.name, False], thresholds)
        took = milliseconds(method, light.threshold, pairs)
        if (method.name, True) in counts:
            dark = agree(counts[method.name, True], thresholds)
            fixed = float(np.interp(light.threshold, thresholds, harmonic(dark.precision, dark.recall)))
            results.append(Result(method, light, took, dark, fixed))
        else:
            results.append(Result(method, light, took))
    return results


def table(results: Sequence[Result], images: int, thresholds: int) -> str:
    """Return the Markdown table."""
    dark = any(result.dark for result in results)
    lines = [
        f"{images} photographs, {thresholds} thresholds. ODS: the best F with one threshold for all photographs. "
        "OIS: the best F with one threshold for each photograph. AP: mean precision over recall. "
        "ms: median time for a photograph on one core."
        + dark
        * " Dark: the same photographs with one eighth of the brightness; loss: ODS minus dark ODS; last column: F "
        "of the dark photographs with the threshold of the original ones.",
        "",
        "| method | ODS | threshold | OIS | AP | ms |" + dark * " dark ODS | loss | dark F at the same threshold |",
        "|---|---:|---:|---:|---:|---:|" + dark * "---:|---:|---:|",
    ]
    for result in results:
        a = result.light
        row = f"| {result.method.label} | {a.ods:.3f} | {a.threshold:.2f} | {a.ois:.3f} | {a.ap:.3f} "
        row += f"| {result.milliseconds:.1f} |"
        if result.dark:
            loss = round(a.ods - result.dark.ods, 3) + 0.0  # A loss of -0.0001 is 0, without a sign.
            row += f" {result.dark.ods:.3f} | {loss:.3f} | {result.fixed:.3f} |"
        lines.append(row)
    return "\n".join(lines)


def scores(results: Sequence[Result]) -> str:
    """Return the numbers for other programs."""
    return json.dumps(
        {
            result.method.name: {
                "light": {name: getattr(result.light, name) for name in ("ods", "threshold", "ois", "ap")},
                "dark": result.dark
                and {name: getattr(result.dark, name) for name in ("ods", "threshold", "ois", "ap")},
                "dark_at_light_threshold": result.fixed,
                "milliseconds": result.milliseconds,
            }
            for result in results
        },
        indent=2,
    )


def plan(options: argparse.Namespace, found: Sequence[tuple[Pair, str]]) -> dict[str, Task]:
    """Return all tasks by their keys."""
    tasks = {}
    for dark in (False, True)[: 1 + options.dark]:
        for name in options.methods:
            answers = fingerprint(METHODS[name], dark)
            for pair, digest in found:
                task = Task(name, pair, dark, options.thresholds)
                tasks[key_of(task, digest, answers)] = task
    return tasks


def evaluate(options: argparse.Namespace) -> list[Failure]:
    """Measure, write the table, the scores and the curves; return the failures."""
    found, failures = find(options.images, options.boundaries, options.limit)
    if not found:
        return [*failures, Failure(str(options.images), "holds no photograph with boundaries")]
    options.output.mkdir(parents=True, exist_ok=True)
    with closing(Store(options.output / "results.sqlite")) as store, one_thread():
        tasks = plan(options, found)
        failures += measure(tasks, store, options.jobs)
        results = collect(tasks, store, [METHODS[name] for name in options.methods], inner(options.thresholds))
    text = table(results, len(found), options.thresholds)
    print(text)
    (options.output / "table.md").write_text(text + "\n", encoding="utf-8")
    for page, name in (("edges.md", "edges" if options.write else None), ("boundaries.md", options.block)):
        if name:
            fill_page(DOCS / page, name, text)
    (options.output / "scores.json").write_text(scores(results) + "\n", encoding="utf-8")
    draw([(result.method.label, result.light, result.dark) for result in results], options.output / "curves.png")
    return failures


def names(text: str) -> list[str]:
    """Return the methods of a list of names."""
    chosen = text.split(",")
    for name in chosen:
        if name not in METHODS:
            raise argparse.ArgumentTypeError(f"{name} is none of {', '.join(METHODS)}")
    return chosen


def count(text: str) -> int:
    """Return a number from 1 on."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1 on")
    return int(text)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and evaluate; exit with 1 if anything failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path, help="folder of photographs")
    parser.add_argument("boundaries", type=Path, help="folder of .mat or .png files with the same stems")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for results")
    parser.add_argument("--methods", type=names, default=list(METHODS), help=f"of {','.join(METHODS)} (default: all)")
    parser.add_argument("--thresholds", type=count, default=99, help="how many (default: %(default)s)")
    parser.add_argument("-j", "--jobs", type=count, default=1, help="processes (default: %(default)s)")
    parser.add_argument("--dark", action="store_true", help="also measure photographs that are eight times darker")
    parser.add_argument("--limit", type=count, help="number of photographs, selected at equal distances")
    parser.add_argument("--block", metavar="NAME", help="write the table into this block of docs/boundaries.md")
    parser.add_argument("--write", action="store_true", help="write the table into docs/edges.md")
    options = parser.parse_args(arguments)
    for folder in (options.images, options.boundaries):
        if not folder.is_dir():
            parser.error(f"{folder} is not a folder")
    failures = evaluate(options)
    for failure in failures:
        print(f"{failure.stem}: {failure.reason}", file=sys.stderr)
    if failures:
        sys.exit(1)


if __name__ == "__main__":
    main()
