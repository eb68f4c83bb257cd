"""The output log and the score cache: application, version, locks, damaged files."""

import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from command_line import run
from sampling import on_full

import edgekit as ek
from edgekit.batch.output_log import NAME, OutputLog
from edgekit.batch.output_log import SCHEMA as WRITTEN
from edgekit.batch.score_cache import SCHEMA as SCORES
from edgekit.batch.score_cache import ScoreCache
from edgekit.batch.sqlite_store import HOLDER, SqliteStore
from edgekit.errors import OutputError

CACHE = ".scores.csv.edgekit.sqlite"

#: For each kind of database, the command that writes it and its path.
RUNS = {
    "log": (("sobel", "many", "-o", "out"), Path("out", NAME)),
    "cache": (("score", "many", "-o", "scores.csv"), Path(CACHE)),
}


@pytest.fixture(autouse=True)
def many(at_home):
    """Six photographs."""
    Path("many").mkdir()
    rng = np.random.default_rng(2)
    for n in range(6):
        ek.write_image(f"many/{n}.png", rng.integers(0, 256, (60, 60), dtype=np.uint8))


@pytest.fixture(params=RUNS)
def finished(request):
    """The arguments of a finished run, and its database."""
    arguments, record = RUNS[request.param]
    assert run(*arguments).exit_code == 0
    return arguments, record


def refused(arguments, record) -> str:
    """Run, check that the database is refused and unchanged, and return the message."""
    before = record.read_bytes()
    result = run(*arguments)
    assert result.exit_code == 2
    assert record.read_bytes() == before
    assert str(record) in result.stderr
    return result.stderr


def test_application_id_and_version(finished):
    with sqlite3.connect(finished[1]) as db:
        found = [db.execute(f"PRAGMA {p}").fetchone()[0] for p in ("application_id", "user_version")]
    assert found in ([k.number, k.version] for k in (SCORES, WRITTEN))
    assert 0 < found[0] < 2**31


def test_stores_of_other_versions_are_refused(finished):
    arguments, record = finished
    with sqlite3.connect(record) as db:
        (version,) = db.execute("PRAGMA user_version").fetchone()
        db.execute("PRAGMA user_version = 99")
    said = refused(arguments, record)
    assert f"of version {version}; found version 99" in said
    assert "Use that one, choose another output, or delete the file;" in said


@pytest.mark.parametrize("number", [0, 0x12345678])
def test_databases_of_other_programs_are_refused(finished, number):
    arguments, record = finished
    record.unlink()
    with sqlite3.connect(record) as db:
        db.execute("CREATE TABLE precious (a)")
        db.execute(f"PRAGMA application_id = {number}")
    assert "another program's database" in refused(arguments, record)


def test_score_caches_are_not_accepted_as_output_logs():
    run(*RUNS["cache"][0])
    Path("out").mkdir()
    Path(CACHE).rename(Path("out", NAME))
    assert "expected an output log of edgekit" in refused(*RUNS["log"])


def test_other_files_are_refused(finished):
    arguments, record = finished
    record.write_bytes(b"my notes, which are long enough to look at\n" * 40)
    assert "delete it;" in refused(arguments, record)


def test_symbolic_links_are_refused(finished, tmp_path):
    arguments, record = finished
    target = tmp_path / "elsewhere.sqlite"
    record.rename(target)
    record.symlink_to(target)
    assert "found a symbolic link, which is not followed" in refused(arguments, record)
    target.unlink()
    assert run(*arguments).exit_code == 2
    assert not target.exists()


