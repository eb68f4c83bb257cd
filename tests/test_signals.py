"""SIGTERM, SIGHUP and Ctrl-C end a run in the same way; no temporary files are left."""

import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
from command_line import run, shown
from sampling import on_full

import edgekit as ek

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")

SIZE = (1200, 1600)


@pytest.fixture(autouse=True)
def photos(at_home, monkeypatch):
    """Large photographs for long runs, and an empty temporary folder."""
    # A short path, because sockets are created there.
    with tempfile.TemporaryDirectory(dir="/tmp") as temporary:
        monkeypatch.setenv("TMPDIR", temporary)
        make_photos()
        yield Path(temporary)


def make_photos():
    photo = np.random.default_rng(0).integers(0, 256, SIZE, dtype=np.uint8)
    ek.write_image("many/00.png", photo)
    for n in range(1, 100):
        os.link("many/00.png", f"many/{n:02}.png")
    Path("few").mkdir()
    for n in range(60):
        os.link("many/00.png", f"few/{n:02}.png")


def start(*arguments, ignored=(), **extra):
    """Start the command line in a new session, and so in a new process group."""

    def dispose():
        # Processes in the background may ignore Ctrl-C; the child must not.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)

    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | extra
    command = [sys.executable, "-m", "edgekit", *map(str, arguments)]
    return subprocess.Popen(command, start_new_session=True, preexec_fn=dispose, **streams)


def wait_for(condition):
    end = time.monotonic() + 60
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)


def finished(folder="edges"):
    return sorted(Path(folder).glob("*.png"))


def alive(group):
    """Return the processes of a group."""
    return subprocess.run(["pgrep", "-g", str(group)], capture_output=True, text=True, check=False).stdout.split()


def check_stopped(process, number, err, total, temporary):
    """Check exit status, message and summary; results are complete, and no other files or processes are left."""
    assert process.returncode == 128 + number, err
    said = "interrupted" if number == signal.SIGINT else f"interrupted by {signal.Signals(number).name}"
    *_, summary, message = filter(None, err.splitlines())
    assert message == f"edgekit: {said}"
    assert "done" in summary
    assert "not begun" in summary
    made = finished()
    assert 0 < len(made) < total
    assert all(shown(str(path)).shape == SIZE for path in made)
    assert {p.name for p in Path("edges").iterdir()} == {p.name for p in made} | {".edgekit.sqlite"}
    assert list(temporary.iterdir()) == []
    wait_for(lambda: not alive(process.pid))
    assert alive(process.pid) == []


def check_recorded(folder):
    """Check that a second run recognizes the results of the first."""
    made = finished()
    again = run("sobel", folder, "-o", "edges", *(f"--include={path.name[:2]}.png" for path in made))
    assert again.stderr.startswith(f"edgekit: {len(made)} up to date"), again.stderr


ENDS = [
    (signal.SIGTERM, os.kill), (signal.SIGHUP, os.killpg), (signal.SIGINT, os.killpg),
    pytest.param(signal.SIGTERM, os.killpg, marks=pytest.mark.full),
    pytest.param(signal.SIGHUP, os.kill, marks=pytest.mark.full),
    pytest.param(signal.SIGINT, os.kill, marks=pytest.mark.full),
]  # fmt: skip


@pytest.mark.sample(0)
@pytest.mark.parametrize(("number", "send"), ENDS, ids=lambda value: getattr(value, "__name__", str(value)))
@pytest.mark.parametrize("folder", ["few", "many"], ids=["threads", "processes"])
def test_signals_end_runs_like_ctrl_c(folder, number, send, photos):
    """Sent to the command alone, or to all of its process group as timeout, systemd and terminals do."""
    total = len(list(Path(folder).iterdir()))
    process = start("sobel", folder, "-o", "edges", "-j", 2)
    wait_for(finished)
    send(process.pid, number)
    _, err = process.communicate(timeout=60)
    check_stopped(process, number, err, total, photos)
    check_recorded(folder)


def test_one_thread_is_stopped_in_the_middle_of_an_image(photos):
    process = start("sobel", "few", "-o", "edges", "-j", 1)
    wait_for(finished)
    process.terminate()
    check_stopped(process, signal.SIGTERM, process.communicate(timeout=60)[1], 60, photos)


@pytest.mark.parametrize("folder", ["many", *on_full("few")])
def test_interrupted_runs_keep_and_count_scores(folder, photos):
    process = start("score", folder, "-o", "scores.csv", "-j", 2, "--map", "maps")
    wait_for(lambda: finished("maps"))
    process.terminate()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 143, err
    *_, summary, message = filter(None, err.splitlines())
    assert message == "edgekit: interrupted by SIGTERM"
    count = len(finished("maps"))
    assert f"edgekit: {count} scored" in summary
    assert {p.name for p in Path("maps").iterdir()} == {p.name for p in finished("maps")} | {".edgekit.sqlite"}
    assert {p.name for p in Path().glob("*.csv*")} == {".scores.csv.edgekit.sqlite"}
    assert list(photos.iterdir()) == []


def test_interrupted_pick_prints_a_summary(photos):
    process = start("pick", "many", "-o", "picked", "-n", 3, "-j", 1)
    wait_for(Path("picked/.edgekit.sqlite").exists)
    process.terminate()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 143, err
    *_, summary, message = filter(None, err.splitlines())
    assert message == "edgekit: interrupted by SIGTERM"
    assert "scored" in summary
    assert {p.name for p in Path("picked").iterdir()} == {".edgekit-scores.sqlite", ".edgekit.sqlite"}
    assert list(photos.iterdir()) == []


