"""Runs over folders leave out the results of earlier runs, and count them."""

import json
import os
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from command_line import run

import edgekit as ek
from edgekit.batch.output_log import NAME, OutputLog
from edgekit.batch.state_paths import user_log


@pytest.fixture(autouse=True)
def photos(at_home):
    """Three photographs, one of them a folder deeper."""
    rng = np.random.default_rng(5)
    for name in ("photos/a.png", "photos/b.png", "photos/sub/c.png"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        blocks = rng.integers(20, 235, (8, 8), dtype=np.uint8)
        ek.write_image(name, np.kron(blocks, np.ones((32, 32), np.uint8)))


def scored(*arguments):
    """Return the names of the scored files, and the messages."""
    result = run("score", *arguments, "--json")
    assert result.exit_code == 0, result.output
    return sorted(Path(json.loads(line)["path"]).name for line in result.stdout.splitlines()), result.stderr


@pytest.mark.parametrize("options", [(), ("--depth", "float"), ("--format", "npy"), ("--format", "jpg")])
def test_results_beside_their_photograph_are_left_out(options):
    assert run("sobel", "photos/a.png", *options).exit_code == 0
    assert len(list(Path("photos").glob("a.sobel.*"))) == 1
    names, said = scored("photos")
    assert names == ["a.png", "b.png"]
    assert "2 scored, 1 result of earlier runs left out in " in said


def test_filters_leave_results_out():
    run("canny", "photos/a.png")
    run("detect", "photos/a.png", "photos/b.png")
    for command in ("sobel", "canny"):
        result = run(command, "photos", "-o", "out")
        assert "2 done, 3 results of earlier runs left out in " in result.stderr
    assert sorted(p.name for p in Path("out").glob("*.png")) == [
        "a.canny.png", "a.sobel.png", "b.canny.png", "b.sobel.png",
    ]  # fmt: skip


def test_pick_and_focus_leave_results_out():
    run("sobel", "photos/a.png")
    assert "1 picked, 2 scored, 1 result of earlier runs left out in " in run("pick", "photos", "-n1", "-o", "p").stderr
    result = run("focus", "photos")
    assert "edgekit: 1 result of earlier runs left out\n" in result.stderr
    assert "a.sobel.png" not in result.stdout


def test_other_files_are_counted_separately():
    run("sobel", "photos/a.png")
    Path("photos/notes.txt").write_text("hello")
    assert "2 scored, 1 skipped (not images), 1 result of earlier runs left out in " in scored("photos")[1]


def test_output_folder_inside_the_input_folder():
    run("sobel", "photos", "-r", "-o", "photos/edges")
    names, said = scored("photos", "-r")
    assert names == ["a.png", "b.png", "c.png"]
    assert "3 results of earlier runs left out" in said
    Path("photos/edges/sub/new.png").write_bytes(Path("photos/a.png").read_bytes())
    # The log is in the parent folder.
    assert scored("photos/edges/sub")[0] == ["new.png"]


@pytest.mark.parametrize("written", ["photos", "link", "photos/../photos", "photos/sub/.."])
@pytest.mark.parametrize("walked", ["photos", "link", "photos/../photos"])
def test_results_are_recognized_by_other_paths_of_the_folder(written, walked):
    Path("link").symlink_to("photos")
    run("sobel", f"{written}/a.png")
    assert scored(walked)[0] == ["a.png", "b.png"]
    # The existing file is recognized as a result by this path too.
    assert run("sobel", f"{walked}/a.png").exit_code == 0


def test_results_given_by_name_are_scored():
    run("sobel", "photos/a.png")
    assert scored("photos/a.sobel.png", "photos/b.png")[0] == ["a.sobel.png", "b.png"]


def test_folders_with_only_results_are_scored():
    run("sobel", "photos", "-r", "-o", "edges")
    names, said = scored("edges", "-r")
    assert names == ["a.sobel.png", "b.sobel.png", "c.sobel.png"]
    assert "left out" not in said
    run("sobel", "photos/a.png")
    assert scored("photos/*.sobel.png")[0] == ["a.sobel.png"]
    assert scored("photos", "--include", "*.sobel.png")[0] == ["a.sobel.png"]
    # Each given folder is handled separately.
    assert scored("photos", "edges")[0] == ["a.png", "a.sobel.png", "b.png", "b.sobel.png"]


def test_other_files_beside_scored_results_are_counted_once():
    run("sobel", "photos", "-o", "edges")
    Path("edges/notes.txt").write_text("hello")
    assert "2 scored, 1 skipped (not images) in " in scored("edges")[1]


def test_results_in_the_output_folder_are_not_filtered_again():
    run("sobel", "photos", "-o", "photos")
    for name in ("photos/a.png", "photos/b.png"):
        Path(name).unlink()
    result = run("sobel", "photos", "-o", "photos")
    assert "2 results of earlier runs left out" in result.stderr
    assert not list(Path("photos").glob("*.sobel.sobel.png"))
    # The run itself holds the log, which gives no warning.
    assert "treated as images" not in result.stderr
    # In a folder with only results, those of other runs are filtered.
    ek.write_image("other.png", np.eye(60, dtype=np.uint8))
    run("sobel", "other.png", "-o", "photos/other.jpg")
    Path("photos", NAME).rename("kept.sqlite")
    run("gaussian", "other.png", "-o", "photos/blurred.png")
    Path("kept.sqlite").rename(Path("photos", NAME))
    again = run("sobel", "photos", "-o", "photos")
    assert again.stdout == "photos/blurred.sobel.png\n"
    assert "3 results of earlier runs left out" in again.stderr


def test_picked_photographs_are_scored():
    run("pick", "photos", "-n", "2", "-o", "best")
    run("sobel", "best/a.png", "-o", "best/edges.png")
    names, said = scored("best")
    assert names == ["a.png", "b.png"]
    assert "1 result of earlier runs left out" in said


def test_copied_photographs_and_replaced_results_are_scored():
    run("sobel", "photos/a.png")
    shutil.copy2("photos/b.png", "photos/copy.png")
    Path("photos/a.png").rename("photos/moved.png")
    # A result is replaced by another image.
    shutil.copy("photos/b.png", "photos/a.sobel.png")
    assert scored("photos")[0] == ["a.sobel.png", "b.png", "copy.png", "moved.png"]


def test_results_in_a_moved_output_folder_are_left_out():
    run("sobel", "photos", "-o", "edges")
    Path("edges").rename("elsewhere")
    shutil.copy("photos/a.png", "elsewhere/photo.png")
    assert scored("elsewhere")[0] == ["photo.png"]


def test_maps_and_report_images_are_left_out():
    pytest.importorskip("jinja2")
    run("score", "photos", "--map", "photos/maps", "--report", "photos/review")
    names, said = scored("photos", "-r")
    assert names == ["a.png", "b.png", "c.png"]
    assert "6 results of earlier runs left out" in said
    assert run("sobel", "photos", "-r", "-o", "out").stderr.count("3 done, 1 skipped (not images), 6 results") == 1


def test_focus_plots_are_left_out():
    pytest.importorskip("matplotlib")
    run("focus", "photos", "--plot", "photos/plot.png")
    assert Path("photos/plot.png").exists()
    assert scored("photos")[0] == ["a.png", "b.png"]


def write_results() -> None:
    """Write results beside photographs; only the log of the folder lists them."""
    run("sobel", "photos", "-o", "photos")


def check_that_results_are_scored(because: str) -> None:
    names, said = scored("photos")
    assert names == ["a.png", "a.sobel.png", "b.png", "b.sobel.png"]
    assert f"edgekit: photos/{NAME}: " in said.replace(f"{Path.cwd()}/", "")
    assert because in said
    assert "readonly" not in said
    assert said.count("Results listed only in this log are treated as images") == 1
    assert "treated as images" not in run("score", "photos", "-q").stderr


def test_logs_locked_by_another_run_are_ignored():
    write_results()
    with OutputLog(Path("photos", NAME), alone=True):
        check_that_results_are_scored(f"another edgekit (process {os.getpid()} on ")
    assert scored("photos")[0] == ["a.png", "b.png"]


@pytest.mark.parametrize("content", [b"my notes, long enough to look at\n" * 200, b""], ids=["text", "empty"])
def test_damaged_logs_are_ignored(content):
    write_results()
    Path("photos", NAME).write_bytes(content)
    check_that_results_are_scored("output log of edgekit")
    assert Path("photos", NAME).read_bytes() == content


def test_partly_damaged_logs_are_ignored():
    write_results()
    record = Path("photos", NAME)
    data = record.read_bytes()
    record.write_bytes(data[:4096] + bytes(len(data) - 4096))
    check_that_results_are_scored("cannot be read: ")


def test_logs_that_are_links_or_pipes_are_not_opened():
    write_results()
    record = Path("photos", NAME)
    record.rename("elsewhere.sqlite")
    record.symlink_to(Path("elsewhere.sqlite").absolute())
    check_that_results_are_scored("found a symbolic link")
    record.unlink()
    os.mkfifo(record)
    check_that_results_are_scored("found no regular file")


def test_logs_of_later_versions_are_ignored():
    write_results()
    with sqlite3.connect(Path("photos", NAME)) as db:
        db.execute("PRAGMA user_version = 99")
    check_that_results_are_scored("found version 99")


def test_logs_are_not_modified_by_readers():
    """The folder is read-only, and its log has the tables of an earlier version."""
    write_results()
    record = Path("photos", NAME)
    with sqlite3.connect(record) as db:
        db.execute("ALTER TABLE written DROP COLUMN details")
        db.execute("PRAGMA user_version = 1")
    before = record.read_bytes()
    record.chmod(0o444)
    Path("photos").chmod(0o555)
    try:
        assert scored("photos")[0] == ["a.png", "b.png"]
    finally:
        Path("photos").chmod(0o755)
    assert record.read_bytes() == before
    assert sorted(p.name for p in Path("photos").iterdir() if p.name.startswith(".")) == [NAME]


def test_user_log_is_not_locked_during_a_run():
    """Another process writes a single result meanwhile."""
    from edgekit.batch.sources import find
    from edgekit.cli.state_paths import open_results

    run("sobel", "photos/a.png")
    with open_results(quiet=False) as results:
        found = find(["photos"], print, results=results)
        next(found)
        with OutputLog(user_log(), alone=True) as journal:
            journal.add(Path("x.png"), Path("photo.png").stat(), Path("photo.png"), Path("photo.png").stat(), "job")
        assert len(list(found)) == 1
        assert results.left_out == 1