@pytest.mark.parametrize("seed", range(12))
def test_damaged_stores_are_reported_or_harmless(finished, seed):
    """Changed bytes, empty pages, truncation: the run reports the damage, or its results are unchanged."""
    arguments, record = finished
    results = {p: p.read_bytes() for p in (*Path("out").glob("*.png"), *Path().glob("*.csv"))}
    data, chance = bytearray(record.read_bytes()), random.Random(seed)
    match seed % 3:
        case 0:
            for _ in range(200):
                data[chance.randrange(len(data))] = chance.randrange(256)
        case 1:
            start = 4096 * chance.randrange(len(data) // 4096)
            data[start : start + 4096] = bytes(4096)
        case 2:
            del data[chance.randrange(100, len(data)) :]
    record.write_bytes(data)
    result = run(*arguments)
    assert "Traceback" not in result.output
    if result.exit_code == 0:
        assert {p: p.read_bytes() for p in results} == results
        return
    assert (str(record) in result.stderr and "delete it" in result.stderr) or "did not write" in result.stderr
    assert {p: p.read_bytes() for p in results} == results
    record.unlink()
    again = run(*arguments, "--force")
    assert again.exit_code == 0
    assert {p: p.read_bytes() for p in results} == results


def holding(arguments) -> subprocess.Popen[bytes]:
    """Start a run that waits at its first image."""
    code = (
        "import sys, time; from edgekit.io import reading; from edgekit.batch import rendering, scoring\n"
        "for m in (rendering, scoring): m.read_bytes = lambda path: time.sleep(60)\n"
        "from edgekit.cli import main; main(sys.argv[1:])"
    )
    return subprocess.Popen([sys.executable, "-c", code, *arguments], stderr=subprocess.DEVNULL)


@pytest.mark.parametrize("kind", RUNS)
def test_stores_are_locked_until_the_process_ends(kind):
    arguments, record = RUNS[kind]
    process = holding(arguments)
    holder = record.with_name(record.name + HOLDER)
    try:
        until = time.monotonic() + 30
        while not holder.exists() and time.monotonic() < until:
            time.sleep(0.01)
        result = run(*arguments)
        assert result.exit_code == 2
        assert f"another edgekit (process {process.pid} on " in result.stderr
        assert "wait until it is done, or choose another output" in result.stderr
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    # The killed run could not delete this file.
    assert holder.exists()
    assert run(*arguments).exit_code == 0
    assert not holder.exists()


@pytest.mark.parametrize("kind", [ScoreCache, OutputLog])
def test_interrupted_opening_leaves_no_other_files(kind, tmp_path, monkeypatch):
    sign = SqliteStore._sign

    def interrupted(record, holder):
        sign(record, holder)
        raise KeyboardInterrupt

    monkeypatch.setattr(SqliteStore, "_sign", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ScoreCache(tmp_path / "record", "a job") if kind is ScoreCache else OutputLog(tmp_path / "record", alone=True)
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {"record"}


def test_holder_files_that_are_links_are_not_followed(tmp_path):
    Path("secret").write_text("secret")
    with ScoreCache(Path(CACHE), "job"):
        holder = Path(CACHE + HOLDER)
        holder.unlink()
        holder.symlink_to(Path("secret").absolute())
        with pytest.raises(OutputError, match="another edgekit is writing there"):
            ScoreCache(Path(CACHE), "job")
    assert Path("secret").read_text() == "secret"
    holder.symlink_to(Path("secret").absolute())
    with ScoreCache(Path(CACHE), "job"):
        assert not holder.is_symlink()
    assert Path("secret").read_text() == "secret"


@pytest.mark.parametrize("seed", [0, 1, *on_full(2, 3, 4, 5)])
def test_killed_score_caches_have_all_reported_rows(seed):
    """The cache has every reported row, and no rows of files that were not read."""
    code = (
        "import sys; from edgekit.batch.score_cache import ScoreCache, Row; from pathlib import Path\n"
        "with ScoreCache(Path(sys.argv[1]), 'job') as cache:\n"
        "    for n in range(10**6):\n"
        "        cache.store(Row(str(n), n, n, 1, 1, (n / 7,), 'ok', ''))\n"
        "        print(n, flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, CACHE], stdout=subprocess.PIPE, text=True)
    chance, told = random.Random(seed), -1
    for _ in range(chance.randrange(1, 400)):
        told = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    rest = process.communicate()[0].split()
    told = int(rest[-1]) if rest and rest[-1].isdigit() else told
    with ScoreCache(Path(CACHE), "job") as cache:
        for n in range(told + 1):
            (row,) = cache.reuse(str(n), n, n)
            assert row.values == (n / 7,)
        assert not cache.reuse(str(told + 2), told + 2, told + 2)


def test_full_disk_refuses_new_entries_and_keeps_others(tmp_path):
    from hostile import mounted

    with mounted(tmp_path / "disk", "size=80k") as disk:
        with OutputLog(disk / NAME, alone=True) as log:
            status, entered = Path("photo.png").stat(), 0

            def fill() -> None:
                nonlocal entered
                while True:
                    log.add(disk / f"{entered}.png", status, Path("photo.png"), status, "job")
                    entered += 1

            with pytest.raises(OutputError, match="Is the disk full"):
                fill()
        subprocess.run(["mount", "-o", "remount,size=1m", disk], check=True)
        with OutputLog(disk / NAME, alone=True) as log:
            assert entered > 100
            assert len(log.outputs("job")) == entered
