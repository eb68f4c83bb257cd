"""Measures a Ray cluster, and computes the cost of 100 million images.

    python scripts/benchmarks/ray_cluster.py [--images N] [--files N] [--write]

Prints Markdown tables; --write writes them into docs/scale.md. The photographs are made from the samples. Needs the
extras parquet and ray.
"""

import argparse
import contextlib
import copy
import logging
import math
import os
import pickle
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import edgekit as ek
from common.blocks import fill
from common.paths import ROOT
from edgekit.batch.engines import Engine
from edgekit.batch.engines.processes import Processes
from edgekit.batch.engines.ray import BLOCK, SHARES, Ray
from edgekit.batch.jobs.scoring import ScoreJob
from edgekit.batch.rows import ScoreTable, sink_of
from edgekit.batch.score_cache import Row, ScoreCache
from edgekit.batch.scoring import score_sources
from edgekit.batch.sources import find
from edgekit.focus.blur_score import VIEW
from edgekit.io.reduced import decode_gray

PAGE = ROOT / "docs" / "scale.md"

#: Width and height of the photographs in pixels. The cost is computed for the second one.
SIZES = ((1024, 768), (2048, 1536), (4096, 3072))
USUAL = SIZES[1]

#: The computed cases: number of images, of machines, and of processors per machine.
WHOLE, MACHINES, CORES = 100_000_000, (1, 10, 100, 1000), 32

#: Bits per second from storage to each machine: assumed, not measured.
NETWORK = 10e9

#: Hard links to one file. File systems allow a few more.
LINKS = 30_000


class Photograph(NamedTuple):
    """One photograph: its bytes, and images per second on one core, scored and only decoded."""

    size: tuple[int, int]
    bytes: int
    scored: float
    decoded: float


class Rates(NamedTuple):
    """Rates of the driver per second: files listed, rows recorded, items sent and returned, rows written."""

    listed: float
    entered: float
    sent: float
    written: float

    @property
    def driven(self) -> float:
        """Images per second of the driver, while workers compute."""
        return 1 / (1 / self.entered + 1 / self.sent)


class Speed(NamedTuple):
    """Images per second of an engine with a number of processors, and seconds until the first row."""

    engine: str
    processors: int
    rate: float
    start: float


class Idle:
    """An engine without work: the remaining time is that of the driver."""

    def run(self, task: Callable[[Any], Any], items: Iterable[Any], lost: Callable[[Any, str], Any]) -> Iterator[Any]:
        """Yield a row for each item, as if it was measured."""
        for item in items:
            done = pickle.loads(pickle.dumps(lost(pickle.loads(pickle.dumps(item)), "")))
            yield done._replace(row=done.row._replace(width=640, height=480, values=(0.5,), status="ok", reason=""))


