"""`edgekit score` on the command line: rows, thresholds, resumed runs."""

import csv
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from sampling import on_full

import edgekit as ek
from edgekit.batch.score_cache import ScoreCache
from edgekit.cli import main


@pytest.fixture(autouse=True)
def photos(tmp_path, monkeypatch):
    """Eight images in an empty folder; the first four are sharp, the others blurred."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(4)
    Path("photos").mkdir()
    for n in range(8):
        blocks = rng.integers(30, 220, (16, 20)).astype(np.uint8)
        picture = cv2.resize(blocks, (320, 256), interpolation=cv2.INTER_NEAREST)
        ek.write_image(f"photos/{n}.png", cv2.GaussianBlur(picture, (0, 0), 4) if n >= 4 else picture)
    return tmp_path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["score", *map(str, arguments)])


def table(path: str) -> list[dict[str, str]]:
    with Path(path).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_rows_of_a_folder():
    result = run("photos", "-o", "scores.csv")
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    rows = table("scores.csv")
    columns = "path page bytes mtime width height score blur_px blur_direction confidence blurred status reason scorer"
    assert list(rows[0]) == columns.split()
    assert [r["path"] for r in rows] == [f"photos/{n}.png" for n in range(8)]
    assert [r["blurred"] for r in rows] == ["false"] * 4 + ["true"] * 4
    for row in rows:
        status = Path(row["path"]).stat()
        assert int(row["bytes"]) == status.st_size
        assert float(row["mtime"]) == pytest.approx(status.st_mtime)
        assert (row["width"], row["height"], row["status"], row["reason"]) == ("320", "256", "ok", "")
        assert float(row["score"]) == ek.score(ek.read_image(row["path"]))
        assert float(row["blur_px"]) == ek.blur_width(ek.read_image(row["path"])).width
        assert float(row["blur_px"]) == pytest.approx(4 if row["blurred"] == "true" else 0.4, rel=0.25)
        assert row["blur_direction"] == ""
        assert 0.5 < float(row["confidence"]) <= 1


def test_table_sorted_by_score_is_printed():
    lines = run("photos").stdout.splitlines()
    values = [float(line.split()[0]) for line in lines[1:]]
    assert lines[0].split() == ["score", "blur_px", "blur_direction", "confidence", "path"]
    assert len(values) == 8
    assert values == sorted(values, reverse=True)
    assert [("blurred" in line) for line in lines[1:]] == [False] * 4 + [True] * 4


def test_laplacian_variance_equals_cv2():
    run("photos", "-o", "s.jsonl", "--measure", "laplacian_variance", "--measure", "score")
    for row in map(json.loads, Path("s.jsonl").read_text().splitlines()):
        gray = cv2.imread(row["path"], cv2.IMREAD_GRAYSCALE)
        assert row["laplacian_variance"] == pytest.approx(cv2.Laplacian(gray, cv2.CV_64F).var(), rel=1e-9)
        assert row["blurred"] is None
        assert 0 <= row["score"] < 1


@pytest.mark.parametrize(("option", "order"), [("--top", True), ("--bottom", False)])
def test_top_and_bottom_options(option, order):
    lines = run("photos", option, 3, "-o", "scores.csv").stdout.splitlines()[1:]
    values = sorted((float(r["score"]) for r in table("scores.csv")), reverse=order)
    assert [float(line.split()[0]) for line in lines] == pytest.approx(values[:3], rel=1e-3)
    assert len(table("scores.csv")) == 8


def test_threshold_option():
    def blurred() -> int:
        return sum(r["blurred"] == "true" for r in table("scores.csv"))

    result = run("photos", "-o", "scores.csv", "--threshold", "auto")
    assert "found between 4 blurred and 4 sharp" in result.stderr
    assert blurred() == 4
    run("photos", "-o", "scores.csv", "--threshold", "1e-9")
    assert blurred() == 0
    assert "half the median" in run("photos", "-o", "scores.csv", "--threshold", "relative").stderr
    one = run("photos", "--include", "[0-3]*", "--include", "x", "--threshold", "auto")
    assert "too few" in one.stderr
    assert run("photos", "--threshold", "much").exit_code == 2


def test_at_option():
    """A blur of two pixels in 4000 is not visible at viewing size."""
    blocks = np.random.default_rng(4).integers(30, 220, (50, 80)).astype(np.uint8)
    image = cv2.GaussianBlur(cv2.resize(blocks, (4000, 2500), interpolation=cv2.INTER_NEAREST), (0, 0), 2)
    ek.write_image("photos/large.jpg", image)
    rows = [json.loads(run("photos/large.jpg", "--json", *at).stdout) for at in ((), ("--at", "full"))]
    assert rows[0]["score"] > 0.8
    assert rows[1]["score"] < 0.1
    assert rows[1]["blur_px"] == pytest.approx(2, rel=0.2)
    assert run("photos/large.jpg", "--at", "half").exit_code == 2
    # A region is reduced by the same factor as the whole image.
    part = json.loads(run("photos/large.jpg", "--json", "--roi", "500,500,2000,1500").stdout)
    assert part["score"] > 0.8


def test_exit_status():
    assert run("photos", "--fail-below", "1e-9").exit_code == 0
    assert run("photos", "--fail-below", "0.5").exit_code == 3
    Path("photos/broken.png").write_bytes(b"no image")
    assert run("photos", "--fail-below", "0.5").exit_code == 1


@pytest.mark.parametrize("quiet", [(), ("-q",)])
def test_fail_below_with_undefined_scores(quiet):
    ek.write_image("photos/black.png", np.zeros((200, 200), np.uint8))
    result = run("photos/black.png", "--fail-below", "0.001", *quiet)
    assert result.exit_code == 3
    assert "edgekit: --fail-below 0.001: of 1 scores 1 undefined\n" in result.stderr
    result = run("photos", "--fail-below", "0.5", *quiet)
    assert result.exit_code == 3
    assert "edgekit: --fail-below 0.5: of 9 scores 4 below and 1 undefined\n" in result.stderr
    # The first measure counts: the variance of a constant image is 0, and its score is undefined.
    both = ("--measure", "laplacian_variance", "--measure", "score")
    assert run("photos/black.png", *both, "--fail-below", "0").exit_code == 0
    assert run("photos/black.png", *both[2:], *both[:2], "--fail-below", "0").exit_code == 3
    assert run("photos/black.png").exit_code == 0
    Path("photos/broken.png").write_bytes(b"no image")
    result = run("photos/b*.png", "--fail-below", "0.5", *quiet)
    assert result.exit_code == 1
    assert "of 1 scores 1 undefined" in result.stderr


@pytest.mark.parametrize("content", [{}, {"notes.txt": b"hello"}], ids=["empty", "no images"])
def test_fail_below_without_images(content):
    Path("nothing").mkdir()
    for name, data in content.items():
        Path("nothing", name).write_bytes(data)
    result = run("nothing", "--fail-below", "0.5")
    assert result.exit_code == 3
    assert "edgekit: no images found" in result.stderr
    assert "edgekit: --fail-below 0.5: no image has a score\n" in result.stderr
    assert run("nothing").exit_code == 0
    Path("nothing/broken.png").write_bytes(b"no image")
    assert run("nothing", "--fail-below", "0.5").exit_code == 1


def test_broken_and_constant_images_have_rows():
    Path("photos/broken.png").write_bytes(b"no image")
    Path("photos/empty.png").write_bytes(b"")
    ek.write_image("photos/flat.png", np.full((50, 60), 7, np.uint8))
    result = run("photos", "missing.png", "-o", "scores.csv")
    assert result.exit_code == 1
    rows = {r["path"]: r for r in table("scores.csv")}
    assert len(rows) == 12
    assert rows["photos/flat.png"]["status"] == "undefined"
    assert rows["photos/flat.png"]["score"] == rows["photos/flat.png"]["blurred"] == ""
    for name, said in (("photos/broken.png", "no format"), ("photos/empty.png", "0 bytes"), ("missing.png", "no such")):
        assert rows[name]["status"] == "failed"
        assert said in rows[name]["reason"]
        assert said in result.stderr
    assert "9 scored, 1 of them undefined, 3 failed" in result.stderr


def test_rows_of_unusual_file_names():
    data = Path("photos/0.png").read_bytes()
    names = ["a,b.png", 'quote".png', "new\nline.png", "-dash.png", "ünï.png"]
    for name in names:
        Path("photos", name).write_bytes(data)
    Path(os.fsdecode(b"photos/\xff.png")).write_bytes(data)
    run("photos", "-o", "scores.csv")
    with Path("scores.csv").open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        paths = {r["path"] for r in csv.DictReader(file)}
    assert {f"photos/{n}" for n in names} < paths
    assert os.fsdecode(b"photos/\xff.png") in paths
    lines = run("photos", "--json").stdout.splitlines()
    assert {json.loads(line)["path"] for line in lines} == paths


def test_roi_option():
    run("photos/0.png", "-o", "whole.csv", "--measure", "laplacian_variance")
    run("photos/0.png", "-o", "part.csv", "--measure", "laplacian_variance", "--roi", "32,16,100,64")
    gray = cv2.imread("photos/0.png", cv2.IMREAD_GRAYSCALE)[16:80, 32:132]
    (part,) = table("part.csv")
    assert float(part["laplacian_variance"]) == pytest.approx(cv2.Laplacian(gray, cv2.CV_64F).var(), rel=1e-9)
    assert (part["width"], part["height"]) == ("320", "256")
    outside = run("photos/0.png", "--roi", "300,0,100,10")
    assert outside.exit_code == 1
    assert "is not within the 320x256 pixels" in outside.stderr
    assert run("photos/0.png", "--roi", "1,2,3").exit_code == 2


def test_map_option():
    result = run("photos", "--map", "maps")
    assert result.exit_code == 0
    names = [".edgekit.sqlite", *(f"{n}.png.sharpness.png" for n in range(8))]
    assert sorted(p.name for p in Path("maps").iterdir()) == names
    sharp, blurred = (ek.read_image(f"maps/{n}.png.sharpness.png") for n in (0, 7))
    assert sharp.shape == (256, 320)
    assert sharp.mean() > blurred.mean() + 30


def test_maps_are_not_inputs_and_replace_no_files():
    """Two maps with one name are refused too."""
    for _ in range(2):
        assert "8 scored" in run("photos", "-r", "--map", "photos/maps").stderr
    Path("maps").mkdir()
    Path("maps/0.png.sharpness.png").write_text("precious")
    refused = run("photos", "--map", "maps")
    assert refused.exit_code == 1
    assert Path("maps/0.png.sharpness.png").read_text() == "precious"
    assert run("photos", "--map", "maps", "--force").exit_code == 0
    Path("more").mkdir()
    Path("more/0.png").write_bytes(Path("photos/0.png").read_bytes())
    assert "two maps of this run" in run("photos/0.png", "more/0.png", "--map", "other").stderr


def test_scores_do_not_depend_on_other_measures():
    noise = np.random.default_rng(3).integers(0, 256, (300, 413)).astype(np.uint8)
    ek.write_image("photos/8.jpg", cv2.resize(noise, (2065, 1500), interpolation=cv2.INTER_CUBIC))
    run("photos", "-o", "alone.csv")
    run("photos", "-o", "both.csv", "--measure", "brenner", "--measure", "score")
    assert [r["score"] for r in table("alone.csv")] == [r["score"] for r in table("both.csv")]
    # The score uses a reduced image, the other measures the whole image.
    whole = ek.sharpness(ek.read_image("photos/8.jpg", colour=False), "brenner")
    assert float(table("both.csv")[8]["brenner"]) == whole


@pytest.mark.parametrize("orientation", [1, 6])
def test_width_and_height_follow_the_orientation(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("L", (2051, 2052)).save("near-square.jpg", exif=exif)
    run("near-square.jpg", "-o", "size.csv")
    (row,) = table("size.csv")
    assert (row["width"], row["height"]) == (("2051", "2052") if orientation == 1 else ("2052", "2051"))


def test_overflowing_measures_are_undefined():
    np.save("photos/9.npy", np.where(np.eye(64), 1e200, 0))
    result = run("photos", "--measure", "tenengrad_variance", "-o", "s.jsonl", "--top", "3", "--threshold", "relative")
    assert result.exit_code == 0, result.output
    rows = [json.loads(line) for line in Path("s.jsonl").read_text().splitlines()]
    assert rows[-1]["status"] == "undefined"
    assert rows[-1]["tenengrad_variance"] is None


def test_files_given_twice_are_scored_once():
    result = run("photos", "./photos", "photos/0.png", Path("photos").absolute(), "-o", "scores.csv")
    assert "8 scored" in result.stderr
    assert len(table("scores.csv")) == 8


def test_full_disk_is_reported():
    """A limit of the file size has the same effect."""
    code = "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
    code += (
        "resource.setrlimit(resource.RLIMIT_FSIZE, (24576, 24576)); from edgekit.cli import main; main(sys.argv[1:])"
    )
    for n in range(200):
        os.link("photos/0.png", f"photos/{'long' * 40}{n}.png")
    command = [sys.executable, "-c", code, "score", "photos", "-o", "scores.csv"]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 2
    assert "Is the disk full" in ran.stderr
    assert "Traceback" not in ran.stderr
    again = run("photos", "-o", "scores.csv")
    assert again.exit_code == 0
    assert len(table("scores.csv")) == 208


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["photos", "-o", "scores.xlsx"], ".csv, .jsonl or .parquet"),
        (["photos", "-o", "scores.csv/"], "a folder .parquet/"),
        (["photos", "--measure", "nonsense"], "choose one of score, laplacian_variance"),
        (["photos", "--measure", "score", "--measure", "score"], "twice"),
        (["photos/*.nothing"], "no file matches"),
        (["photos", "--top", "1", "--bottom", "1"], "exclude each other"),
        (["photos", "--fail-below", "nan"], "not a number"),
        (["photos", "--threshold", "nan"], "auto or relative"),
    ],
)
def test_messages_of_wrong_usage(arguments, said):
    result = run(*arguments)
    assert result.exit_code == 2
    assert said in result.stderr


def test_existing_files_are_not_overwritten():
    Path("scores.csv").write_text("precious")
    result = run("photos", "-o", "scores.csv")
    assert result.exit_code == 2
    assert "did not write" in result.stderr
    assert Path("scores.csv").read_text() == "precious"
    assert run("photos", "-o", "scores.csv", "--force").exit_code == 0


def test_only_changed_images_are_measured_again():
    run("photos", "-o", "scores.csv")
    before = Path("scores.csv").read_bytes()
    # The files are no images now; size and time are unchanged.
    for path in Path("photos").iterdir():
        status = path.stat()
        path.write_bytes(b"?" * status.st_size)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert run("photos", "-o", "scores.csv").exit_code == 0
    assert Path("scores.csv").read_bytes() == before
    # Other measures and changed files are measured.
    assert run("photos", "-o", "scores.csv", "--measure", "brenner").exit_code == 1
    ek.write_image("photos/3.png", np.zeros((40, 50), np.uint8))
    Path("photos/4.png").unlink()
    run("photos", "-o", "again.csv")
    rows = {r["path"]: r["status"] for r in table("again.csv")}
    assert rows["photos/3.png"] == "undefined"
    assert "photos/4.png" not in rows


def test_second_run_with_the_same_output_is_refused():
    with ScoreCache(Path(".scores.csv.edgekit.sqlite"), "job"):
        result = run("photos", "-o", "scores.csv")
    assert result.exit_code == 2
    assert f"another edgekit (process {os.getpid()} on " in result.stderr


def test_damaged_score_caches_are_reported():
    Path(".scores.csv.edgekit.sqlite").write_bytes(b"no database, but long enough to look at" * 30)
    result = run("photos", "-o", "scores.csv")
    assert result.exit_code == 2
    assert "delete it; the images are then scored again" in result.stderr


def test_failed_images_are_tried_again():
    path = Path("photos/2.png")
    good, status = path.read_bytes(), path.stat()
    for content, wanted in ((b"?" * len(good), "failed"), (good, "ok")):
        path.write_bytes(content)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        run("photos", "-o", "scores.csv")
        assert table("scores.csv")[2]["status"] == wanted


@pytest.mark.parametrize("seed", [3, *on_full(0, 1, 2, 4)])
def test_killed_runs_are_resumed_with_equal_rows(seed):
    for n in range(60):
        os.link(f"photos/{n % 8}.png", f"photos/more{n:02}.png")
    whole = subprocess.run([sys.executable, "-m", "edgekit", "score", "photos", "-o", "whole.csv", "-q"])
    assert whole.returncode == 0
    killed = textwrap.dedent(f"""
        import os, signal, threading, time
        from edgekit.batch import score_cache
        from edgekit.cli import main
        keep, count = score_cache.ScoreCache.store, [0]
        def counted(*arguments):
            # Only one process stores rows.
            count[0] += 1
            if count[0] == {8 * seed + 3}:
                threading.Timer({seed} / 1000, os.kill, (os.getpid(), signal.SIGKILL)).start()
            return keep(*arguments)
        score_cache.ScoreCache.store = counted
        main(["score", "photos", "-o", "scores.csv", "-j", "2", "-q"])
        time.sleep(1)
    """)
    assert subprocess.run([sys.executable, "-c", killed]).returncode == -signal.SIGKILL
    ran = subprocess.run([sys.executable, "-m", "edgekit", "score", "photos", "-o", "scores.csv", "-q"])
    assert ran.returncode == 0
    assert Path("scores.csv").read_bytes() == Path("whole.csv").read_bytes()
