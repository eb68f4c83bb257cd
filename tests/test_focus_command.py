"""`edgekit focus` as its users run it: stacks of files and of pages, what is burnt, what is broken."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from click.testing import CliRunner, Result

import edgekit as ek
from edgekit.batch.sources import natural
from edgekit.cli import main
from edgekit.common.extras import install_command
from edgekit.io.tiff import read_pages

SAMPLE = Path(__file__).parents[1] / "samples" / "camera.png"

#: Where the stack is in focus, and how many images it has.
FOCUS, COUNT = 5.6, 12


def photograph() -> np.ndarray:
    gray = ek.read_image(SAMPLE, colour=False)
    return cv2.resize(gray, (160, 160), interpolation=cv2.INTER_AREA).astype(np.float32) / 2


def disc(radius: float) -> np.ndarray:
    reach = int(np.ceil(radius))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    taps = np.clip(radius + 0.5 - np.hypot(x, y), 0, 1)
    return taps / taps.sum()


def taken(scene: np.ndarray, focus: float = FOCUS, count: int = COUNT) -> list[np.ndarray]:
    """Pictures of a scene, the first at position 0: discs of 0.8 pixels a step, and the sensor's noise."""
    random = np.random.default_rng(0)
    blurred = [cv2.filter2D(scene, -1, disc(0.8 * abs(n - focus))) for n in range(count)]
    return [(b + random.normal(0, 1, b.shape)).round().clip(0, 255).astype(np.uint8) for b in blurred]


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    return taken(photograph())


@pytest.fixture(autouse=True)
def stack(tmp_path, monkeypatch, pictures):
    monkeypatch.chdir(tmp_path)
    Path("stack").mkdir()
    for n, picture in enumerate(pictures):
        ek.write_image(f"stack/z{n}.png", picture)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["focus", *map(str, arguments)])


def record(*arguments: object) -> dict:
    return json.loads(run(*arguments, "--json").stdout)


def test_a_folder_in_natural_order():
    result = run("stack")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["position", "tenengrad", "file"]
    rows = [line.split() for line in lines[1:-1]]
    assert [(float(row[0]), row[2]) for row in rows] == [(n, f"stack/z{n}.png") for n in range(COUNT)]
    for row in rows:
        assert float(row[1]) == pytest.approx(ek.sharpness(ek.read_image(row[2]), "tenengrad"), rel=1e-5)
    assert lines[-1].startswith("peak at 5.")
    assert "confidence 0." in lines[-1] or "confidence 1." in lines[-1]
    assert result.stderr == ""


def test_one_json_object():
    found = record("stack", "--measure", "laplacian_variance")
    assert found["measure"] == "laplacian_variance"
    assert [image["name"] for image in found["images"]] == [f"stack/z{n}.png" for n in range(COUNT)]
    assert found["peak"]["status"] == "peak"
    assert found["peak"]["position"] == pytest.approx(FOCUS, abs=0.15)
    assert found["saturated"] == 0
    gray = cv2.imread("stack/z3.png", cv2.IMREAD_GRAYSCALE)
    assert found["images"][3]["score"] == pytest.approx(cv2.Laplacian(gray, cv2.CV_64F).var(), rel=1e-9)


@pytest.mark.parametrize(
    "measure", ["tenengrad", "brenner", "modified_laplacian", "squared_gradient", "vollath_f4", "blur"]
)
def test_measures_agree(measure):
    assert record("stack", "--measure", measure)["peak"]["position"] == pytest.approx(FOCUS, abs=0.2)


def test_files_and_globs_are_the_same_stack():
    found = record("stack")
    assert record("stack/z*.png") == found
    names = [f"stack/z{n}.png" for n in reversed(range(COUNT))]
    turned = record(*names)
    assert [image["name"] for image in turned["images"]] == names
    # The names state the depth.
    assert turned["peak"]["position"] == pytest.approx(found["peak"]["position"])
    for n in range(COUNT):
        shutil.copy(f"stack/z{n}.png", f"{n}.png")
    numbered = record(*(f"{n}.png" for n in reversed(range(COUNT))))
    assert numbered["peak"]["position"] == pytest.approx(COUNT - 1 - found["peak"]["position"])


def test_natural_order():
    assert sorted(["a10", "a9b2", "a9b10", "b1", "a9"], key=natural) == ["a9", "a9b2", "a9b10", "a10", "b1"]


