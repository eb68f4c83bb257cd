"""Tasks for worker processes; some of them fail."""

import os
import signal
import time
from pathlib import Path

from edgekit.batch.engines import heartbeat

#: The environment variable with the file of the items in order, one line each.
SEEN = "EDGEKIT_TEST_SEEN"


def same(item):
    return item


def lost(item, reason):
    return item, reason


def recorded(item):
    """Append the item to a file that all processes share."""
    with Path(os.environ[SEEN]).open("a") as file:
        file.write(f"{item!r}\n")
    return item


def process(item):
    return os.getpid()


def slow(item):
    time.sleep(0.02)
    return item


def long(item):
    """Run for `item` seconds, with a heartbeat each fifth of a second."""
    for _ in range(round(5 * item)):
        time.sleep(0.2)
        heartbeat.get()()
    return item


def uneven(item):
    """Wait in every second group of four items."""
    time.sleep(0.15 if item // 4 % 2 == 0 else 0)
    return item


def crashing(item):
    """Record the item, and crash if it is a signal."""
    recorded(item)
    if isinstance(item, signal.Signals):
        os.kill(os.getpid(), item)
    return item


def hanging(item):
    if item == "hang":
        # As a decoder in C that ignores SIGTERM.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            time.sleep(1)
    return recorded(item)


def allocating(item):
    """Allocate `item` bytes, and write to each page."""
    if isinstance(item, int):
        bytearray(item)[::4096] = b"x" * len(range(0, item, 4096))
    return item


def leaking(item):
    """Allocate `item` bytes and keep them, as a library that leaks memory."""
    _kept.append(bytearray(item))
    return item


_kept: list[bytearray] = []


def exiting(item):
    os._exit(item)


def threads(item):
    """Return the number of threads of the process."""
    import threading

    return threading.active_count()


def page_faults(item):
    """Return the number of page faults for memory that was freed just before."""
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
