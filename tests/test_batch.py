"""Jobs, the output log, the runner, and runs that are killed."""

import contextlib
import os
import pickle
import signal
import sqlite3
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sampling import on_full

import edgekit as ek
from edgekit.batch.engines.local import Threads
from edgekit.batch.image_makers import SharpnessMaps
from edgekit.batch.jobs.filtering import FilterJob
from edgekit.batch.jobs.scoring import ScoreJob
from edgekit.batch.output_log import NAME, OutputLog
from edgekit.batch.outputs import Item, assign
from edgekit.batch.rendering import RenderWork
from edgekit.batch.runner import Status, Tally, run
from edgekit.batch.score_cache import ScoreCache
from edgekit.batch.scoring import score_sources
from edgekit.batch.sources import Source, collect
from edgekit.common.read_options import ReadOptions
from edgekit.errors import OutputError
from edgekit.io.encoding import encode

JOB = FilterJob("sobel", angle=45.0)


def test_jobs_with_equal_options_are_equal():
    same = FilterJob("sobel", angle=45.0)
    assert same == JOB
    assert hash(JOB) == hash(same)
    assert pickle.loads(pickle.dumps(JOB)) == JOB
    assert JOB.key == same.key == FilterJob("sobel", angle=45).key
    assert replace(JOB, white=20).key == replace(JOB, white=20.0).key


@pytest.mark.parametrize(
    "change",
    [
        {"operator": "scharr"}, {"parameters": (("size", 5),)}, {"angle": 46.0}, {"angle_of": "edge"},
        {"rotate": "ring"}, {"scale": "raw"}, {"border": "wrap"}, {"channel": "max"}, {"tone": "log"},
        {"display": "signed"}, {"white": 20.0}, {"white": "20%"}, {"depth": "16"}, {"overlay": True},
        {"ending": ".tif"}, {"spacing": 2.0}, {"spacing": (1.0, 2.0)},
        {"backend": "torch"}, {"kernel": ((1.0,),)}, {"device": "cpu"}, {"read_options": ReadOptions(truncated="keep")},
    ],
    ids=str,
)  # fmt: skip
def test_options_that_change_the_output_change_the_key(change):
    assert replace(JOB, **change).key != JOB.key


def test_max_pixels_does_not_change_the_key():
    assert replace(JOB, read_options=ReadOptions(max_pixels=9)).key == JOB.key
    assert (
        ScoreJob(read_options=ReadOptions(max_pixels=9)).key
        == ScoreJob().key
        != ScoreJob(read_options=ReadOptions(truncated="keep")).key
    )


def test_the_test_of_keys_changes_every_field():
    mark = next(m for m in test_options_that_change_the_output_change_the_key.pytestmark if m.name == "parametrize")
    assert {name for change in mark.args[1] for name in change} == set(FilterJob.__dataclass_fields__)


def test_job_outputs_are_deterministic():
    photo = np.random.default_rng(5).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    data = encode(photo, ".png")
    first, second = JOB.run(data, "a"), pickle.loads(pickle.dumps(JOB)).run(data, "a")
    assert first == second
    assert (first.rows, first.columns) == (40, 50)
    gray = ek.read_image(data, colour=False)
    response = ek.sobel(gray, angle=45)
    white = ek.white_level(gray, "sobel", angle=45)
    assert first.clipped == int((np.rint(np.abs(response) * np.float32(255 / white)) > 255).sum())


@pytest.fixture
def files(tmp_path):
    source, output = tmp_path / "in.png", tmp_path / "out" / "out.png"
    output.parent.mkdir()
    source.write_bytes(b"input")
    output.write_bytes(b"output")
    return source, output


def test_is_own_and_is_current_of_the_output_log(files, tmp_path):
    source, output = files
    with OutputLog(tmp_path / "out" / NAME) as journal:
        assert not journal.is_own(output)
        journal.add(output, output.stat(), source, source.stat(), "job")
    with OutputLog(tmp_path / "out" / NAME) as journal:
        assert journal.is_own(output)
        assert journal.is_current(output, source, source.stat(), "job")
        assert not journal.is_current(output, source, source.stat(), "another job")
        os.utime(source, ns=(1, 1))
        assert not journal.is_current(output, source, source.stat(), "job")
        output.write_bytes(b"changed by hand")
        assert not journal.is_own(output)
        output.unlink()
        assert not journal.is_own(output)


