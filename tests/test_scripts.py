"""Scripts for samples, figures, evaluation and maintenance."""

import importlib
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

import edgekit as ek
from edgekit.io.video import read_frames

ROOT = Path(__file__).parents[1]
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def script(monkeypatch):
    """Return a function that imports a script by its name."""
    monkeypatch.syspath_prepend(ROOT / "scripts")

    def load(name: str) -> ModuleType:
        return importlib.import_module(name)

    return load


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    folder = tmp_path_factory.mktemp("samples")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "scripts")
        importlib.import_module("maintenance.make_samples").main(["--output", str(folder)])
    return folder


def test_samples_equal_the_output_of_make_samples(samples):
    assert len(list(samples.iterdir())) > 5
    for path in samples.iterdir():
        here = ROOT / "samples" / path.name
        if path.name in ("chart.png", "coffee-dark.png"):
            # Encoders may change, pixels may not.
            np.testing.assert_array_equal(ek.read_image(here), ek.read_image(path), err_msg=path.name)
        elif path.suffix == ".mp4":
            for one, other in zip(read_frames(here), read_frames(path), strict=True):
                assert one.time == other.time
                assert abs(one.image.astype(int) - other.image).mean() < 5
        else:
            assert here.read_bytes() == path.read_bytes(), path.name


def test_second_reader_compares_images(script, tmp_path, capsys, monkeypatch):
    image = np.arange(12 * 16 * 3).reshape(12, 16, 3)
    ek.write_image(tmp_path / "deep.png", (image * 100).astype(np.uint16))
    ek.write_image(tmp_path / "deep.tif", (image * 100).astype(np.uint16))
    (tmp_path / "one.png").write_bytes((tmp_path / "deep.png").read_bytes()[:60])
    (tmp_path / "text.txt").write_text("no image")
    module = script("evaluation.second_reader")
    monkeypatch.setattr(sys, "argv", ["second_reader.py", str(tmp_path)])
    monkeypatch.setattr(module.resource, "setrlimit", lambda *_: None)
    module.main()
    said = capsys.readouterr().out
    assert "| PNG | 2 | 1 | 0 | 0 | 0 | 1 |" in said
    assert "| TIFF | 1 | 1 | 0 | 0 | 0 | 0 |" in said
    # A difference of two levels of 16 bits is found.
    other = module.Read((image * 100 + 2).astype(np.uint16), 65535.0)
    monkeypatch.setitem(module.READERS, "PNG", lambda data: other)
    module.main()
    said = capsys.readouterr().out
    assert "| PNG | 2 | 0 | 1 | 0 | 1 | 0 |" in said
    assert "deep.png: at most 2 of uint16" in said


def test_readme_of_samples_lists_all_files(samples):
    text = (samples / "README.md").read_text(encoding="utf-8")
    rows = [line.split("|") for line in text.splitlines() if line.startswith("| [")]
    assert {row[1].split("](")[1].rstrip(" )") for row in rows} == {p.name for p in samples.iterdir()} - {"README.md"}
    assert all(cell.strip() for row in rows for cell in row[1:-1])


def test_darkening_rounds_half_to_even(script):
    levels = np.uint8([[0, 4, 12, 20, 255]])  # 0, 0.5, 1.5, 2.5, 31.875
    assert script("maintenance.make_samples").darken(levels).tolist() == [[0, 0, 2, 2, 32]]


def test_gradients_of_the_chart(script):
    chart = script("maintenance.make_samples").chart()
    assert chart.shape == (512, 512)
    ramp = chart[256:, :256]
    assert (ek.sobel(ramp, angle=0)[:, 1:-1] == 1).all()
    assert not ek.sobel(ramp, angle=90).any()
    # A step of 128 levels gives 64 across a row or column. The largest possible response of 3x3 Sobel is that of one
    # side of the kernel and the centre of another one, with weights 4 and 2 of 8.
    disc = chart[:256, 256:]
    rim = ek.gradient(disc)
    strong = rim.magnitude > 50
    assert 64 <= rim.magnitude.max() <= 128 * np.hypot(4, 2) / 8
    assert np.histogram(rim.direction[strong], 16, (0, 360))[0].min() > 10
    # The gradient of a bright disc points to its centre.
    y, x = np.nonzero(strong)
    towards = np.degrees(np.arctan2(127.5 - y, 127.5 - x))
    off = (rim.direction[strong] - towards + 180) % 360 - 180
    assert np.abs(off).max() < 5
    assert chart[127:129, 127:129].min() == 255  # the middle of the rings