@pytest.mark.parametrize("form", ["numbers", "names"])
def test_positions(form):
    places = [100 - 2.5 * n for n in range(COUNT)]
    lines = {
        "numbers": ["# micrometres", *map(str, places), ""],
        "names": ["name,position", *(f"z{n}.png,{p}" for n, p in reversed(list(enumerate(places))))],
    }
    Path("places.csv").write_text("\n".join(lines[form]))
    found = record("stack", "--positions", "places.csv")
    assert [image["position"] for image in found["images"]] == places
    assert found["peak"]["position"] == pytest.approx(100 - 2.5 * FOCUS, abs=0.5)


@pytest.mark.parametrize(
    ("text", "said"),
    [("1\n2\n3\n", "3 positions for 12 images"), ("z0.png,1\n", "no position for stack/z1.png"),
     ("1\ntwo\n", "'two'"), ("1\nnan\n", "'nan'"), ("a,b,3\n1,2,3\n", "'1,2,3'"), ("1\na,2\n", "or none"),
     ("", "no positions")],
)  # fmt: skip
def test_positions_that_do_not_fit(text, said):
    Path("places.csv").write_text(text)
    result = run("stack", "--positions", "places.csv")
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stdout == ""


def test_missing_positions():
    assert "nothing.csv" in run("stack", "--positions", "nothing.csv").stderr


def test_ends_say_where_to_go_on():
    for name in ("below", "above"):
        Path(name).mkdir()
    for n in range(6):
        shutil.copy(f"stack/z{n + 6}.png", f"below/{n}.png")
        shutil.copy(f"stack/z{n}.png", f"above/{n}.png")
    below, above = run("below"), run("above")
    assert "continue below it" in below.stdout.splitlines()[-1]
    assert "continue above it" in above.stdout.splitlines()[-1]
    assert record("above")["peak"]["position"] == 5


def test_no_peak():
    Path("flat").mkdir()
    for n in range(8):
        ek.write_image(f"flat/{n}.png", np.full((64, 64), 7, np.uint8))
    result = run("flat")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1].startswith("no peak")
    found = record("flat")
    assert (found["peak"]["status"], found["peak"]["position"]) == ("none", None)
    # A ratio of nothing to nothing.
    assert {i["status"] for i in record("flat", "--measure", "crete_roffet")["images"]} == {"undefined"}


def test_a_broken_file_costs_its_row():
    Path("stack/z3.png").write_bytes(Path("stack/z3.png").read_bytes()[:200])
    Path("stack/notes.txt").write_text("not an image")
    ek.write_image("stack/z9.png", np.zeros((20, 30), np.uint8))
    result = run("stack")
    assert result.exit_code == 1
    assert "z3.png" in result.stderr
    assert "z9.png: expected the shape (160, 160), as of the first image; found (20, 30)" in result.stderr
    assert "1 skipped" in result.stderr
    rows = result.stdout.splitlines()
    assert len(rows) == COUNT + 2
    assert rows[4].split() == ["3", "-", "stack/z3.png", "failed"]
    found = record("stack")
    assert [i["status"] for i in found["images"]].count("failed") == 2
    assert found["images"][3]["score"] is None
    assert found["peak"]["position"] == pytest.approx(FOCUS, abs=0.2)


def test_too_few():
    result = run("stack/z1.png", "stack/z2.png", "stack/z77.png")
    assert result.exit_code == 1
    assert "scores at 3 positions or more; found 2" in result.stdout
    assert len(result.stdout.splitlines()) == 5
    assert record("stack/z1.png")["peak"] is None
    assert run("stack", "--measure", "beauty").exit_code == 2
    assert "tenengrad" in run("stack", "--measure", "beauty").stderr


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_tiff_with_pages(pictures, dtype):
    tifffile.imwrite("stack.tif", np.stack(pictures).astype(dtype), photometric="minisblack")
    found = record("stack.tif")
    assert [i["name"] for i in found["images"]] == [f"stack.tif:{n}" for n in range(1, COUNT + 1)]
    scores = [i["score"] for i in record("stack")["images"]]
    assert [i["score"] for i in found["images"]] == pytest.approx(scores, rel=1e-6)
    Path("places.txt").write_text("\n".join(str(10 * n) for n in range(COUNT)))
    assert record("stack.tif", "--positions", "places.txt")["peak"]["position"] == pytest.approx(56, abs=2)


def test_a_broken_page_costs_its_row(pictures):
    tifffile.imwrite("stack.tif", np.stack(pictures), photometric="minisblack", compression="zlib")
    with tifffile.TiffFile("stack.tif") as file:
        place, length = file.pages[3].dataoffsets[0], file.pages[3].databytecounts[0]
    data = bytearray(Path("stack.tif").read_bytes())
    data[place : place + length] = b"\xff" * length
    Path("stack.tif").write_bytes(data)
    result = run("stack.tif")
    assert result.exit_code == 1
    assert "stack.tif: page 4 cannot be decoded" in result.stderr
    found = record("stack.tif")
    assert [i["status"] for i in found["images"]] == ["ok"] * 3 + ["failed"] + ["ok"] * 8
    assert found["peak"]["position"] == pytest.approx(FOCUS, abs=0.2)


