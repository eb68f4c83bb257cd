"""Tasks that worker processes can load, some of which end badly."""

import os
import signal
import time
from pathlib import Path

from edgekit.batch.engines import heartbeat

#: What was asked of each task, in order: a file with a line for each time.
SEEN = "EDGEKIT_TEST_SEEN"


def same(item):
    return item


def lost(item, reason):
    return item, reason


def noted(item):
    """Say that an item was begun, in a file that all processes append to."""
    with Path(os.environ[SEEN]).open("a") as file:
        file.write(f"{item!r}\n")
    return item


def process(item):
    return os.getpid()


def slow(item):
    time.sleep(0.02)
    return item


def long(item):
    """Take so many seconds, and tell of each fifth of a second."""
    for _ in range(round(5 * item)):
        time.sleep(0.2)
        heartbeat.get()()
    return item


def uneven(item):
    """Take longer for every other four."""
    time.sleep(0.15 if item // 4 % 2 == 0 else 0)
    return item


def crashing(item):
    """Crash at every item that is a signal; else do what `noted` does."""
    noted(item)
    if isinstance(item, signal.Signals):
        os.kill(os.getpid(), item)
    return item


def hanging(item):
    if item == "hang":
        # As a decoder in C, deaf to a friendly word.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            time.sleep(1)
    return noted(item)


def hungry(item):
    """Take so many bytes, and touch each page."""
    if isinstance(item, int):
        bytearray(item)[::4096] = b"x" * len(range(0, item, 4096))
    return item


def greedy(item):
    """Keep what is taken, as a library that leaks."""
    _kept.append(bytearray(item))
    return item


_kept: list[bytearray] = []


def unfinished(item):
    os._exit(item)


def threads(item):
    """Return how many threads the process has before it does anything."""
    import threading

    return threading.active_count()


def again(item):
    """Return how many pages the system has cleared for memory that was freed just before."""
    import resource

    size, pages = 8 * 2**20, 0
    for _ in range(4):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        blocks = [bytearray(size) for _ in range(3)]
        for block in blocks:
            block[::4096] = b"1" * (size // 4096)
        del block, blocks
        pages = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    return pages
