"""Scores images of a store that fails. Prints the injected faults, the requests and the lost rows.

    python scripts/faults/store_faults.py [--images N] [--size N] [--workers N] [--latency SECONDS] [--write]

The server is that of the tests, `tests/store_server.py`. Needs `pip install -e ".[test]"`.
"""

import argparse
import os
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import boto3
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.append(str(Path(__file__).resolve().parents[2] / "tests"))

import store_server

from common.blocks import fill
from common.paths import ROOT
from edgekit.batch.engines.local import Threads
from edgekit.batch.jobs.scoring import ScoreJob
from edgekit.batch.score_cache import Row, ScoreCache
from edgekit.batch.scoring import score_sources
from edgekit.batch.sources import find
from edgekit.io import store_requests
from edgekit.io.encoding import encode

BUCKET = "photographs"

#: The page with the tables.
PAGE = ROOT / "docs" / "remote.md"

#: The injected faults, and the fraction of the responses that they affect.
FAULTS = (
    (None, 0.0), ("error", 0.1), ("error", 0.4), ("slow down", 0.1), ("reset", 0.1), ("cut", 0.1), ("short", 0.1),
    ("corrupt", 0.1), ("slow", 0.1),
)  # fmt: skip

#: The names of the faults in the table.
MEANING = {
    None: "none", "error": "500 Internal Server Error", "slow down": "503 Slow Down",
    "reset": "connection closed without a response", "cut": "body truncated",
    "short": "body truncated, with a matching length", "corrupt": "other bytes of the same length",
    "slow": "body stops for longer than the timeout",
}  # fmt: skip

#: The timeout of a body in seconds, and the pause of a body that is slower.
PATIENCE, HALT = 1.0, 2.5


class Run(NamedTuple):
    """The rows of a run, its seconds, and the number of requests."""

    rows: dict[str, Row]
    seconds: float
    requests: int


@contextmanager
def bucket(number: int, size: int) -> Iterator[store_server.Faulty]:
    """Serve a bucket of images."""
    with store_server.serve() as (address, faulty), mock.patch.dict(os.environ, store_server.environment(address)):
        client = boto3.client("s3")
        client.create_bucket(Bucket=BUCKET)
        for n in range(number):
            image = np.random.default_rng(n).integers(0, 256, (size, size), np.uint8)
            client.put_object(Bucket=BUCKET, Key=f"{n:05d}.png", Body=encode(image, ".png"))
        store_requests._shared_file_system.cache_clear()
        faulty.reset()
        yield faulty
        faulty.reset()
        # Another server of this process would still contain them.
        for n in range(number):
            client.delete_object(Bucket=BUCKET, Key=f"{n:05d}.png")
        client.delete_bucket(Bucket=BUCKET)


def score(faulty: store_server.Faulty, workers: int) -> Run:
    """Score the bucket."""
    faulty.requests.clear()
    job = ScoreJob(("laplacian_variance",))
    begun = time.perf_counter()
    with ScoreCache(None, job.key) as book:
        sources = (source for _, source in find([f"s3://{BUCKET}/"], lambda path: None))
        rows = {row.path: row for row in score_sources(sources, job, book, Threads(workers))}
    return Run(rows, time.perf_counter() - begun, sum(faulty.requests.values()))


def chance(method: str, path: str, attempt: int) -> float:
    """Return a pseudo-random number in [0, 1) that depends only on the object and the attempt."""
    return zlib.crc32(f"{method} {path} {attempt}".encode()) / 2**32


def faults(number: int, size: int, workers: int) -> list[str]:
    """Return a table of the faults and their effects."""
    lines = [
        "| fault | fraction | faulty responses | requests | rows lost or wrong | seconds |",
        "|---|---|---|---|---|---|",
    ]
    with bucket(number, size) as faulty, mock.patch.object(store_requests, "READ_TIMEOUT", PATIENCE):
        expected = score(faulty, workers).rows
        for fault, share in FAULTS:
            faulty.reset()
            faulty.delay = HALT
            faulty.decide = lambda *request, fault=fault, share=share: fault if chance(*request) < share else None
            ran = score(faulty, workers)
            lost = sum(ran.rows.get(path) != row for path, row in expected.items())
            lines.append(
                f"| {MEANING[fault]} | {share:.0%} | {sum(faulty.injected.values())} | {ran.requests} | "
                f"{lost} of {number} | {ran.seconds:.1f} |"
            )
    return lines


def overlap(number: int, size: int, latency: float) -> list[str]:
    """Return a table of the time by the number of images that are read at the same time."""
    lines = ["| images at a time | seconds | images per second |", "|---:|---:|---:|"]
    with bucket(number, size) as faulty:
        score(faulty, 1)
        faulty.latency = latency
        for workers in (1, 2, 4, 8, 16, 32):
            seconds = score(faulty, workers).seconds
            lines.append(f"| {workers} | {seconds:.1f} | {number / seconds:.0f} |")
    return lines


def main(arguments: list[str] | None = None) -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--size", type=int, default=256, help="pixels along each side")
    parser.add_argument("--workers", type=int, default=16, help="images at a time")
    parser.add_argument("--latency", type=float, default=0.05, help="seconds before a response, for the second table")
    parser.add_argument("--write", action="store_true", help=f"fill {PAGE.name} instead")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as home, mock.patch.dict(os.environ, {"XDG_CONFIG_HOME": home}):
        tables = {
            "faults": "\n".join(faults(given.images, given.size, given.workers)),
            "overlap": "\n".join(overlap(given.images, given.size, given.latency)),
        }
    if not given.write:
        print(*tables.values(), sep="\n\n")
        return
    text = PAGE.read_text(encoding="utf-8")
    for name, table in tables.items():
        text = fill(text, name, table)
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