def photograph(size: tuple[int, int]) -> bytes:
    """Return a JPEG with the detail and the noise of a photograph."""
    samples = [ek.read_image(ROOT / "samples" / name) for name in ("rocket.jpg", "coffee.png", "chelsea.png")]
    parts = [cv2.resize(s, (size[0], size[1] // len(samples) + 1), interpolation=cv2.INTER_CUBIC) for s in samples]
    image = np.concatenate(parts)[: size[1]].astype(np.float32)
    noise = np.random.default_rng(0).normal(0, 3, image.shape).astype(np.float32)
    done, data = cv2.imencode(".jpg", np.clip(image + noise, 0, 255).astype(np.uint8)[..., ::-1])
    assert done
    return data.tobytes()


def rate(call: Callable[[], object], seconds: float = 2.0) -> float:
    """Return calls per second: the median of five rounds."""
    rounds = []
    for _ in range(5):
        count, start = 0, time.perf_counter()
        while (took := time.perf_counter() - start) < seconds / 5:
            call()
            count += 1
        rounds.append(count / took)
    return statistics.median(rounds)


def measure_photograph(size: tuple[int, int]) -> Photograph:
    """Score and decode one photograph on one core."""
    data, job = photograph(size), ScoreJob()
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        scored = rate(lambda: job.run(data, "photograph"))
        decoded = rate(lambda: decode_gray(data, "photograph", least=2 * VIEW))
    finally:
        cv2.setNumThreads(threads)
    return Photograph(size, len(data), scored, decoded)


def fill_folder(folder: Path, data: bytes, count: int) -> None:
    """Make a folder of `count` hard links to a few files."""
    folder.mkdir()
    for n in range(count):
        name = folder / f"{n:08}.jpg"
        if n % LINKS == 0:
            name.write_bytes(data)
            first = name
        else:
            os.link(first, name)


def scored(folder: Path, engine: Engine, book: ScoreCache) -> Iterator[Row]:
    """Yield the rows of a folder."""
    return score_sources((s for _, s in find([str(folder)], lambda _: None)), ScoreJob(), book, engine)


def measure_driver(count: int) -> Rates:
    """List the files of a folder, record a row for each, send them through Ray, and write the rows."""
    with tempfile.TemporaryDirectory() as scratch, ScoreCache(Path(scratch, "rows"), "job") as book:
        folder = Path(scratch, "images")
        fill_folder(folder, b"\xff\xd8\xff no photograph", count)
        marks = [time.perf_counter()]
        sources = [source for _, source in find([str(folder)], lambda _: None)]
        marks.append(time.perf_counter())
        # Each path counts once, and links are different paths.
        assert sum(1 for _ in scored(folder, Idle(), book)) == count
        marks.append(time.perf_counter())
        table = ScoreTable(("score",), 0.5)
        sink_of(f"{scratch}/rows.parquet")(table.columns, map(table.record, book.rows()))
        marks.append(time.perf_counter())
    listed, entered, written = (count / (after - before) for before, after in pairwise(marks))
    return Rates(listed, entered, count / send(sources), written)


def send(items: list[Any]) -> float:
    """Return the processor time of this process for sending items through Ray, in seconds."""
    with cluster(os.cpu_count() or 1):
        begun = time.process_time()
        assert list(Ray().run(copy.copy, items, lambda item, reason: reason)) == items
        return time.process_time() - begun


@contextlib.contextmanager
def cluster(processors: int) -> Iterator[None]:
    """Run a cluster of this machine only."""
    import ray

    quiet = {"include_dashboard": False, "log_to_driver": False, "logging_level": logging.ERROR}
    ray.init(num_cpus=processors, object_store_memory=200 * 2**20, **quiet)
    try:
        yield
    finally:
        ray.shutdown()


def measure_engines(count: int, processors: Sequence[int]) -> list[Speed]:
    """Score photographs of the second size, by worker processes and by Ray."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "images")
        fill_folder(folder, photograph(USUAL), count)
        return [measure(folder, count, n) for n in processors for measure in (_local, _cluster)]


def _local(folder: Path, count: int, processors: int) -> Speed:
    return Speed("worker processes", processors, *_speed(folder, count, Processes(processors), processors))


def _cluster(folder: Path, count: int, processors: int) -> Speed:
    begun = time.perf_counter()
    with cluster(processors):
        started = time.perf_counter() - begun
        blocks = min(BLOCK * processors, math.ceil(count / SHARES))
        rate, first = _speed(folder, count, Ray(), blocks)
    return Speed("Ray", processors, rate, started + first)


def _speed(folder: Path, count: int, engine: Engine, at_once: int) -> tuple[float, float]:
    """Return images per second after the first row, and the seconds until the first row."""
    with ScoreCache(None, "job") as book:
        begun = time.perf_counter()
        times = []
        for row in scored(folder, engine, book):
            assert row.status == "ok", row
            times.append(time.perf_counter())
    return (count - at_once) / (times[-1] - times[0]), times[0] - begun


def report(photographs: Sequence[Photograph], rates: Rates, speeds: Sequence[Speed]) -> str:
    """Return the tables."""
    lines = [
        f"On {os.cpu_count()} cores. Scoring and decoding on one core:", "",
        "| JPEG | kB | scored, images/s | only decoded, images/s |", "|---|---:|---:|---:|",
        *(f"| {p.size[0]}x{p.size[1]} | {p.bytes / 1e3:,.0f} | {p.scored:.1f} | {p.decoded:.1f} |"
          for p in photographs),
        "", "The driver, a single process:", "",
        "| work | per second |", "|---|---:|",
        f"| files listed, local disk | {rates.listed:,.0f} |",
        f"| files listed, checked, and their rows recorded | {rates.entered:,.0f} |",
        f"| items sent through Ray and back, in processor time | {rates.sent:,.0f} |",
        f"| both together: images handled | {rates.driven:,.0f} |",
        f"| rows written as Parquet | {rates.written:,.0f} |",
        "", f"Engines, {USUAL[0]}x{USUAL[1]}:", "",
        "| engine | processors | images/s | relative to one processor | s to the first row |",
        "|---|---:|---:|---:|---:|",
    ]  # fmt: skip
    one = {s.engine: s.rate for s in speeds if s.processors == 1}
    lines += [
        f"| {s.engine} | {s.processors} | {s.rate:.1f} | {s.rate / one[s.engine]:.2f} | {s.start:.1f} |" for s in speeds
    ]
    usual = next(p for p in photographs if p.size == USUAL)
    lines += [
        "", f"{WHOLE:,} such images, {CORES} cores per machine, at the images/s of Ray on one processor, "
        f"{NETWORK / 1e9:g} Gbit/s from storage to each machine (assumed, not measured):", "",
        "| machines | cores, h | network, h | one driver, h | with one driver, h | bottleneck | drivers needed "
        "| with these drivers, h | core-hours |",
        "|---:|---:|---:|---:|---:|---|---:|---:|---:|",
        *(cost(machines, one["Ray"], usual.bytes, rates) for machines in MACHINES),
    ]  # fmt: skip
    return "\n".join(lines)


def cost(machines: int, core: float, size: int, rates: Rates) -> str:
    """Return the row of the table for a number of machines."""
    cores = CORES * machines
    hours = {
        "cores": WHOLE / (core * cores) / 3600,
        "network": WHOLE * size * 8 / (NETWORK * machines) / 3600,
        "driver": WHOLE / rates.driven / 3600,
    }
    written, limit = WHOLE / rates.written / 3600, max(hours, key=hours.__getitem__)
    others = max(hours["cores"], hours["network"])
    drivers = math.ceil(hours["driver"] / others)
    one, several = (max(others, hours["driver"] / n) + written / n for n in (1, drivers))
    shown = " | ".join(f"{h:,.2f}" for h in (*hours.values(), one))
    return f"| {machines:,} | {shown} | {limit} | {drivers:,} | {several:,.2f} | {several * cores:,.0f} |"


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=2000, help="photographs for each engine")
    parser.add_argument("--files", type=int, default=200_000, help="files to list")
    parser.add_argument("--processors", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--write", action="store_true", help="write the tables into docs/scale.md")
    options = parser.parse_args(arguments)
    text = report(
        [measure_photograph(size) for size in SIZES],
        measure_driver(options.files),
        measure_engines(options.images, options.processors),
    )
    print(text)
    if options.write:
        PAGE.write_text(fill(PAGE.read_text(encoding="utf-8"), "scale", text), encoding="utf-8")


if __name__ == "__main__":
    main()
