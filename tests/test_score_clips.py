"""``edgekit score`` of clips: one row for each frame."""

import csv
import json
from pathlib import Path

import pytest
from clips import blurred, write_clip
from command_line import run

import edgekit as ek
from edgekit.batch import scoring
from edgekit.io.video import read_frames

pytestmark = pytest.mark.usefixtures("at_home")

SHARPNESS = [0.1 * n for n in range(11)]


@pytest.fixture
def clip():
    return write_clip(Path("clip.mp4"), blurred(SHARPNESS), codec="libx264")


def rows(path):
    with Path(path).open() as file:
        return list(csv.DictReader(file))


def test_each_frame_has_a_row(clip):
    result = run("score", "clip.mp4", "-o", "scores.csv", "--measure", "score", "--measure", "tenengrad")
    assert result.exit_code == 0, result.stderr
    found = rows("scores.csv")
    assert list(found[0])[:4] == ["path", "page", "frame", "time"]
    assert [int(r["frame"]) for r in found] == list(range(11))
    for row, frame in zip(found, read_frames(clip), strict=True):
        assert float(row["time"]) == pytest.approx(frame.time)
        assert float(row["score"]) == ek.score(frame.image)
        assert float(row["tenengrad"]) == ek.sharpness(frame.image, "tenengrad")
        assert (row["width"], row["height"], row["status"]) == ("128", "96", "ok")


def test_every_and_fps_options(clip):
    run("score", "clip.mp4", "--every", "5", "-o", "a.csv")
    assert [r["frame"] for r in rows("a.csv")] == ["0", "5", "10"]
    run("score", "clip.mp4", "--fps", "2", "-o", "b.csv")
    assert [r["frame"] for r in rows("b.csv")] == ["0", "5", "10"]


def test_folder_with_clips_and_images(clip):
    Path("mixed").mkdir()
    clip.rename("mixed/clip.mp4")
    Path("photo.png").rename("mixed/photo.png")
    Path("mixed/notes.txt").write_text("hello")
    result = run("score", "mixed", "-o", "scores.jsonl")
    found = [json.loads(line) for line in Path("scores.jsonl").read_text().splitlines()]
    assert [(r["path"], r["frame"]) for r in found] == [
        *(("mixed/clip.mp4", n) for n in range(11)), ("mixed/photo.png", None)
    ]  # fmt: skip
    assert "12 scored" in result.stderr
    assert "1 skipped" in result.stderr
    # A run of images alone has no columns for frames.
    run("score", "mixed/photo.png", "-o", "image.csv")
    assert "frame" not in rows("image.csv")[0]


def test_printed_table_shows_frame_and_time(clip):
    printed = run("score", "clip.mp4", "--top", "1").stdout.splitlines()
    assert printed[1].endswith("clip.mp4 10 (1.000 s)")


def test_frames_are_measured_once(clip, monkeypatch):
    run("score", "clip.mp4", "-o", "scores.csv")
    before = Path("scores.csv").read_text()
    with monkeypatch.context() as patch:
        patch.setattr(scoring, "read_frames", None)  # A finished clip is not decoded.
        assert run("score", "clip.mp4", "-o", "scores.csv").exit_code == 0
    assert Path("scores.csv").read_text() == before
    # Other options select other frames.
    run("score", "clip.mp4", "-o", "scores.csv", "--every", "5")
    assert len(rows("scores.csv")) == 3


def test_stopped_runs_keep_measured_frames(clip, monkeypatch):
    measured = []
    original = scoring._score_frame

    def stopping(frame, **rest):
        if getattr(frame, "number", 0) == 6 and not measured:
            measured.append(frame.number)
            raise KeyboardInterrupt
        return original(frame, **rest)

    monkeypatch.setattr(scoring, "_score_frame", stopping)
    assert run("score", "clip.mp4", "-o", "scores.csv", "-j", "1").exit_code == 130

    def counting(frame, **rest):
        measured.append(frame.number)
        return original(frame, **rest)

    monkeypatch.setattr(scoring, "_score_frame", counting)
    assert run("score", "clip.mp4", "-o", "scores.csv", "-j", "1").exit_code == 0
    assert measured == [6, 6, 7, 8, 9, 10]
    assert len(rows("scores.csv")) == 11


def test_damaged_clips_give_frames_and_a_reason():
    path = write_clip(Path("long.mp4"), blurred([0.5] * 40, (240, 320)))
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 4000] = bytes(4000)
    path.write_bytes(data)
    result = run("score", "long.mp4", "-o", "scores.csv")
    assert result.exit_code == 1
    assert "long.mp4: damaged after frame" in result.stderr
    failed = [r for r in rows("scores.csv") if r["status"] == "failed"]
    assert len(failed) == 1
    assert failed[0]["frame"] == ""
    assert "frames could be read" in failed[0]["reason"]
    assert 20 <= len(rows("scores.csv")) - 1 < 40


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (["--every", "0"], 2, "'--every': 0 is not in the range"),
        (["--fps", "0"], 2, "'--fps': 0.0 is not in the range"),
        (["--map", "maps"], 1, "--map needs images; pick frames of the video"),
    ],
)
def test_wrong_usage(clip, options, status, message):
    result = run("score", "clip.mp4", "-o", "scores.csv", *options)
    assert result.exit_code == status
    assert message in result.stderr


def test_stopped_run_with_other_options_loses_no_rows(clip, monkeypatch):
    run("score", "clip.mp4", "-o", "scores.csv")
    before = Path("scores.csv").read_text()
    original = scoring._score_frame

    def stopping(frame, **rest):
        if getattr(frame, "number", 0) == 6:
            raise KeyboardInterrupt
        return original(frame, **rest)

    with monkeypatch.context() as patch:
        patch.setattr(scoring, "_score_frame", stopping)
        assert run("score", "clip.mp4", "-o", "scores.csv", "--every", "2", "-j", "1").exit_code == 130
    assert run("score", "clip.mp4", "-o", "scores.csv").exit_code == 0
    assert Path("scores.csv").read_text() == before
