"""The lower bound: reading one array and writing another, by one thread or two, whichever is faster."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from benchmarks.harness.comparison import Contender, Work, compare
from benchmarks.harness.images import Image, photograph
from benchmarks.harness.suite import Bench, Outcome
from benchmarks.harness.tables import detail
from benchmarks.harness.worker import Call

THREADS = 2

CONTENDERS = (
    Contender("one", "`np.copyto`, one thread"),
    Contender("two", f"`np.copyto`, {THREADS} threads"),
)


def copy(image: Image, dtype: Any, planes: int = 1, threads: int = 1) -> Call:
    """Return a call that copies the image into each of several existing planes of another type."""
    out = np.empty((planes, *image.shape), dtype)

    def strip(n: int) -> None:
        rows = slice(n * image.shape[0] // threads, (n + 1) * image.shape[0] // threads)
        for plane in out:
            np.copyto(plane[rows], image[rows], casting="unsafe")

    pool = ThreadPoolExecutor(threads) if threads > 1 else None

    def call() -> Image:
        if pool:
            list(pool.map(strip, range(threads)))
        else:
            strip(0)
        return out

    return call


def floor(image: Image, dtype: Any, planes: int = 1) -> Call:
    """Return the fastest copy."""
    calls = [copy(image, dtype, planes, threads) for threads in (1, THREADS)]
    return min(calls, key=lambda call: min(_seconds(call) for _ in range(3)))


def _seconds(call: Call) -> float:
    call()
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def make(name: str, dtype: str, megapixels: float) -> Call:
    """Return the call of a contender."""
    return copy(photograph(megapixels, dtype), np.float32, threads=1 if name == "one" else THREADS)


def run(bench: Bench) -> Outcome:
    """Measure copying."""
    comparisons = [
        compare(
            Work(
                f"copy-{dtype}-{megapixels:g}",
                f"{dtype} to float32, {megapixels:g} megapixels",
                __name__,
                {"dtype": dtype, "megapixels": megapixels},
                CONTENDERS,
                ["one"],
            ),
            bench.workers,
            bench.runs,
        )
        for dtype in bench.types
        for megapixels in bench.sizes
    ]
    return Outcome(comparisons, {"copy": "\n\n".join(detail(c) for c in comparisons)})