def test_size_of_the_contact_sheet(script, tmp_path):
    pytest.importorskip("matplotlib")
    script("figures.contact_sheet").main(["--output", str(tmp_path / "sheet.png")])
    sheet = ek.read_image(tmp_path / "sheet.png")
    assert sheet.shape == ek.read_image(ROOT / "docs" / "contact-sheet.png").shape
    assert sheet.shape[1] == 1080
    assert (tmp_path / "sheet.png").stat().st_size < 1_000_000


def test_contact_sheet_of_signed_and_dark_images(script):
    pytest.importorskip("matplotlib")
    sheet = script("figures.contact_sheet")
    photograph = sheet.fitted(ek.read_image(ROOT / "samples" / "coffee.png"), 4)
    assert np.median(sheet.signed(photograph, 45)) == 128
    dark = script("maintenance.make_samples").darken(photograph)
    bright_sum, dark_sum = (sheet.magnitude(p).sum(dtype=float) for p in (photograph, dark))
    assert dark_sum < bright_sum / 5
    bright_sum, dark_sum = (sheet.magnitude(p, "log").sum(dtype=float) for p in (photograph, dark))
    assert dark_sum == pytest.approx(bright_sum, rel=0.1)


def test_angles_drawing_equals_the_output_of_the_script(script, tmp_path):
    drawing = script("figures.angles")
    drawing.main(["--output", str(tmp_path / "angles.svg")])
    text = (tmp_path / "angles.svg").read_text(encoding="utf-8")
    assert text == (ROOT / "docs" / "angles.svg").read_text(encoding="utf-8")
    arrows = {
        line.get("stroke"): [float(line.get(k)) for k in ("x1", "y1", "x2", "y2")]
        for line in ET.fromstring(text).iter(f"{SVG}line")
        if line.get("stroke-width") == "4"
    }
    x1, y1, x2, y2 = arrows[drawing.GRADIENT]
    assert np.degrees(np.arctan2(y2 - y1, x2 - x1)) == pytest.approx(45, abs=0.2)
    x1, y1, x2, y2 = arrows[drawing.EDGE]
    assert np.degrees(np.arctan2(y2 - y1, x2 - x1)) == pytest.approx(135, abs=0.2)


def test_dark_edges_reports_every_photograph(script, tmp_path):
    script("evaluation.dark_edges").main(["--output", str(tmp_path / "report.md")])
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    for photograph in script("maintenance.make_samples").PHOTOGRAPHS:
        assert text.count(f"| {photograph.name} | log |") == 2
    assert text.count("|---") >= 4


def test_dark_edges_of_a_step(script):
    dark_edges = script("evaluation.dark_edges")
    # Level 64 to 128 becomes 8 to 16; the upper half is brighter and does not count.
    image = np.full((40, 80), 200, np.uint8)
    image[20:, :40], image[20:, 40:] = 64, 128
    linear, log = (dark_edges.compare(image, dark_edges.fine, tone) for tone in ("linear", "log"))
    at = (30, 40)
    assert linear.ratios[at] == pytest.approx(1 / 8)
    assert log.ratios[at] == pytest.approx(np.log(16.5 / 8.5) / np.log(128.5 / 64.5), rel=1e-5)
    assert not linear.half[:20].any()
    assert linear.half[20:].all()


def test_share_is_relative_to_the_whole(script):
    share = script("evaluation.dark_edges").share
    part, whole = np.array([True, True, False, False]), np.array([True, False, True, True])
    assert share(part, whole) == "33.3 %"
    assert share(part, ~whole & ~part) == "-"