def test_log_entry_without_file_keeps_the_previous_entry(files, tmp_path):
    """As after a kill between the log entry and the rename."""
    source, output = files
    new = tmp_path / "new"
    new.write_bytes(b"the next output")
    with OutputLog(tmp_path / "out" / NAME) as journal:
        journal.add(output, output.stat(), source, source.stat(), "old job")
        journal.add(output, new.stat(), source, source.stat(), "new job")
        assert journal.is_own(output)
        assert journal.is_current(output, source, source.stat(), "old job")
        new.replace(output)
        assert journal.is_current(output, source, source.stat(), "new job")


@pytest.mark.parametrize("content", [b"no database at all, but long enough to look at" * 30])
def test_damaged_output_log_is_refused(tmp_path, content):
    (tmp_path / NAME).write_bytes(content)
    with pytest.raises(OutputError, match=r"cannot be used.*delete it"):
        OutputLog(tmp_path / NAME)


def test_output_log_without_path_is_not_stored(files):
    source, output = files
    with OutputLog(None) as journal:
        journal.add(output, output.stat(), source, source.stat(), "job")
        assert journal.is_own(output)
    with OutputLog(None) as journal:
        assert not journal.is_own(output)


def items(folder: Path, count: int) -> list[Item]:
    rng = np.random.default_rng(0)
    folder.mkdir(exist_ok=True)
    for n in range(count):
        ek.write_image(folder / f"{n:03}.png", rng.integers(0, 256, (20, 30), dtype=np.uint8))
    return assign(collect([str(folder)]), [JOB], str(folder.parent / "out"), folder.parent / "out")


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_outcomes_keep_the_order_of_items(tmp_path, workers):
    todo = items(tmp_path / "in", 30)
    (tmp_path / "in" / "007.png").write_bytes(b"broken")
    with OutputLog(None) as journal:
        outcomes = list(run(RenderWork(journal, []), todo, Threads(workers)))
    assert [o.item for o in outcomes] == todo
    assert [i for i, o in enumerate(outcomes) if o.status is Status.FAILED] == [7]
    data = b"".join(p.read_bytes() for p in sorted((tmp_path / "out").glob("*.png")))
    with OutputLog(None) as journal:
        list(run(RenderWork(journal, [], force=True), todo, Threads()))
    assert b"".join(p.read_bytes() for p in sorted((tmp_path / "out").glob("*.png"))) == data


def test_runner_reads_few_items_ahead(tmp_path):
    todo, taken = items(tmp_path / "in", 1), []

    def endless():
        while True:
            taken.append(1)
            yield todo[0]

    with OutputLog(None) as journal:
        outcomes = run(RenderWork(journal, [], force=True), endless(), Threads(2))
        for _ in range(20):
            next(outcomes)
        outcomes.close()
    assert len(taken) < 40


class LosingEngine:
    """Process each item, then report its worker as dead, or interrupt the run."""

    def __init__(self, interrupted):
        self.interrupted = interrupted

    def run(self, task, items, lost):
        for item in items:
            task(item)
            if self.interrupted:
                raise KeyboardInterrupt
            yield lost(item, "its worker died")


@pytest.mark.parametrize("interrupted", [False, True])
def test_outputs_of_lost_items_are_deleted(tmp_path, interrupted):
    todo = items(tmp_path / "in", 3)
    outcomes = []
    with OutputLog(None) as journal, contextlib.suppress(KeyboardInterrupt):
        outcomes.extend(run(RenderWork(journal, []), todo, LosingEngine(interrupted)))
    assert [o.reason for o in outcomes] == [f"{i.source.path}: its worker died" for i in todo if not interrupted]
    assert (tmp_path / "out").is_dir()
    assert not any((tmp_path / "out").iterdir())


