"""Rows of resumed runs equal those of uninterrupted runs."""

import csv
import json
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from clips import blurred, write_clip
from command_line import run

import edgekit as ek
from edgekit.batch.output_log import NAME

KEEP = ("--truncated", "keep")


@pytest.fixture(autouse=True)
def photos(at_home):
    """Images of several types; one is constant, one is truncated, one is not an image."""
    Path("photos").mkdir()
    rng = np.random.default_rng(9)
    ek.write_image("photos/a.png", np.kron(np.eye(10, dtype=np.uint8) * 255, np.ones((4, 5), np.uint8)))
    ek.write_image("photos/b.tif", rng.integers(0, 65536, (30, 70), dtype=np.uint16))
    ek.write_image("photos/c.png", np.full((20, 30), 7, np.uint8))
    ek.write_image("photos/d.jpg", rng.integers(0, 256, (64, 80, 3), dtype=np.uint8))
    data = Path("photos/d.jpg").read_bytes()
    Path("photos/e.jpg").write_bytes(data[: len(data) // 2])
    Path("photos/f.png").write_bytes(b"no image")


def table(path):
    with Path(path).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def filtered(*more):
    return run("sobel", "photos", *KEEP, "-o", "edges", "--rows", "rows.csv", *more)


@pytest.mark.parametrize(("first", "current"), [("[ae]*", 2), ("[a-e]*", 5), ("*", 5)])
def test_resumed_filter_rows(first, current):
    whole = filtered()
    expected = table("rows.csv")
    assert [(row["width"], row["height"]) for row in expected] == [
        ("50", "40"), ("70", "30"), ("30", "20"), ("80", "64"), ("80", "64"), ("", ""),
    ]  # fmt: skip
    assert int(expected[0]["clipped"]) > 0
    assert "truncated" in expected[4]["reason"]
    shutil.rmtree("edges")
    Path("rows.csv").unlink()
    assert filtered("--include", first).exit_code == (first == "*")
    resumed = filtered("--json")
    rows = table("rows.csv")
    assert [row["status"] for row in rows].count("current") == current
    assert [{**row, "status": ""} for row in rows] == [{**row, "status": ""} for row in expected]
    # The printed rows are equal, and the note is printed again.
    for line, row in zip(map(json.loads, resumed.stdout.splitlines()), rows, strict=True):
        assert {name: str(value) for name, value in line.items()} == {n: v for n, v in row.items() if v}
    note = next(line for line in whole.stderr.splitlines() if "photos/e.jpg" in line)
    assert note in resumed.stderr


def test_rows_of_results_in_a_version_1_log():
    """They have no sizes; --force adds them."""
    filtered()
    expected = table("rows.csv")
    with sqlite3.connect(Path("edges", NAME)) as db:
        db.execute("ALTER TABLE written DROP COLUMN details")
        db.execute("PRAGMA user_version = 1")
    before = Path("edges/a.sobel.png").stat()
    assert filtered().exit_code == 1
    row = table("rows.csv")[0]
    assert (row["status"], row["width"], row["height"], row["clipped"]) == ("current", "", "", "")
    assert Path("edges/a.sobel.png").stat() == before
    filtered("--force")
    assert table("rows.csv") == expected
    filtered()
    assert table("rows.csv")[0] == {**expected[0], "status": "current"}


@pytest.mark.parametrize("details", ['{"width": "=1+2", "height": [1], "reason": 5, "x": 1}', "[1]", "{", "5", b"\xff"])
def test_invalid_details_in_the_log_are_ignored(details):
    filtered()
    with sqlite3.connect(Path("edges", NAME)) as db:
        db.execute("UPDATE written SET details = ?", (details,))
    filtered()
    row = table("rows.csv")[0]
    assert (row["status"], row["width"], row["height"], row["clipped"], row["reason"]) == ("current", "", "", "", "")


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_resumed_score_rows(form):
    write_clip(Path("photos/g.mp4"), blurred([0.2, 0.9, 0.4]))
    Path("photos/h.mp4").write_bytes(Path("photos/g.mp4").read_bytes()[:-200])
    command = ("score", "photos", *KEEP, "--measure", "score", "--measure", "brenner", "-o", f"scores.{form}")
    assert run(*command).exit_code == 1
    expected = Path(f"scores.{form}").read_bytes()
    assert all(status in expected for status in (b"ok", b"undefined", b"truncated", b"failed"))
    for first in (("--include", "[ce]*"), ("--exclude", "[abd]*"), ()):
        for file in (f"scores.{form}", f".scores.{form}.edgekit.sqlite"):
            Path(file).unlink()
        run(*command, *first)
        run(*command)
        assert Path(f"scores.{form}").read_bytes() == expected


def test_resumed_picked_images():
    command = ("pick", "photos", *KEEP, "--method", "outliers", "-o", "best")
    run(*command)
    expected = Path("best/picked.json").read_bytes()
    assert b"a.png" in expected
    Path("best/picked.json").unlink()
    Path("best/a.png").unlink()
    run(*command)
    assert Path("best/picked.json").read_bytes() == expected


def test_resumed_picked_frames():
    write_clip(Path("clip.mp4"), blurred([0.2, 0.9, 0.4, 0.3, 0.8, 0.1]))
    command = ("pick", "clip.mp4", "-n", "2", "-o", "best")
    run(*command)
    expected = Path("best/picked.json").read_bytes()
    Path("best/picked.json").unlink()
    next(Path("best").glob("clip-*.png")).unlink()
    run(*command)
    assert Path("best/picked.json").read_bytes() == expected