def test_blur_detection_separates_sharp_and_blurred_images(script, tmp_path, capsys):
    for name, sigma in (("sharp", 0), ("blurred", 3)):
        (tmp_path / name).mkdir()
        for sample in script("maintenance.make_samples").PHOTOGRAPHS:
            image = ek.read_image(ROOT / "samples" / sample.name)
            image = cv2.GaussianBlur(image, (0, 0), sigma) if sigma else image
            ek.write_image(tmp_path / name / f"{Path(sample.name).stem}.png", image[::2, ::2])
    ek.write_image(tmp_path / "sharp" / "flat.png", np.full((64, 64), 7, np.uint8))
    (tmp_path / "sharp" / "broken.png").write_bytes(b"no image")
    blur = script("evaluation.blur_detection")
    blur.main([str(tmp_path / "sharp"), str(tmp_path / "blurred")])
    out, err = capsys.readouterr()
    assert "broken.png" in err
    assert err.count("\n") == 1
    assert out.startswith("5 sharp and 4 blurred photographs.")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in out.splitlines() if line.startswith("|")][2:]
    assert [row[0] for row in rows] == list(blur.FORMULAS)
    assert {*ek.MEASURES, "**score**"} < {row[0] for row in rows}
    assert rows[0] == ["**score**", "1.000", "1"]
    assert all(0 <= float(row[1]) <= 1 and row[2] in "01" for row in rows)


def test_blur_detection_refuses_missing_folders(script, tmp_path, capsys):
    with pytest.raises(SystemExit):
        script("evaluation.blur_detection").main([str(tmp_path), str(tmp_path / "nothing")])
    assert "nothing is not a folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("sharp", "blurred", "area"),
    [([3, 2], [1, 0], 1), ([0], [1, 2], 0), ([1], [1], 0.5), ([1, 3], [2, 1], 2.5 / 4), ([5, 5, 5], [5, 5], 0.5)],
)
def test_area_under_the_curve_counts_pairs(script, sharp, blurred, area):
    assert script("evaluation.blur_detection").area_under_curve(sharp, blurred) == pytest.approx(area)
    assert np.isnan(script("evaluation.blur_detection").area_under_curve(sharp, []))


def test_cleanvision_formula_uses_a_thumbnail(script):
    blur = script("evaluation.blur_detection")
    fine = np.tile(np.uint8([[0, 255], [255, 0]]), (64, 64))  # Halved, it is nearly flat.
    assert blur.thumbnail_edges(blur.Photograph(fine, fine)) < 50
    assert blur.thumbnail_edges(blur.Photograph(fine[:64, :64], fine)) > 100
    wide = fine.astype(np.uint16) * 257
    assert blur.thumbnail_edges(blur.Photograph(wide, wide)) == blur.thumbnail_edges(blur.Photograph(fine, fine))


@pytest.mark.full
def test_large_images_benchmark_compares_windows_and_memory(script, tmp_path, monkeypatch):
    large = script("benchmarks.large_images")
    image = large.make(tmp_path / "in.tif", 300, "zlib")
    assert ek.read_image(image).shape == (300, 300)
    windows, whole = large.both("sobel", image, 1)
    assert min(windows + whole) > 0
    assert [p.name for p in tmp_path.glob("*.*")] == ["in.tif"]
    monkeypatch.setattr(large, "content", lambda path: np.array(path.name))
    with pytest.raises(SystemExit, match="sobel by windows is not sobel in memory"):
        large.both("sobel", image, 1)


#: Imports all scripts in one process, each with its own sys.path. Installed packages are imported once.
CHILD = """
import runpy, sys
from pathlib import Path
path, known = sys.path[1:], set(sys.modules)
for script in map(Path, sys.argv[1:]):
    sys.path[:] = [str(script.parent), *path]
    try:
        runpy.run_path(str(script), run_name="imported")
    except ModuleNotFoundError as error:
        if (script.parents[1] / error.name.split(".")[0]).exists():
            raise
    for name in set(sys.modules) - known:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(script.parents[1])):
            del sys.modules[name]
"""