def test_pages_of_what_is_none():
    Path("empty.tif").write_bytes(b"")
    Path("no.tif").write_bytes(b"II*\0garbage")
    for path, error, said in (
        ("missing.tif", ek.UnreadableError, "no such file"),
        ("empty.tif", ek.UnreadableError, "0 bytes"),
        ("stack/z1.png", ek.DecodeError, "expected a TIFF"),
        ("no.tif", ek.DecodeError, "no.tif"),
    ):
        with pytest.raises(error, match=said):
            list(read_pages(path))
    assert run("no.tif").exit_code == 2


def test_pages_in_colour_and_turned():
    colour = np.random.default_rng(0).integers(0, 256, (3, 20, 30, 3), dtype=np.uint8)
    tifffile.imwrite("colour.tif", colour, photometric="rgb")
    np.testing.assert_array_equal([page.array for page in read_pages("colour.tif")], colour)
    deep = colour[..., 0].astype(np.uint16)
    tifffile.imwrite("white.tif", deep, photometric="miniswhite", byteorder=">")
    np.testing.assert_array_equal([page.array for page in read_pages("white.tif")], 65535 - deep)
    assert all(page.array.dtype.isnative for page in read_pages("white.tif"))


def test_burnt_spots_do_not_count():
    """Lamps in the scene: their discs have the more edge the larger they are, until they are no longer burnt."""
    scene = photograph()
    random = np.random.default_rng(1)
    for y, x in random.integers(10, 150, (6, 2)):
        scene[y : y + 2, x : x + 2] = 8000
    Path("lamps").mkdir()
    for n, picture in enumerate(taken(scene)):
        ek.write_image(f"lamps/{n}.png", picture)
    plain = [ek.sharpness(ek.read_image(f"lamps/{n}.png"), "tenengrad") for n in range(COUNT)]
    assert np.argmax(plain) not in (5, 6)
    result = run("lamps")
    assert "saturated in one of the images" in result.stderr
    found = record("lamps")
    assert 0 < found["saturated"] < 0.5
    assert found["peak"]["status"] == "peak"
    assert found["peak"]["position"] == pytest.approx(FOCUS, abs=0.3)


def test_a_bright_page_is_not_burnt():
    Path("page").mkdir()
    for n, picture in enumerate(taken(np.where(photograph() > 40, 255, 40).astype(np.float32))):
        ek.write_image(f"page/{n}.png", picture)
    found = record("page")
    assert found["saturated"] == 0
    assert found["peak"]["position"] == pytest.approx(FOCUS, abs=0.3)


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_a_drawing(ending):
    pytest.importorskip("matplotlib")
    Path("stack/z3.png").write_bytes(b"")
    result = run("stack", "--plot", f"out/focus.{ending}")
    assert result.exit_code == 1
    content = Path(f"out/focus.{ending}").read_bytes()
    assert content[:5] in (b"\x89PNG\r", b"<?xml", b"%PDF-")
    if ending == "png":
        assert ek.read_image("out/focus.png").shape[:2] == (540, 960)


def test_a_drawing_replaces_nothing():
    pytest.importorskip("matplotlib")
    Path("focus.png").write_text("precious")
    refused = run("stack", "--plot", "focus.png")
    assert "--force" in refused.stderr
    assert Path("focus.png").read_text() == "precious"
    assert run("stack", "--plot", "focus.png", "--force").exit_code == 0
    wrong = run("stack", "--plot", "focus.txt")
    assert wrong.exit_code == 2
    assert ".png, .svg, .pdf" in wrong.stderr


def test_a_missing_matplotlib_names_the_extra():
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from edgekit.cli import main; main(['focus', 'stack', '--plot', 'a.png'])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.returncode == 2
    assert install_command("plot") in ran.stderr
    assert "Traceback" not in ran.stderr


def test_nothing_heavy_is_loaded_for_help_nor_without_a_drawing():
    for arguments, heavy in (["focus", "--help"], "numpy"), (["focus", "stack"], "matplotlib"):
        code = (
            f"import sys\nfrom edgekit.cli import main\ntry:\n    main({arguments!r})\n"
            f"finally:\n    print({heavy!r} in sys.modules, file=sys.stderr)"
        )
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert (ran.returncode, ran.stderr) == (0, "False\n")
