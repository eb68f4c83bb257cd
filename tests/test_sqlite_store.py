"""The record of a run and the book of scores: whose they are, of what version, and what a damaged one comes to."""

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

BOOK = ".scores.csv.edgekit.sqlite"

#: Each kind of record by the run that keeps it, and where that keeps it.
RUNS = {
    "journal": (("sobel", "many", "-o", "out"), Path("out", NAME)),
    "book": (("score", "many", "-o", "scores.csv"), Path(BOOK)),
}


@pytest.fixture(autouse=True)
def many(at_home):
    """Six photographs."""
    Path("many").mkdir()
    rng = np.random.default_rng(2)
    for n in range(6):
        ek.write_image(f"many/{n}.png", rng.integers(0, 256, (60, 60), dtype=np.uint8))


@pytest.fixture(params=RUNS)
def kept(request):
    """A run that has been, and its record."""
    arguments, record = RUNS[request.param]
    assert run(*arguments).exit_code == 0
    return arguments, record


def refused(arguments, record) -> str:
    """Run, see that nothing happened to the record, and return what was said."""
    before = record.read_bytes()
    result = run(*arguments)
    assert result.exit_code == 2
    assert record.read_bytes() == before
    assert str(record) in result.stderr
    return result.stderr


def test_a_record_says_what_it_is(kept):
    with sqlite3.connect(kept[1]) as db:
        found = [db.execute(f"PRAGMA {p}").fetchone()[0] for p in ("application_id", "user_version")]
    assert found in ([k.number, k.version] for k in (SCORES, WRITTEN))
    assert 0 < found[0] < 2**31


def test_a_record_of_another_version(kept):
    arguments, record = kept
    with sqlite3.connect(record) as db:
        (version,) = db.execute("PRAGMA user_version").fetchone()
        db.execute("PRAGMA user_version = 99")
    said = refused(arguments, record)
    assert f"of version {version}; found version 99" in said
    assert "Use that one, choose another output, or delete the file;" in said


@pytest.mark.parametrize("number", [0, 0x12345678])
def test_another_programs_database(kept, number):
    arguments, record = kept
    record.unlink()
    with sqlite3.connect(record) as db:
        db.execute("CREATE TABLE precious (a)")
        db.execute(f"PRAGMA application_id = {number}")
    assert "another program's database" in refused(arguments, record)


def test_one_kind_of_record_is_not_taken_for_another():
    run(*RUNS["book"][0])
    Path("out").mkdir()
    Path(BOOK).rename(Path("out", NAME))
    assert "expected an output log of edgekit" in refused(*RUNS["journal"])


def test_a_file_that_is_no_database(kept):
    arguments, record = kept
    record.write_bytes(b"my notes, which are long enough to look at\n" * 40)
    assert "delete it;" in refused(arguments, record)


def test_a_record_that_is_a_link_is_not_followed(kept, tmp_path):
    arguments, record = kept
    target = tmp_path / "elsewhere.sqlite"
    record.rename(target)
    record.symlink_to(target)
    assert "found a symbolic link, which is not followed" in refused(arguments, record)
    target.unlink()
    assert run(*arguments).exit_code == 2
    assert not target.exists()


@pytest.mark.parametrize("seed", range(12))
def test_a_damaged_record_is_named_or_does_no_harm(kept, seed):
    """Bytes changed, pages emptied, the end cut off: the run says so, or ends as if nothing had been."""
    arguments, record = kept
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
    """Start a run that comes to its first image, and stays there."""
    code = (
        "import sys, time; from edgekit.io import reading; from edgekit.batch import rendering, scoring\n"
        "for m in (rendering, scoring): m.read_bytes = lambda path: time.sleep(60)\n"
        "from edgekit.cli import main; main(sys.argv[1:])"
    )
    return subprocess.Popen([sys.executable, "-c", code, *arguments], stderr=subprocess.DEVNULL)


@pytest.mark.parametrize("kind", RUNS)
def test_a_second_run_names_the_first_and_one_that_died_stops_nobody(kind):
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
    # It could not take its word back.
    assert holder.exists()
    assert run(*arguments).exit_code == 0
    assert not holder.exists()


@pytest.mark.parametrize("kind", [ScoreCache, OutputLog])
def test_a_record_that_is_interrupted_while_it_is_opened_leaves_nothing_beside_it(kind, tmp_path, monkeypatch):
    sign = SqliteStore._sign

    def interrupted(record, holder):
        sign(record, holder)
        raise KeyboardInterrupt

    monkeypatch.setattr(SqliteStore, "_sign", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ScoreCache(tmp_path / "record", "a job") if kind is ScoreCache else OutputLog(tmp_path / "record", alone=True)
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {"record"}


def test_who_holds_a_record_is_not_asked_of_links(tmp_path):
    Path("secret").write_text("secret")
    with ScoreCache(Path(BOOK), "job"):
        holder = Path(BOOK + HOLDER)
        holder.unlink()
        holder.symlink_to(Path("secret").absolute())
        with pytest.raises(OutputError, match="another edgekit is writing there"):
            ScoreCache(Path(BOOK), "job")
    assert Path("secret").read_text() == "secret"
    holder.symlink_to(Path("secret").absolute())
    with ScoreCache(Path(BOOK), "job"):
        assert not holder.is_symlink()
    assert Path("secret").read_text() == "secret"


@pytest.mark.parametrize("seed", [0, 1, *on_full(2, 3, 4, 5)])
def test_killed_at_any_moment_a_book_claims_nothing_and_loses_next_to_nothing(seed):
    """The book has every row that was told of, and no row but those of files that were read."""
    code = (
        "import sys; from edgekit.batch.score_cache import ScoreCache, Row; from pathlib import Path\n"
        "with ScoreCache(Path(sys.argv[1]), 'job') as book:\n"
        "    for n in range(10**6):\n"
        "        book.store(Row(str(n), n, n, 1, 1, (n / 7,), 'ok', ''))\n"
        "        print(n, flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, BOOK], stdout=subprocess.PIPE, text=True)
    chance, told = random.Random(seed), -1
    for _ in range(chance.randrange(1, 400)):
        told = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    rest = process.communicate()[0].split()
    told = int(rest[-1]) if rest and rest[-1].isdigit() else told
    with ScoreCache(Path(BOOK), "job") as book:
        for n in range(told + 1):
            (row,) = book.reuse(str(n), n, n)
            assert row.values == (n / 7,)
        assert not book.reuse(str(told + 2), told + 2, told + 2)


def test_an_entry_is_refused_where_the_disk_is_full_and_the_others_stay(tmp_path):
    from hostile import mounted

    with mounted(tmp_path / "disk", "size=80k") as disk:
        with OutputLog(disk / NAME, alone=True) as journal:
            status, entered = Path("photo.png").stat(), 0

            def fill() -> None:
                nonlocal entered
                while True:
                    journal.add(disk / f"{entered}.png", status, Path("photo.png"), status, "job")
                    entered += 1

            with pytest.raises(OutputError, match="Is the disk full"):
                fill()
        subprocess.run(["mount", "-o", "remount,size=1m", disk], check=True)
        with OutputLog(disk / NAME, alone=True) as journal:
            assert entered > 100
            assert len(journal.outputs("job")) == entered
