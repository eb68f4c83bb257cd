"""Outputs appear whole or not at all: on a full disk, where none may be written, killed at any moment, among links."""

import os
import random
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from command_line import run
from hostile import mounted
from sampling import on_full

import edgekit as ek
from edgekit.batch.output_log import NAME
from edgekit.errors import OutputError
from edgekit.io.writing import (
    discard_draft,
    fit_name,
    open_atomic,
    open_draft_folder,
    publish_draft,
    write_atomic,
    write_draft,
)

pytestmark = pytest.mark.usefixtures("at_home")


def left(folder: str | Path) -> list[str]:
    """Return all there is that no run should leave: neither results nor the record."""
    return [p.name for p in Path(folder).rglob("*") if p.is_file() and not p.name.endswith((".png", ".sqlite", ".csv"))]


def photographs(count: int, side: int = 120) -> None:
    Path("many").mkdir()
    rng = np.random.default_rng(2)
    for n in range(count):
        ek.write_image(f"many/{n:02}.png", rng.integers(0, 256, (side, side), dtype=np.uint8))


def test_on_a_full_disk_each_result_is_whole_or_not_there(tmp_path):
    photographs(20)
    run("sobel", "many", "-o", "whole")
    with mounted(tmp_path / "disk", "size=160k") as disk:
        result = run("sobel", "many", "-o", str(disk / "edges"))
        assert result.exit_code == 1, result.output
        assert "No space left on device" in result.stderr
        made = sorted((disk / "edges").glob("*.png"))
        assert 3 < len(made) < 20
        assert all(p.read_bytes() == Path("whole", p.name).read_bytes() for p in made)
        assert left(disk) == []
        # With room again the rest is done, and what is there is not done again.
        subprocess.run(["mount", "-o", "remount,size=4m", disk], check=True)
        again = run("sobel", "many", "-o", str(disk / "edges"))
        assert again.exit_code == 0, again.output
        assert f"{20 - len(made)} done, {len(made)} up to date" in again.stderr


def test_scores_on_a_full_disk(tmp_path):
    photographs(3)
    for n in range(300):
        os.link("many/00.png", f"many/{'long' * 30}{n:03}.png")
    with mounted(tmp_path / "disk", "size=64k") as disk:
        result = run("score", "many", "-o", str(disk / "scores.csv"))
        assert result.exit_code == 2
        assert "Is the disk full" in result.stderr
        assert not (disk / "scores.csv").exists()
        assert left(disk) == []
        subprocess.run(["mount", "-o", "remount,size=4m", disk], check=True)
        assert run("score", "many", "-o", str(disk / "scores.csv")).exit_code == 0
        run("score", "many", "-o", "whole.csv")
        assert (disk / "scores.csv").read_bytes() == Path("whole.csv").read_bytes()


def test_in_a_folder_that_cannot_be_written_to(tmp_path):
    with mounted(tmp_path / "disk", "size=1m") as disk:
        (disk / "photo.png").write_bytes(Path("photo.png").read_bytes())
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        for arguments, status in (
            (("sobel", disk / "photo.png"), 1),
            (("sobel", "photo.png", "-o", f"{disk}/out/"), 2),
            (("score", "photo.png", "-o", disk / "scores.csv"), 2),
            (("score", "photo.png", "--report", disk / "review"), 2),
        ):
            result = run(*arguments)
            assert result.exit_code == status, result.output
            assert str(disk) in result.stderr
            assert "ead-only" in result.stderr
        assert [p.name for p in disk.iterdir()] == ["photo.png"]


@pytest.mark.parametrize("engine", [(), ("--timeout", "20")], ids=["threads", "processes"])
@pytest.mark.parametrize("seed", [0, *on_full(1, 2, 3, 4, 5)])
def test_killed_at_any_moment_nothing_is_half_written(seed, engine):
    photographs(24)
    run("sobel", "many", "-o", "whole")
    command = [sys.executable, "-m", "edgekit", "sobel", "many", "-o", "edges", "-j", "2", *engine]
    chance = random.Random(seed)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 30
    while not list(Path("edges").glob("*.png")) and process.poll() is None and time.monotonic() < until:
        time.sleep(0.001)
    time.sleep(chance.uniform(0, 0.05))
    process.send_signal(signal.SIGKILL)
    process.wait()
    made = {p: p.stat().st_mtime_ns for p in Path("edges").glob("*.png")}
    assert all(p.read_bytes() == Path("whole", p.name).read_bytes() for p in made)
    again = run("sobel", "many", "-o", "edges")
    assert again.exit_code == 0, again.output
    assert {p: p.stat().st_mtime_ns for p in made} == made
    assert [p.read_bytes() for p in sorted(Path("edges").glob("*.png"))] == [
        p.read_bytes() for p in sorted(Path("whole").glob("*.png"))
    ]
    assert set(left("edges")) <= {f"{NAME}-journal"}


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_permissions_follow_the_umask_whatever_was_left_there(umask):
    Path("edges").mkdir()
    for stale in (".photo.sobel.png.edgekit-part", "photo.sobel.png"):
        Path("edges", stale).write_bytes(b"x")
        Path("edges", stale).chmod(0o777)
    old = os.umask(umask)
    try:
        assert run("sobel", "photo.png", "-o", "edges/", "--force").exit_code == 0
    finally:
        os.umask(old)
    assert stat.S_IMODE(Path("edges/photo.sobel.png").stat().st_mode) == 0o666 & ~umask


