"""Strips of rows: coverage, number of threads, errors."""

import os
import subprocess
import sys
import textwrap
import threading
import time
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import edgekit as ek
from edgekit.backends.interface import Result
from edgekit.backends.opencv import backend, tiling
from edgekit.batch.engines.local import Threads


@pytest.fixture
def started(monkeypatch):
    """The list of new threads."""
    threads = []

    class Counted(threading.Thread):
        def start(self):
            threads.append(self)
            super().start()

    monkeypatch.setattr(tiling, "threading", SimpleNamespace(Thread=Counted))
    return threads


def meeting(threads):
    """Return a function that waits until that many threads have called it, and the set of these threads."""
    barrier, seen = threading.Barrier(threads), set()

    def do(start, stop):
        if threading.get_ident() not in seen:
            seen.add(threading.get_ident())
            barrier.wait(10)

    return do, seen


@pytest.mark.parametrize(("rows", "heights", "threads"), [(40, [40], 0), (100, [50, 50], 1), (500, [63] * 7 + [59], 1)])
def test_large_tiles(rows, heights, threads, started, monkeypatch):
    """Rows that cannot be computed in large tiles are computed in small ones."""
    monkeypatch.setattr(tiling, "TILE", 8 * 16)
    monkeypatch.setattr(backend.cv2, "getNumThreads", lambda: 2)
    image, runs, small = np.zeros((rows, 8), np.uint8), [], []

    def at_once(start, stop, into):
        runs.append((start, stop))
        return into if start else None

    def compute(start, stop, into):
        small.append((start, stop))
        into[...] = 7
        return into

    layout, result = backend.image_layout(image), Result(image.shape, np.dtype(np.float32), 0, None)
    made = tiling.run_tiles(compute, layout, rows, 2, result, (), at_once=at_once)
    assert (made[: heights[0]] == 7).all()
    assert [stop - start for start, stop in sorted(small)] == [16] * (heights[0] // 16) + [heights[0] % 16]
    assert [stop - start for start, stop in sorted(runs)] == heights
    assert len(started) == threads


@given(st.integers(1, 400), st.integers(1, 450), st.integers(0, 12))
@example(1, 1, 1)
@example(8, 8, 2)
@example(9, 8, 2)
@example(257, 64, 3)
def test_each_row_is_processed_once(rows, height, threads):
    runs = []
    tiling.each_tile(rows, height, threads, lambda start, stop: runs.append((start, stop)))
    runs.sort()
    assert [0, *(stop for _, stop in runs)] == [*(start for start, _ in runs), rows]
    sizes = [stop - start for start, stop in runs]
    assert max(sizes) <= height
    # As few strips as possible, of equal height except for the last, which is slightly lower.
    assert len(sizes) == -(-rows // height)
    assert len(set(sizes[:-1])) <= 1
    assert 0 <= sizes[0] - sizes[-1] < len(sizes)


@pytest.mark.parametrize(("threads", "expected"), [(0, 1), (1, 1), (2, 2), (5, 5), (100, tiling.MOST_THREADS)])
def test_number_of_threads(threads, expected, started):
    do, seen = meeting(expected)
    tiling.each_tile(100, 1, threads, do)
    assert len(seen) == expected
    assert threading.get_ident() in seen
    assert len(started) == expected - 1
    assert not any(t.is_alive() for t in started)


@pytest.mark.parametrize(("rows", "expected"), [(1, 0), (5, 0), (6, 1), (9, 2), (100, 7)])
def test_few_rows_use_few_threads(rows, expected, started):
    tiling.each_tile(rows, 1, 20, lambda start, stop: None)
    assert len(started) == expected


def test_wide_kernels_use_more_threads(started):
    image = np.zeros((3 * 120, 2000), np.uint8)
    before = cv2.getNumThreads()
    try:
        cv2.setNumThreads(3)
        for kernel, expected in ((lambda: ek.sobel(image), 0), (lambda: ek.gaussian_gradient(image, sigma=3), 2)):
            started.clear()
            kernel()
            assert len(started) == expected
    finally:
        cv2.setNumThreads(before)


@pytest.mark.parametrize("where", ["helper", "caller"])
@pytest.mark.parametrize("error", [ValueError("no such row"), KeyboardInterrupt()])
def test_errors_end_all_threads(where, error, started):
    do, _ = meeting(2)
    caller, raised, after = threading.get_ident(), threading.Event(), []

    def failing(start, stop):
        do(start, stop)
        if (threading.get_ident() == caller) == (where == "caller"):
            raised.set()
            raise error
        assert raised.wait(10)
        time.sleep(0.05)
        after.append(start)

    with pytest.raises(type(error)) as caught:
        tiling.each_tile(1000, 1, 2, failing)
    assert caught.value is error
    # The other thread finishes its strip.
    assert len(after) == 1
    assert not started[0].is_alive()
    tiling.each_tile(2, 2, 2, lambda start, stop: after.clear())
    assert after == []


def test_first_of_two_errors_is_raised(started):
    do, _ = meeting(2)
    caller = threading.get_ident()

    def failing(start, stop):
        do(start, stop)
        if threading.get_ident() == caller:
            started[0].join(10)
            raise ArithmeticError("second")
        raise ArithmeticError("first")

    with pytest.raises(ArithmeticError, match="first"):
        tiling.each_tile(10, 1, 2, failing)


def test_error_in_a_single_strip_is_raised():
    with pytest.raises(ZeroDivisionError):
        tiling.each_tile(4, 4, 2, lambda start, stop: 1 / 0)


def test_threads_that_cannot_be_started(monkeypatch):
    class Last(threading.Thread):
        left = 1

        def start(self):
            if not Last.left:
                raise RuntimeError("can't start new thread")
            Last.left -= 1
            super().start()

    monkeypatch.setattr(tiling, "threading", SimpleNamespace(Thread=Last))
    do, seen = meeting(2)
    rows = []
    tiling.each_tile(50, 1, 6, lambda start, stop: (do(start, stop), rows.append(start)))
    assert sorted(rows) == list(range(50))
    assert len(seen) == 2


def in_thread(function):
    """Call a function in a new thread and return its result."""
    result = []
    thread = threading.Thread(target=lambda: result.append(function()))
    thread.start()
    thread.join()
    return result[0]


def test_disable_nested_threads(started):
    def count(*, alone):
        if alone:
            tiling.disable_nested_threads()
        before = len(started)
        tiling.each_tile(12, 1, 4, lambda start, stop: None)
        return len(started) - before

    assert in_thread(lambda: count(alone=False)) == 3
    assert in_thread(lambda: count(alone=True)) == 0
    # The setting applies only to the thread that calls it.
    assert in_thread(lambda: count(alone=False)) == 3


@pytest.mark.parametrize(("workers", "expected"), [(1, 3), (2, 0)])
def test_workers_of_a_batch_disable_nested_threads(workers, expected, started):
    list(Threads(workers).run(lambda item: tiling.each_tile(12, 1, 4, lambda start, stop: None), [0], str))
    assert len(started) == expected


def test_numpy_error_state_applies_in_all_threads():
    do, seen = meeting(3)
    states = []

    def look(start, stop):
        do(start, stop)
        states.append(np.geterr()["over"])

    with np.errstate(over="raise"):
        tiling.each_tile(30, 1, 3, look)
    assert len(seen) == 3
    assert set(states) == {"raise"}


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("state", ["raise", "warn"])
def test_overflow_is_infinite_in_all_threads(threads, state, monkeypatch):
    monkeypatch.setattr(tiling, "TILE", 64)
    monkeypatch.setattr(backend.cv2, "getNumThreads", lambda: threads)
    image = np.zeros((300, 8), np.float16)
    image[-1] = 60000
    with np.errstate(over=state):
        assert np.isinf(ek.sobel(image, angle=90, border="constant", scale="raw")).any()
        assert np.geterr()["over"] == state


@pytest.mark.parametrize("threads", [1, 3])
def test_nested_strips(threads, started):
    """They are computed by the thread of the outer strip."""
    seen = []

    def outer(start, stop):
        inner = []
        tiling.each_tile(6, 2, threads, lambda first, last: inner.append((first, last)))
        seen.append((start, sorted(inner)))

    tiling.each_tile(20, 1, threads, outer)
    assert sorted(seen) == [(n, [(0, 2), (2, 4), (4, 6)]) for n in range(20)]
    assert len(started) == threads - 1


@pytest.mark.parametrize(("threads", "expected"), [(1, 0), (3, 2)])
@pytest.mark.parametrize(
    "work",
    [
        lambda: ek.sobel(np.zeros((300, 8), np.uint8)),
        lambda: ek.picture(np.zeros((300, 8), np.float32)),
        lambda: ek.to_display(np.zeros((300, 8), np.float32)),
        lambda: ek.sharpness(np.zeros((300, 8), np.uint8)),
    ],
    ids=["sobel", "picture", "to_display", "sharpness"],
)
def test_threads_follow_cv2_set_num_threads(work, threads, expected, monkeypatch, started):
    monkeypatch.setattr(tiling, "TILE", 64)
    before = cv2.getNumThreads()
    try:
        cv2.setNumThreads(threads)
        work()
        assert cv2.getNumThreads() == threads
    finally:
        cv2.setNumThreads(before)
    assert len(started) == expected


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_filters_run_in_forked_processes():
    code = """
        import os
        import cv2
        import numpy as np
        import edgekit as ek
        from edgekit.backends.opencv import tiling

        cv2.setNumThreads(2)
        tiling.TILE = 2**12
        image = np.arange(300 * 70, dtype=np.uint16).reshape(300, 70) % 251
        expected = ek.sobel(image)
        child = os.fork()
        if not child:
            os._exit(0 if (ek.sobel(image) == expected).all() else 1)
        assert (ek.sobel(image) == expected).all()
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    """
    ran = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (ran.returncode, ran.stdout) == (0, ""), ran.stderr