@pytest.mark.full
def test_scripts_can_be_imported_from_their_folders():
    found = [p for p in sorted((ROOT / "scripts").glob("*/*.py")) if '__name__ == "__main__"' in p.read_text("utf-8")]
    assert len(found) > 20
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    command = [sys.executable, "-c", CHILD, *map(str, found)]
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


def test_scripts_named_in_pages_exist():
    pages = [ROOT / "pyproject.toml", *ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *ROOT.glob("s*/README.md")]
    named = {
        (path.relative_to(ROOT).as_posix(), script)
        for path in [*pages, *(ROOT / "scripts").rglob("*.py")]
        for script in re.findall(r"\bscripts/[\w/]+\.py\b", path.read_text(encoding="utf-8"))
        if not script.endswith("/NAME.py")
    }
    assert len(named) > 40
    assert [where for where in named if not (ROOT / where[1]).is_file()] == []


def test_readme_of_scripts_lists_all_scripts():
    listed = re.findall(
        r"^\| `(\w+/\w+\.py)\b", (ROOT / "scripts" / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    found = [p.relative_to(ROOT / "scripts").as_posix() for p in (ROOT / "scripts").glob("*/[!_]*.py")]
    assert sorted(listed) == sorted(found)


def test_links_in_the_readme_of_scripts_exist():
    for target in re.findall(r"\]\(([^)]+)\)", (ROOT / "scripts" / "README.md").read_text(encoding="utf-8")):
        assert (ROOT / "scripts" / target).exists(), target


#: Two files in place of the package: `first` calls functions of both, a generator, and a lambda.
WALKED = {
    "a.py": """
def first():
    class Body:
        pass
    once()
    return [double(n) for n in numbers()] + [last(1)]
def double(n):
    return 2 * n
last = lambda n: n + sum(range(3))
""",
    "b.py": """
def once():
    pass
def numbers():
    yield 1
    yield 2
""",
}


def test_walks_count_functions_of_the_package(script):
    walks = script("maintenance.walks")
    names: dict[str, object] = {}
    for name, source in WALKED.items():
        exec(compile(source, walks.PACKAGE + name, "exec"), names)
    # first, once, numbers, double, double, last.
    assert walks.trace(names["first"]) == walks.Walk(calls=6, files=2, changes=2)
    assert walks.trace(lambda: np.median([1, 2])) == walks.Walk(0, 0, 0)


def test_walks_of_a_function_and_of_a_command(script):
    walks = script("maintenance.walks")
    short, long = walks.trace_function("sobel", "uint8"), walks.trace_command("sobel", output=True)
    assert 1 < short.files <= short.changes < short.calls < long.calls
    with pytest.raises(RuntimeError, match="edgekit nothing ended with status 2"):
        walks.trace_command("nothing")


def test_scripts_of_measurement_accuracy(script, monkeypatch):
    places, mtf = script("evaluation.subpixel_accuracy"), script("evaluation.mtf_accuracy")
    # The other libraries need not be installed.
    monkeypatch.setattr(places, "METHODS", {"contours": places.by_contours, "thinned": places.by_suppression})
    monkeypatch.setattr(mtf, "METHODS", {"mtf": mtf.by_mtf})
    rows = [row.split("|")[2:-1] for row in places.straight(5, 1).splitlines()[4:]]
    assert len(rows) == 2
    assert all(float(row[0]) < 0.002 and float(row[1]) < 0.012 and float(row[2]) < 0.05 for row in rows)
    (row,) = (row.split("|")[2:-1] for row in mtf.gaussian_edges(5, 3).splitlines()[4:])
    assert float(row[0]) < 0.1
    image, true = mtf.shaped_edge(mtf.SHAPES["exponential"], 5.0, 0.0)
    assert ek.mtf(image).mtf50 == pytest.approx(true, rel=0.002)


@pytest.mark.full
def test_figure_of_measurements(script, tmp_path):
    figure = script("figures.measuring")
    figure.main(["-o", str(tmp_path / "measuring.png")])
    assert ek.read_image(tmp_path / "measuring.png").shape == ek.read_image(ROOT / "docs" / "measuring.png").shape
    _, of_rim, ellipse = figure.rim()
    assert len(of_rim) >= 2
    assert ellipse.inliers.mean() > 0.9