def test_an_unfinished_file_that_is_a_link_is_not_written_through():
    Path("edges").mkdir()
    Path("precious").write_bytes(b"precious")
    for make in (Path.symlink_to, Path.hardlink_to):
        make(Path("edges/.photo.sobel.png.edgekit-part"), Path("precious").absolute())
        assert run("sobel", "photo.png", "-o", "edges/", "--force").exit_code == 0
        assert Path("precious").read_bytes() == b"precious"
        assert left("edges") == []


@pytest.mark.parametrize("target", ["../precious.png", "nothing.png"])
def test_an_output_that_is_a_link_is_replaced_only_by_force_and_never_followed(target):
    Path("edges").mkdir()
    Path("precious.png").write_bytes(b"precious")
    link = Path("edges/photo.sobel.png")
    link.symlink_to(target)
    refused = run("sobel", "photo.png", "-o", "edges/")
    assert refused.exit_code == 1
    assert "edgekit did not write" in refused.stderr
    assert link.is_symlink()
    assert run("sobel", "photo.png", "-o", "edges/", "--force").exit_code == 0
    assert not link.is_symlink()
    assert Path("precious.png").read_bytes() == b"precious"
    assert not Path("edges/nothing.png").exists()


def test_an_output_that_is_a_hard_link_leaves_the_other_name_alone():
    Path("edges").mkdir()
    before = Path("photo.png").read_bytes()
    Path("edges/photo.sobel.png").hardlink_to("photo.png")
    assert run("sobel", "photo.png", "-o", "edges/").exit_code == 1
    assert run("sobel", "photo.png", "-o", "edges/", "--force").exit_code == 0
    assert Path("photo.png").read_bytes() == before


@pytest.mark.parametrize(
    "arguments",
    [("sobel", "-o", "out"), ("score", "--map", "out"), ("pick", "-n", "2", "-o", "out")],
    ids=lambda a: a[0],
)
@pytest.mark.parametrize("force", [(), ("--force",)])
def test_a_folder_below_the_output_folder_that_leads_out_is_not_followed(tmp_path, arguments, force):
    Path("in/sub").mkdir(parents=True)
    for name in ("in/a.png", "in/sub/b.png"):
        Path(name).write_bytes(Path("photo.png").read_bytes())
    Path("out").mkdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    Path("out/sub").symlink_to(elsewhere)
    before = elsewhere.stat().st_mtime_ns
    command, *options = arguments
    result = run(command, "in", "-r", *options, *force)
    assert result.exit_code in (1, 2)
    assert f"a symbolic link leads out of the output folder, to {elsewhere}" in result.stderr
    # Nor was anything there for a moment.
    assert list(elsewhere.iterdir()) == []
    assert elsewhere.stat().st_mtime_ns == before


def test_links_that_the_user_names_or_that_stay_inside_are_followed(tmp_path):
    Path("in/sub").mkdir(parents=True)
    Path("in/sub/b.png").write_bytes(Path("photo.png").read_bytes())
    (tmp_path / "elsewhere/deep").mkdir(parents=True)
    Path("out").symlink_to(tmp_path / "elsewhere")
    Path("out/sub").symlink_to("deep")
    for said in ("1 done", "1 up to date"):
        result = run("sobel", "in", "photo.png", "-r", "-o", "out", "--include", "b*")
        assert result.exit_code == 0, result.output
        assert said in result.stderr or "2 " in result.stderr
    assert (tmp_path / "elsewhere/deep/b.sobel.png").exists()


def test_a_record_that_came_from_elsewhere_takes_nothing_away_outside():
    from edgekit.batch.output_log import PICKED, OutputLog

    Path("in").mkdir()
    for n in range(3):
        Path(f"in/{n}.png").write_bytes(Path("photo.png").read_bytes())
    precious = Path("precious.png").absolute()
    precious.write_bytes(b"precious")
    Path("out").mkdir()
    with OutputLog(Path("out", NAME)) as journal:
        for name in (precious, Path("out/../precious.png").absolute()):
            journal.add(name, precious.stat(), precious, precious.stat(), PICKED)
    assert run("pick", "in", "-n", "1", "-o", "out").exit_code == 0
    assert precious.exists()


def test_what_is_picked_never_takes_the_names_of_what_tells_of_it():
    Path("in").mkdir()
    Path("in/picked.json").write_bytes(Path("photo.png").read_bytes())
    result = run("pick", "in", "-n", "1", "-o", "out")
    assert result.exit_code == 2
    assert "edgekit itself uses this name here" in result.stderr
    Path("theirs").mkdir()
    Path("theirs/picked.json").write_text("precious")
    assert run("pick", "photo.png", "-n", "1", "-o", "theirs").exit_code == 2
    assert Path("theirs/picked.json").read_text() == "precious"


