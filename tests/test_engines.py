"""Engines: order of results; crashes, timeouts and memory limits fail exactly one item."""

import multiprocessing.forkserver
import os
import platform
import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from itertools import count
from pathlib import Path

import pytest
import tasks
from sampling import on_full

from edgekit.batch.engines.local import FEW, Threads, choose
from edgekit.batch.engines.processes import MAX_CRASHES, Processes, WorkerLimits
from edgekit.errors import ParameterError, WorkerError

ENGINES = (Threads(), Threads(3), Processes(1), Processes(3))

linux = pytest.mark.skipif(sys.platform != "linux", reason="limits of memory, and forked workers")


@pytest.fixture(scope="module")
def notes(tmp_path_factory):
    """A file to which workers write the items that they start."""
    path = tmp_path_factory.mktemp("notes") / "seen"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(tasks.SEEN, str(path))
        # Workers are forked from a server with the previous environment; a new server takes seconds to start.
        multiprocessing.forkserver._forkserver._stop()
        yield path
    multiprocessing.forkserver._forkserver._stop()


@pytest.fixture
def seen(notes):
    """Return a function that counts how often each item was started."""
    notes.unlink(missing_ok=True)
    return lambda: Counter(notes.read_text().splitlines())


def run(engine, task, items):
    return list(engine.run(task, items, tasks.lost))


@pytest.mark.parametrize("engine", ENGINES, ids=["one", "threads", "process", "processes"])
def test_results_come_in_the_order_of_the_items(engine):
    assert run(engine, tasks.same, range(100)) == list(range(100))
    assert run(engine, tasks.same, []) == []


@pytest.mark.parametrize("engine", ENGINES, ids=["one", "threads", "process", "processes"])
def test_engines_read_few_items_ahead(engine):
    taken = []

    def endless():
        for n in count():
            taken.append(n)
            yield n

    results = engine.run(tasks.same, endless(), tasks.lost)
    assert [next(results) for _ in range(20)] == list(range(20))
    results.close()
    assert len(taken) <= 20 + 3 * 16
    assert not multiprocessing.active_children()


def test_few_items_run_in_this_process():
    for number, kind in ((FEW - 1, Threads), (FEW, Processes)):
        engine, items = choose(iter(range(number)), 2)
        assert type(engine) is kind
        assert list(items) == list(range(number))
    assert type(choose([1], 2, WorkerLimits())[0]) is Processes
    assert set(run(Threads(2), tasks.process, range(9))) == {os.getpid()}
    assert os.getpid() not in run(Processes(2), tasks.process, range(9))


@linux
@pytest.mark.parametrize("workers", [2, *on_full(1)])
def test_crashes_fail_one_item_and_others_run_once(workers, seen):
    bad = {5: signal.SIGSEGV, 6: signal.SIGABRT, 19: signal.SIGBUS}
    items = [bad.get(n, n) for n in range(20)]
    results = run(Processes(workers), tasks.crashing, items)
    for n, (item, result) in enumerate(zip(items, results, strict=True)):
        if n in bad:
            assert result[0] is item
            assert f"worker crashed each time ({bad[n].name})" in result[1]
        else:
            assert result == n
    begun = seen()
    assert all(begun[str(n)] == 1 for n in range(20) if n not in bad)
    assert sum(begun.values()) == 17 + MAX_CRASHES * 3


def test_heartbeats_restart_the_timeout():
    assert run(Processes(2, WorkerLimits(timeout=1)), tasks.long, [2, 0.2, 0.4]) == [2, 0.2, 0.4]


@linux
def test_timeout_fails_one_item_and_other_workers_continue(seen):
    items = [1, "hang", *range(2, 8), "hang"]
    begin = time.monotonic()
    results = run(Processes(2, WorkerLimits(timeout=0.5)), tasks.hanging, items)
    assert time.monotonic() - begin < 10
    assert results[0:1] + results[2:8] == list(range(1, 8))
    assert results[1] == results[8] == ("hang", "took longer than the limit of 0.5 s; allow more with --timeout")
    assert set(seen().values()) == {1}


def test_timeout_is_per_item():
    """Each item takes 20 ms, all together longer than the timeout."""
    assert run(Processes(1, WorkerLimits(timeout=0.5)), tasks.slow, range(40)) == list(range(40))


@linux
def test_memory_limit_fails_one_item():
    # Large enough for the modules that other tests have loaded into this process, and so into its workers.
    limit, most = 2**30, 3 * 2**29
    results = run(Processes(2, WorkerLimits(memory=limit)), tasks.allocating, ["a", most, "b", 100 * 2**20, "c"])
    assert results[0::2] == ["a", "b", "c"]
    said = "needs more memory than the limit of 1 GiB; allow more with --memory"
    assert results[1] == (most, said)
    assert results[3] == 100 * 2**20


