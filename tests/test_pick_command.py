"""``edgekit pick``: the best frames of a clip, the best images of a folder."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from clips import RATE, blurred, write_clip
from command_line import run

import edgekit as ek
from edgekit.batch import scoring

pytestmark = pytest.mark.usefixtures("at_home")

#: Thirty frames; in each ten one is sharp, in the last ten none quite.
SHARP = {4: 1.0, 13: 0.9, 14: 0.95, 27: 0.6}
FRAMES = [SHARP.get(n, 0.2) for n in range(30)]


@pytest.fixture
def clip():
    return write_clip(Path("clip.mp4"), blurred(FRAMES), codec="libx264")


@pytest.fixture
def folder():
    Path("photos").mkdir()
    for n, picture in enumerate(blurred(FRAMES[:12])):
        ek.write_image(f"photos/shot{n}.png", picture)
    return Path("photos")


def picked(folder):
    return json.loads(Path(folder, "picked.json").read_text())


def files(folder):
    return sorted(p.name for p in Path(folder).iterdir() if not p.name.startswith("."))


def test_the_best_of_each_third(clip):
    result = run("pick", "clip.mp4", "-n", "3", "-o", "frames")
    assert result.exit_code == 0, result.stderr
    names = ["clip-00000.400s-000004.png", "clip-00001.400s-000014.png", "clip-00002.700s-000027.png"]
    assert result.stdout.splitlines() == [f"frames/{n}" for n in names]
    assert files("frames") == [*names, "picked.json"]
    said = picked("frames")
    assert (said["method"], said["of"]) == ("spread", 30)
    assert [p["frame"] for p in said["picked"]] == [4, 14, 27]
    assert [p["time"] for p in said["picked"]] == pytest.approx([0.4, 1.4, 2.7], abs=1e-3)
    assert said["picked"][1]["reason"].startswith("best of 10 from ")
    assert "3 picked, 30 scored" in result.stderr
    frame = ek.read_image("frames/clip-00001.400s-000014.png")
    assert frame.shape == (96, 128, 3)
    assert abs(frame[..., 0].astype(int) - blurred(FRAMES)[14]).mean() < 6


def test_no_two_are_nearer_than_the_gap(clip):
    run("pick", "clip.mp4", "-n", "30", "--min-gap", "0.45", "-o", "frames")
    times = [p["time"] for p in picked("frames")["picked"]]
    assert len(times) == 6
    assert min(np.diff(times)) >= 0.449


def test_windows_best_and_outliers(clip):
    run("pick", "clip.mp4", "--window", "1", "-o", "a")
    assert [p["frame"] for p in picked("a")["picked"]] == [4, 14, 27]
    run("pick", "clip.mp4", "--method", "best", "-n", "3", "-o", "b")
    assert [p["frame"] for p in picked("b")["picked"]] == [4, 13, 14]
    run("pick", "clip.mp4", "--method", "outliers", "-o", "c")
    assert set(SHARP) <= {p["frame"] for p in picked("c")["picked"]}


def test_some_frames_of_the_clip(clip):
    run("pick", "clip.mp4", "-n", "3", "--every", "2", "-o", "a")
    assert picked("a")["of"] == 15
    run("pick", "clip.mp4", "-n", "3", "--fps", "5", "-o", "b", "--format", "jpg")
    assert picked("b")["of"] == 15
    assert all(Path(p["output"]).suffix == ".jpg" for p in picked("b")["picked"])


def test_a_folder_in_the_order_people_count(folder):
    Path("photos/clip.mp4").write_bytes(b"\x00\x00\x00\x20ftypisom")
    result = run("pick", "photos", "-n", "2", "-o", "best")
    assert result.exit_code == 0, result.stderr
    assert "2 picked, 12 scored, 1 skipped" in result.stderr
    first, second = (Path(p["output"]).name for p in picked("best")["picked"])
    # Of the second half, 6 to 11, none is sharp, and one is there all the same.
    assert (first, second in {f"shot{n}.png" for n in range(6, 12)}) == ("shot4.png", True)
    assert files("best") == sorted(["picked.json", first, second])
    assert Path("best/shot4.png").read_bytes() == Path("photos/shot4.png").read_bytes()
    run("pick", "photos", "--method", "windows", "--window", "3", "-o", "each")
    assert len(picked("each")["picked"]) == 4


def test_a_second_pick_takes_the_scores_up_and_clears_what_it_does_not_want(clip, monkeypatch):
    run("pick", "clip.mp4", "-n", "3", "-o", "frames")
    kept = {p: p.stat().st_mtime_ns for p in Path("frames").glob("*.png")}
    Path("frames/mine.png").write_bytes(b"mine")
    monkeypatch.setattr(scoring, "_score_frame", None)  # Nothing is measured again.
    result = run("pick", "clip.mp4", "-n", "1", "-o", "frames")
    assert result.exit_code == 0, result.stderr
    assert files("frames") == ["clip-00000.400s-000004.png", "mine.png", "picked.json"]
    path = Path("frames/clip-00000.400s-000004.png")
    assert path.stat().st_mtime_ns == kept[path]


def test_what_edgekit_did_not_write_stays(clip):
    Path("frames").mkdir()
    Path("frames/clip-00000.400s-000004.png").write_bytes(b"mine")
    result = run("pick", "clip.mp4", "-n", "1", "-o", "frames")
    assert result.exit_code == 2
    assert "did not write" in result.stderr
    assert Path("frames/clip-00000.400s-000004.png").read_bytes() == b"mine"
    assert run("pick", "clip.mp4", "-n", "1", "-o", "frames", "--force").exit_code == 0


def test_images_are_not_written_over_themselves(folder):
    result = run("pick", "photos/shot1.png", "photos/shot2.png", "-n", "1", "-o", "photos")
    assert result.exit_code == 2
    assert "would replace itself" in result.stderr


def test_a_damaged_clip_gives_what_it_has_and_a_reason(clip):
    path = write_clip(Path("long.mp4"), blurred([0.5] * 40, (240, 320)))
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 4000] = bytes(4000)
    path.write_bytes(data)
    result = run("pick", "long.mp4", "-n", "4", "-o", "frames")
    assert result.exit_code == 1
    assert "long.mp4: damaged after frame" in result.stderr
    assert len(result.stdout.splitlines()) == 4


def test_a_broken_image_costs_itself(folder):
    Path("photos/shot3.png").write_bytes(b"broken")
    result = run("pick", "photos", "-n", "2", "-o", "best", "--json")
    assert result.exit_code == 1
    assert "photos/shot3.png" in result.stderr
    assert json.loads(result.stdout.splitlines()[0])["output"] == "best/shot4.png"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["clip.mp4", "-o", "x"], "-n"),
        (["clip.mp4", "-n", "2"], "-o"),
        (["clip.mp4", "clip.mp4", "photo.png", "-n", "2", "-o", "x"], "one video"),
        (["clip.mp4", "-n", "2", "--window", "3", "-o", "x"], "does not take count"),
        (["clip.mp4", "-n", "2", "--min-gap", "-3", "-o", "x"], "min_gap=-3"),
        (["clip.mp4", "-n", "2", "--measure", "nice", "-o", "x"], "nice"),
        (["none.mp4", "-n", "2", "-o", "x"], "none.mp4"),
    ],
)
def test_wrong_usage(clip, arguments, said):
    result = run("pick", *arguments)
    assert result.exit_code in (1, 2)
    assert said in result.stderr


def test_a_killed_pick_is_taken_up(clip):
    killed = textwrap.dedent("""
        import os, signal
        from edgekit.batch import score_cache
        from edgekit.cli import main
        keep, count = score_cache.ScoreCache.store, [0]
        def counted(self, row):
            keep(self, row)
            count[0] += 1
            if count[0] == 12:
                os.kill(os.getpid(), signal.SIGKILL)
        score_cache.ScoreCache.store = counted
        main(["pick", "clip.mp4", "-n", "3", "-o", "frames", "-j", "2"])
    """)
    assert subprocess.run([sys.executable, "-c", killed], env=os.environ).returncode == -signal.SIGKILL
    again = killed.replace("if count[0] == 12:", "if count[0] > 18:")
    ran = subprocess.run([sys.executable, "-c", again], env=os.environ, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert [p["frame"] for p in picked("frames")["picked"]] == [4, 14, 27]
    assert RATE == 10


def test_what_finds_nothing_leaves_an_earlier_pick_alone(clip):
    run("pick", "clip.mp4", "-n", "3", "-o", "frames")
    before = files("frames")
    Path("empty").mkdir()
    Path("bad.mp4").write_bytes(b"\x00\x00\x00\x20ftypisom" + bytes(99))
    for source in ("frames", "empty", "bad.mp4"):
        result = run("pick", source, "-n", "2", "-o", "frames")
        assert result.exit_code != 0
        assert result.stderr
        assert files("frames") == before


def test_two_of_one_name_are_refused(folder):
    for name in ("a", "b"):
        Path(name).mkdir()
        Path(name, "same.png").write_bytes(Path("photos/shot4.png").read_bytes())
    result = run("pick", "a/same.png", "b/same.png", "-n", "2", "-o", "best")
    assert result.exit_code == 2
    assert "same.png: two picked images" in result.stderr


def test_what_a_killed_pick_left_is_cleared(clip):
    killed = textwrap.dedent("""
        import os, signal
        from edgekit.batch import picking
        from edgekit.cli import main
        write, count = picking.write_atomic, [0]
        def counted(*arguments):
            write(*arguments)
            count[0] += 1
            if count[0] == 5:
                os.kill(os.getpid(), signal.SIGKILL)
        picking.write_atomic = counted
        main(["pick", "clip.mp4", "-n", "9", "-o", "frames"])
    """)
    assert subprocess.run([sys.executable, "-c", killed], env=os.environ).returncode == -signal.SIGKILL
    assert len(files("frames")) == 5
    assert run("pick", "clip.mp4", "-n", "1", "-o", str(Path("frames").absolute())).exit_code == 0
    assert files("frames") == ["clip-00000.400s-000004.png", "picked.json"]