@pytest.fixture
def restless():
    """Threads take turns as often as they can."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("restless")
@pytest.mark.parametrize("_", range(8))
def test_of_some_that_write_one_file_at_a_time_none_appears_in_halves(_):
    path = Path("shared.bin")
    contents = [bytes([n]) * 300_000 for n in range(4)]
    failed: list[str] = []

    def write(data: bytes) -> None:
        for _ in range(40):
            try:
                write_atomic(data, path)
            except OutputError as error:
                failed.append(str(error))

    threads = [threading.Thread(target=write, args=(c,)) for c in contents]
    for thread in threads:
        thread.start()
    seen = set()
    while any(t.is_alive() for t in threads):
        if path.exists():
            seen.add(path.read_bytes())
    for thread in threads:
        thread.join()
    assert seen | {path.read_bytes()} <= set(contents)
    assert len(failed) < 160
    assert not list(Path().glob(".*part"))


def test_the_one_that_came_first_is_not_disturbed():
    with open_atomic(Path("a.bin")) as first:
        first.write(b"first")
        with pytest.raises(OutputError, match="something else is writing this very file"):
            write_atomic(b"second", Path("a.bin"))
    assert Path("a.bin").read_bytes() == b"first"
    assert not list(Path().glob(".*part"))


def test_a_draft_that_another_writes_anew_is_neither_published_nor_taken_away():
    first = write_draft(b"first", Path("a.bin"))
    with open_atomic(Path("a.bin")) as second:
        second.write(b"sec")
        with pytest.raises(OutputError, match="something else is writing this very file"):
            publish_draft(first)
        discard_draft(Path("a.bin"))
        assert not Path("a.bin").exists()
        second.write(b"ond")
    assert Path("a.bin").read_bytes() == b"second"


def test_a_file_that_another_has_just_begun_is_not_published():
    first = write_draft(b"first", Path("a.bin"))
    # Not locked yet.
    Path(".a.bin.edgekit-part").write_bytes(b"")
    with pytest.raises(OutputError, match="something else is writing this very file"):
        publish_draft(first)
    assert Path(".a.bin.edgekit-part").exists()
    assert not Path("a.bin").exists()


def test_a_folder_that_another_has_just_begun_is_not_published():
    with open_draft_folder(Path("a.zarr")) as (folder, first):
        (folder / "one").write_bytes(b"1")
    (folder / "one").unlink()
    with pytest.raises(OutputError, match="something else is writing this very file"):
        publish_draft(first)
    (folder / "one").write_bytes(b"1")
    publish_draft(first)
    assert Path("a.zarr/one").read_bytes() == b"1"


@pytest.mark.parametrize("taken", ["before it is there", "before it is locked"])
def test_of_two_that_begin_at_once_one_writes(taken, monkeypatch):
    """Let another come in at the worst moment."""
    opened = Path.open

    def open_late(path, mode="r"):
        monkeypatch.setattr(Path, "open", opened)
        if taken == "before it is there":
            path.write_bytes(b"other")
            return opened(path, mode)
        file = opened(path, mode)
        path.unlink()
        return file

    monkeypatch.setattr(Path, "open", open_late)
    with pytest.raises(OutputError, match="something else is writing this very file"):
        write_atomic(b"mine", Path("a.bin"))
    assert not Path("a.bin").exists()
    assert [p.read_bytes() for p in Path().glob(".*part")] == [b"other"][: taken == "before it is there"]


@pytest.mark.parametrize("stem", ["a" * 255, "写" * 85, os.fsdecode(b"\xff" * 255), "a" + "é" * 127])
def test_names_as_long_as_they_can_be(stem):
    Path("in").mkdir()
    for other in ("x", "y"):
        name = os.fsdecode(os.fsencode(stem)[:250]) + other
        Path("in", fit_name(name, ".png")[:255]).write_bytes(Path("photo.png").read_bytes())
    for arguments in (("sobel", "-o", "out"), ("score", "--map", "out")):
        result = run(arguments[0], "in", *arguments[1:])
        assert result.exit_code == 0, result.output
    made = [p.name for p in Path("out").glob("*.png")]
    assert len(made) == len(list(Path("in").iterdir())) * 2 == 4
    assert all(200 < len(os.fsencode(n)) <= 255 for n in made)
    assert run("sobel", "in", "-o", "out").stderr.startswith("edgekit: 2 up to date")


def test_a_name_is_cut_between_characters():
    name = fit_name("é" * 127, ".sobel.png")
    assert len(os.fsencode(name)) in (254, 255)
    assert name.encode("utf-8").decode("utf-8") == name
    assert fit_name("é" * 126 + "e", ".sobel.png") != fit_name("é" * 126 + "f", ".sobel.png")