@linux
def test_leaked_memory_does_not_fail_later_items():
    each = 250 * 2**20
    assert run(Processes(1, WorkerLimits(memory=2**30)), tasks.leaking, [each] * 8) == [each] * 8


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries are not asked")
def test_workers_reuse_freed_memory():
    assert max(Processes(1).run(tasks.page_faults, range(2), tasks.lost)) < 100


def test_too_low_memory_limits_are_refused():
    with pytest.raises(ParameterError, match=r"100 MiB is less than a worker needs.*256 MiB"):
        WorkerLimits(memory=100 * 2**20).check()


@linux
def test_killed_workers_lose_no_items(seen):
    """Workers are killed while they process an item or wait for one."""
    results = []
    for n, result in enumerate(Processes(2).run(tasks.recorded, range(100), tasks.lost)):
        results.append(result)
        if n % 20 == 0:
            os.kill(multiprocessing.active_children()[n // 20 % 2].pid, signal.SIGKILL)
    assert results == list(range(100))
    # Only items of killed workers are started again.
    assert sum(seen().values()) <= 100 + 5


def test_workers_that_cannot_start_raise_worker_error(monkeypatch):
    from edgekit.batch.engines import processes

    monkeypatch.setattr(processes, "_work", tasks.exiting)
    with pytest.raises(WorkerError, match="cannot be started"):
        run(Processes(2), tasks.same, range(9))
    assert not multiprocessing.active_children()


def test_exit_of_a_worker_fails_its_item():
    results = run(Processes(1), tasks.exiting, [3])
    assert "status 3" in results[0][1]


def interrupted(engine, tmp_path, times=1):
    """Run a program that gets Ctrl-C while the first items are processed, and return its output."""
    code = textwrap.dedent(f"""
        import os, signal, sys, threading
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        import tasks
        from edgekit.batch.engines.local import Threads
        from edgekit.batch.engines.processes import Processes
        signal.signal(signal.SIGINT, signal.default_int_handler)
        def items():
            for n in range(1000):
                if n == 8:
                    for _ in range({times}):
                        os.kill(os.getpid(), signal.SIGINT)
                yield n
        try:
            for n in {engine}.run(tasks.slow, items(), None):
                print(n)
        except KeyboardInterrupt:
            print("interrupted")
        print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)
    """)
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    return ran.stdout.split()


@pytest.mark.parametrize("engine", ["Threads(2)", "Processes(2)"])
def test_ctrl_c_finishes_running_items(engine, tmp_path):
    *results, end, restored = interrupted(engine, tmp_path)
    assert (end, restored) == ("interrupted", "True")
    assert results == [str(n) for n in range(len(results))]
    assert 2 <= len(results) <= 9


@pytest.mark.parametrize("engine", ["Threads(2)", "Processes(2)"])
def test_a_second_ctrl_c_ends_at_once(engine, tmp_path):
    *results, end, restored = interrupted(engine, tmp_path, times=2)
    assert (end, restored) == ("interrupted", "True")
    assert len(results) <= 8


@linux
def test_workers_end_with_their_parent_process(tmp_path):
    """Even workers that hang, because the next run may process the same item."""
    code = textwrap.dedent(f"""
        import multiprocessing, os, sys, threading, time
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        import tasks
        from edgekit.batch.engines.processes import Processes
        def say():
            while len(children := multiprocessing.active_children()) < 2:
                time.sleep(0.05)
            time.sleep(1)
            print(*(p.pid for p in children), flush=True)
            os.kill(os.getpid(), 9)
        threading.Thread(target=say).start()
        list(Processes(2).run(tasks.hanging, ["hang", "hang"], None))
    """)
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    pids = [int(p) for p in ran.stdout.split()]
    assert len(pids) == 2, ran.stderr
    end = time.monotonic() + 10
    while time.monotonic() < end and any(Path(f"/proc/{pid}").exists() for pid in pids):
        time.sleep(0.05)
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_engines_leave_no_descriptors_and_processes():
    def held():
        return sum(1 for _ in Path("/proc/self/fd").iterdir()) if sys.platform == "linux" else 0

    run(Processes(2), tasks.same, range(9))
    before = held(), multiprocessing.active_children()
    for _ in range(5):
        run(Processes(2), tasks.same, range(9))
    assert (held(), multiprocessing.active_children()) == before
