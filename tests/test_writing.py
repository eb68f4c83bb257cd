"""Outputs are complete or absent: full disks, read-only folders, killed runs, links, concurrent writers."""

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
    """Return the names of files other than results and databases."""
    return [p.name for p in Path(folder).rglob("*") if p.is_file() and not p.name.endswith((".png", ".sqlite", ".csv"))]


def photographs(count: int, side: int = 120) -> None:
    Path("many").mkdir()
    rng = np.random.default_rng(2)
    for n in range(count):
        ek.write_image(f"many/{n:02}.png", rng.integers(0, 256, (side, side), dtype=np.uint8))


def test_results_on_a_full_disk_are_complete_or_absent(tmp_path):
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
        # With more space, only the missing results are written.
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


def test_read_only_folders_are_reported(tmp_path):
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
def test_killed_runs_leave_no_partial_results(seed, engine):
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
def test_permissions_follow_the_umask(umask):
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


def test_draft_files_that_are_links_are_not_followed():
    Path("edges").mkdir()
    Path("precious").write_bytes(b"precious")
    for make in (Path.symlink_to, Path.hardlink_to):
        make(Path("edges/.photo.sobel.png.edgekit-part"), Path("precious").absolute())
        assert run("sobel", "photo.png", "-o", "edges/", "--force").exit_code == 0
        assert Path("precious").read_bytes() == b"precious"
        assert left("edges") == []


@pytest.mark.parametrize("target", ["../precious.png", "nothing.png"])
def test_symbolic_links_as_outputs_are_not_followed(target):
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


def test_hard_links_as_outputs_do_not_change_the_other_file():
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
def test_links_out_of_the_output_folder_are_not_followed(tmp_path, arguments, force):
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
    # No file was created there, not even a temporary one.
    assert list(elsewhere.iterdir()) == []
    assert elsewhere.stat().st_mtime_ns == before


def test_links_inside_the_output_folder_are_followed(tmp_path):
    Path("in/sub").mkdir(parents=True)
    Path("in/sub/b.png").write_bytes(Path("photo.png").read_bytes())
    (tmp_path / "elsewhere/deep").mkdir(parents=True)
    Path("out").symlink_to(tmp_path / "elsewhere")
    Path("out/sub").symlink_to("deep")
    for said in ("2 done", "2 up to date"):
        result = run("sobel", "in", "photo.png", "-r", "-o", "out", "--include", "b*")
        assert result.exit_code == 0, result.output
        assert said in result.stderr
    assert (tmp_path / "elsewhere/deep/b.sobel.png").exists()


def test_foreign_logs_delete_no_files_outside_the_folder():
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


def test_picked_images_do_not_replace_picked_json():
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
def fast_thread_switches():
    """Threads switch as often as possible."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("fast_thread_switches")
@pytest.mark.parametrize("_", range(8))
def test_concurrent_writes_are_never_partial(_):
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


def test_second_writer_of_a_file_is_refused():
    with open_atomic(Path("a.bin")) as first:
        first.write(b"first")
        with pytest.raises(OutputError, match="something else is writing this very file"):
            write_atomic(b"second", Path("a.bin"))
    assert Path("a.bin").read_bytes() == b"first"
    assert not list(Path().glob(".*part"))


def test_drafts_of_other_writers_are_not_published_or_deleted():
    first = write_draft(b"first", Path("a.bin"))
    with open_atomic(Path("a.bin")) as second:
        second.write(b"sec")
        with pytest.raises(OutputError, match="something else is writing this very file"):
            publish_draft(first)
        discard_draft(Path("a.bin"))
        assert not Path("a.bin").exists()
        second.write(b"ond")
    assert Path("a.bin").read_bytes() == b"second"


def test_draft_files_replaced_by_others_are_not_published():
    first = write_draft(b"first", Path("a.bin"))
    # Not locked yet.
    Path(".a.bin.edgekit-part").write_bytes(b"")
    with pytest.raises(OutputError, match="something else is writing this very file"):
        publish_draft(first)
    assert Path(".a.bin.edgekit-part").exists()
    assert not Path("a.bin").exists()


def test_draft_folders_changed_by_others_are_not_published():
    with open_draft_folder(Path("a.zarr")) as (folder, first):
        (folder / "one").write_bytes(b"1")
    (folder / "one").unlink()
    with pytest.raises(OutputError, match="something else is writing this very file"):
        publish_draft(first)
    (folder / "one").write_bytes(b"1")
    publish_draft(first)
    assert Path("a.zarr/one").read_bytes() == b"1"


@pytest.mark.parametrize("taken", ["before creation", "before locking"])
def test_writer_that_begins_at_the_same_time_is_refused(taken, monkeypatch):
    """Another writer begins at the worst moment."""
    opened = Path.open

    def open_late(path, mode="r"):
        monkeypatch.setattr(Path, "open", opened)
        if taken == "before creation":
            path.write_bytes(b"other")
            return opened(path, mode)
        file = opened(path, mode)
        path.unlink()
        return file

    monkeypatch.setattr(Path, "open", open_late)
    with pytest.raises(OutputError, match="something else is writing this very file"):
        write_atomic(b"mine", Path("a.bin"))
    assert not Path("a.bin").exists()
    assert [p.read_bytes() for p in Path().glob(".*part")] == [b"other"][: taken == "before creation"]


@pytest.mark.parametrize("stem", ["a" * 255, "写" * 85, os.fsdecode(b"\xff" * 255), "a" + "é" * 127])
def test_names_of_maximum_length(stem):
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


def test_names_are_shortened_between_characters():
    name = fit_name("é" * 127, ".sobel.png")
    assert len(os.fsencode(name)) in (254, 255)
    assert name.encode("utf-8").decode("utf-8") == name
    assert fit_name("é" * 126 + "e", ".sobel.png") != fit_name("é" * 126 + "f", ".sobel.png")