def test_ignored_sighup_does_not_end_a_run():
    process = start("sobel", "few", "-o", "edges", "-j", 2, "--include=[01]*", ignored=[signal.SIGHUP])
    wait_for(finished)
    os.killpg(process.pid, signal.SIGHUP)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert len(finished()) == 20


def test_closed_terminals_end_runs_and_lose_no_results(photos):
    import pty

    leader, follower = pty.openpty()
    # The tests themselves may run below nohup, which ignores the signal.
    code = (
        "import fcntl, os, signal, termios as t; signal.signal(signal.SIGHUP, signal.SIG_DFL); os.setsid(); "
        "fcntl.ioctl(1, t.TIOCSCTTY, 0); import edgekit.cli as c; c.run()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, "sobel", "many", "-o", "edges", "-j", "2"],
        stdin=follower, stdout=follower, stderr=follower,
    )  # fmt: skip
    os.close(follower)
    wait_for(finished)
    os.close(leader)
    assert process.wait(60) == 129
    count = len(finished())
    assert 0 < count < 100
    assert {p.name for p in Path("edges").iterdir()} == {p.name for p in finished()} | {".edgekit.sqlite"}
    check_recorded("many")
    assert list(photos.iterdir()) == []


def program(code, folder):
    """Run a program that imports edgekit, and return what it printed."""
    text = f"import os, signal, sys\nsys.path.insert(0, {str(Path(__file__).parent)!r})\n{textwrap.dedent(code)}"
    ran = subprocess.run(
        [sys.executable, "-c", text], cwd=folder, capture_output=True, text=True, timeout=60, start_new_session=True
    )
    assert ran.stderr == ""
    return ran.stdout.split()


@pytest.mark.sample(0)
@pytest.mark.parametrize("engine", ["Threads(2)", "Processes(2)"])
@pytest.mark.parametrize(("second", "together"), [("SIGTERM", True), ("SIGHUP", True), ("SIGINT", False)])
def test_repeated_signals_are_one_request(engine, second, together, tmp_path):
    """Items in progress are finished, as after one; a second request, Ctrl-C, ends at once."""
    *results, end = program(
        f"""
        import tasks
        from edgekit.batch.engines.interrupts import Interrupted, handle_signals
        from edgekit.batch.engines.local import Threads
        from edgekit.batch.engines.processes import Processes
        signal.signal(signal.SIGINT, signal.default_int_handler)
        handle_signals()
        def items():
            for n in range(1000):
                if n == 8:
                    os.kill(os.getpid(), signal.SIGTERM)
                    os.kill(os.getpid(), signal.{second})
                yield n
        try:
            for n in {engine}.run(tasks.slow, items(), None):
                print(n)
        except Interrupted as end:
            print(end.number)
        """,
        tmp_path,
    )
    assert end == str(int(signal.SIGTERM if together else signal.SIGINT))
    assert results == [str(n) for n in range(len(results))]
    finished = 2 if engine == "Threads(2)" else 8
    assert (finished <= len(results) <= 9) if together else len(results) < 8


@pytest.mark.skipif(sys.platform != "linux", reason="a separate process forks workers on Linux only")
def test_workers_ignore_signals_to_the_process_group(tmp_path):
    """New workers may be needed while items in progress are finished."""
    *results, same, waited = program(
        """
        import multiprocessing.forkserver, tasks
        from edgekit.batch.engines.interrupts import Interrupted, handle_signals
        from edgekit.batch.engines.processes import Processes
        handle_signals()
        def items():
            for n in range(1000):
                if n == 8:
                    before.extend(p.pid for p in multiprocessing.active_children())
                    os.killpg(0, signal.SIGTERM)
                yield n
        before, after = [], []
        try:
            for n in Processes(2).run(tasks.slow, items(), None):
                print(n)
                after[:] = [p.pid for p in multiprocessing.active_children()]
        except Interrupted:
            print(after == before)
        print(os.waitpid(multiprocessing.forkserver._forkserver._forkserver_pid, os.WNOHANG)[0])
        """,
        tmp_path,
    )
    assert len(results) >= 8
    assert (same, waited) == ("True", "0")


def test_library_does_not_change_signal_handlers(tmp_path):
    found = program(
        """
        import tasks
        from edgekit.batch.engines.local import Threads
        from edgekit.batch.engines.processes import Processes
        before = [signal.getsignal(n) for n in signal.valid_signals()]
        for engine in (Threads(2), Processes(2)):
            list(engine.run(tasks.same, range(9), None))
        print(before == [signal.getsignal(n) for n in signal.valid_signals()], signal.pthread_sigmask(0, []))
        """,
        tmp_path,
    )
    assert found == ["True", "set()"]


LEAVE_NOTHING = [
    "score small -o scores.csv --map maps --report page",
    *on_full(
        "score small --timeout 0.001",  # Workers are killed.
        "pick small -n 3 -o out",
        "sobel small -o out",
        "canny small -o out --rows rows.csv",
        "focus small --timeout 60 --plot focus.png",
    ),
]


@pytest.mark.parametrize("command", LEAVE_NOTHING)
def test_runs_leave_only_results_and_logs(command, photos):
    """No temporary file, socket, lock or journal of the database."""
    rng = np.random.default_rng(0)
    for n in range(70):
        ek.write_image(f"small/{n:02}.png", rng.integers(0, 256, (40, 50), dtype=np.uint8))
    process = start(*command.split())
    _, err = process.communicate(timeout=60)
    assert process.returncode in (0, 1), err
    assert list(photos.iterdir()) == []
    hidden = {path.name for path in Path().rglob(".*")}
    assert hidden <= {".edgekit.sqlite", ".edgekit-scores.sqlite", ".scores.csv.edgekit.sqlite"}
    assert not [path for path in Path().rglob("*") if path.name.endswith(("-journal", "-wal", "-shm", "-holder"))]