@pytest.mark.parametrize("interrupted", [False, True])
def test_sharpness_maps_of_lost_items_are_deleted(tmp_path, interrupted):
    sources = [item.source for item in items(tmp_path / "in", 3)]
    job, rows = ScoreJob(("tenengrad",)), []
    with OutputLog(None) as journal, ScoreCache(None, job.key) as cache, contextlib.suppress(KeyboardInterrupt):
        maps = SharpnessMaps(tmp_path / "maps", journal)
        rows.extend(score_sources(sources, job, cache, LosingEngine(interrupted), image_makers=[maps]))
    assert [r.reason for r in rows] == [f"{s.path}: its worker died" for s in sources if not interrupted]
    assert (tmp_path / "maps").is_dir()
    assert not any((tmp_path / "maps").iterdir())


def test_unexpected_errors_fail_only_their_item(tmp_path, monkeypatch):
    todo = items(tmp_path / "in", 3)

    def failing(job, data, name, page):
        if "001" in name:
            raise ZeroDivisionError("a bug")
        if "002" in name:
            raise MemoryError
        return original(job, data, name, page)

    original = FilterJob.run
    monkeypatch.setattr(FilterJob, "run", failing)
    tally, reasons = Tally(), []
    with OutputLog(None) as journal:
        for outcome in run(RenderWork(journal, []), todo, Threads()):
            tally.add(outcome)
            reasons.append(outcome.reason)
    assert (tally.succeeded, tally.failed, tally.exit_status) == (1, 2, 1)
    assert reasons[1] == f"{todo[1].source.path}: ZeroDivisionError: a bug"
    assert "not enough memory" in reasons[2]


@pytest.mark.parametrize("seed", [5, *on_full(0, 1, 2, 3, 4)])
def test_killed_runs_are_resumed(tmp_path, seed):
    items(tmp_path / "in", 40)
    command = [sys.executable, "-m", "edgekit", "sobel", "in", "-o", "out", "--angle", "45", "-j", "2"]
    killed = textwrap.dedent(f"""
        import itertools, os, signal, threading, time
        from edgekit.batch import rendering
        from edgekit.cli import main
        place, count = rendering.write_draft, itertools.count()
        def counted(*arguments):
            if next(count) == {seed * 6}:
                # By then another worker is processing an item.
                threading.Timer({seed} / 2000, os.kill, (os.getpid(), signal.SIGKILL)).start()
            return place(*arguments)
        rendering.write_draft = counted
        try:
            main({command[3:]!r})
        finally:
            time.sleep(5)  # The timer may come late.
    """)
    process = subprocess.run([sys.executable, "-c", killed], cwd=tmp_path, capture_output=True)
    assert process.returncode == -signal.SIGKILL
    finished = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").glob("*.png")}
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    # Finished outputs are not written again, none is missing, and no other file is left.
    assert all(p.stat().st_mtime_ns == t for p, t in finished.items())
    # An empty journal of SQLite stays until the next write.
    names = {p.name for p in (tmp_path / "out").iterdir()} - {f"{NAME}-journal"}
    assert names == {NAME, *(f"{n:03}.sobel-45.png" for n in range(40))}
    with sqlite3.connect(tmp_path / "out" / NAME) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_collect_skips_files_that_are_not_images(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    image = encode(np.zeros((2, 2), np.uint8), ".png")
    for name, data in {
        "a.PNG": b"",
        "b": image,
        "c.txt": image,
        "d.txt": b"P1 text",
        "e": b"",
        ".f.png": image,
    }.items():
        Path("folder", name).write_bytes(data)
    found = collect(["folder", "folder/d.txt", "folder/b", "-"])
    assert [str(s.path) for s in found.sources] == ["folder/a.PNG", "folder/b", "folder/c.txt", "folder/d.txt", "-"]
    assert found.skipped == 2
    assert found.sources[-1] == Source(Path("-"), found.sources[-1].relative, stream=True)
