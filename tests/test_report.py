"""The review page as a file: content, escaping, resumed runs."""

import json
import os
import re
import subprocess
import sys
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote_to_bytes

import cv2
import numpy as np
import pytest
from clips import blurred, write_clip
from command_line import run, shown
from PIL import Image

import edgekit as ek
from edgekit.batch.jobs.scoring import ScoreJob
from edgekit.common.extras import install_command
from edgekit.report.images import Names

ROOT = Path(__file__).parents[1]

#: Indices of the values of an image in the data of the page.
PATH, LINK, STEM, WIDTH, HEIGHT, BYTES, PREVIEW, VALUES, FRAME = range(9)


@pytest.fixture(autouse=True)
def photos(tmp_path, monkeypatch):
    """Six images in an empty folder; the first three are sharp, the others blurred."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(4)
    Path("photos").mkdir()
    for n in range(6):
        blocks = rng.integers(30, 220, (16, 20, 3)).astype(np.uint8)
        picture = cv2.resize(blocks, (400, 320), interpolation=cv2.INTER_NEAREST)
        ek.write_image(f"photos/{n}.png", cv2.GaussianBlur(picture, (0, 0), 5) if n >= 3 else picture)
    return tmp_path


class Reader(HTMLParser):
    """Parses a page: tags, scripts with their data, and table cells."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.scripts: list[tuple[dict[str, str], str]] = []
        self.cells: list[str] = []
        self.tags: list[str] = []
        self._inside = ""
        self._attributes: dict[str, str] = {}
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self._inside, self._attributes = tag, dict(attributes)
        if tag == "script":
            self.scripts.append((self._attributes, ""))
        if tag == "td":
            self.cells.append("")

    def handle_endtag(self, tag):
        self._inside = ""

    def handle_data(self, data):
        if self._inside == "script":
            self.scripts[-1] = (self._attributes, self.scripts[-1][1] + data)
        if self._inside == "td":
            self.cells[-1] += data

    def data(self, name):
        (text,) = (t for a, t in self.scripts if a.get("id") == name)
        return json.loads(text)


def page(folder="review") -> Reader:
    return Reader(Path(folder, "index.html").read_text("utf-8"))


def report(*arguments, folder="review"):
    """Run the command and return its page."""
    result = run("score", "photos", "--report", folder, *arguments)
    assert result.exit_code in (0, 1), result.output
    return page(folder)


def pictures(folder="review"):
    return {p: p.stat().st_mtime_ns for p in Path(folder).rglob("*.*") if p.suffix in (".jpg", ".png")}


def test_each_image_has_a_row_thumbnail_and_map():
    rows = report("-o", "scores.jsonl").data("rows")
    written = [json.loads(line) for line in Path("scores.jsonl").read_text().splitlines()]
    assert sorted(r[PATH] for r in rows) == [w["path"] for w in written]
    assert [r[VALUES][0] for r in rows] == sorted((w["score"] for w in written), reverse=True)
    for row in rows:
        assert (row[WIDTH], row[HEIGHT], row[PREVIEW]) == (400, 320, 0)
        assert Path("review", row[LINK]).resolve() == Path(row[PATH]).resolve()
        thumbnail = ek.read_image(f"review/pictures/{row[STEM]}.jpg")
        assert thumbnail.shape == (256, 320, 3)
        original = cv2.resize(ek.read_image(row[PATH]), (320, 256), interpolation=cv2.INTER_AREA)
        assert abs(thumbnail.astype(int) - original).mean() < 6
        where = cv2.imread(f"review/pictures/{row[STEM]}.map.png", cv2.IMREAD_UNCHANGED)
        assert where.shape == (102, 128, 4)
        assert (where[..., 3].mean() > 60) == (row[PATH] < "photos/3")


def test_path_of_the_page_is_printed():
    result = run("score", "photos", "--report", "review")
    assert result.stdout == f"{Path('review', 'index.html')}\n"
    lines = run("score", "photos", "--report", "review", "--json").stdout.splitlines()
    assert [json.loads(line)["path"] for line in lines] == [f"photos/{n}.png" for n in range(6)]
    assert len(run("score", "photos", "--report", "review", "--top", "2").stdout.splitlines()) == 3


@pytest.mark.parametrize(
    ("arguments", "threshold", "unit"),
    [
        ((), 0.5, True),
        (("--threshold", "0.25"), 0.25, True),
        (("--threshold", "inf"), "Infinity", True),
        (("--measure", "laplacian_variance"), None, False),
        (("--measure", "laplacian_variance", "--measure", "score", "--threshold", "-inf"), "-Infinity", False),
    ],
)
def test_initial_threshold_of_the_page(arguments, threshold, unit):
    settings = report(*arguments).data("settings")
    assert (settings["threshold"], settings["unit"]) == (threshold, unit)
    assert settings["measures"] == [a for a in arguments if a in ("laplacian_variance", "score")] or ["score"]


def test_automatic_and_relative_thresholds():
    for n in range(3):
        for source in (n, n + 3):
            os.link(f"photos/{source}.png", f"photos/more{source}.png")
    settings = report("--threshold", "auto").data("settings")
    assert settings["note"] == "found between 6 blurred and 6 sharp"
    values = [r[VALUES][0] for r in page().data("rows")]
    assert values[6] < settings["threshold"] < values[5]
    one = report("--threshold", "auto", "--include", "[012].png").data("settings")
    assert one["threshold"] == 0.5
    assert "too few" in one["note"]
    assert report("--threshold", "relative").data("settings")["note"] == "half the median of all scores"


def test_failed_and_undefined_images():
    Path("photos/broken.png").write_bytes(b"no image")
    ek.write_image("photos/flat.png", np.full((50, 60), 7, np.uint8))
    found = report()
    rows = {r[PATH]: r for r in found.data("rows")}
    assert rows["photos/flat.png"][VALUES] == [None, None, None, 0.0]
    assert "photos/broken.png" not in rows
    assert found.cells[0] == "photos/broken.png"
    assert found.cells[1].startswith("expected an image; found 8 bytes")
    assert len(found.cells) == 2
    Path("photos/clip.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(100))
    cells = report("photos/clip.mp4").cells
    assert cells[cells.index("photos/clip.mp4") + 1].startswith("expected a video; it cannot be opened as one")


def test_frames_of_clips():
    write_clip(Path("clip.mp4"), blurred([0.2, 1.0, 0.4]))
    found = report("clip.mp4")
    rows = {r[FRAME]: r for r in found.data("rows") if r[PATH] == "clip.mp4"}
    assert sorted(rows) == [0, 1, 2]
    assert rows[1][FRAME + 1] == pytest.approx(0.1)
    names = [Names(Path("clip.mp4"), frame) for frame in range(3)]
    assert [row[2] for row in map(rows.get, range(3))] == [name.stem for name in names]
    times = [Path("review", name.thumbnail).stat().st_mtime_ns for name in names]
    assert ek.read_image(Path("review", names[1].preview)).shape == (96, 128, 3)
    assert shown(Path("review", names[1].map)).shape == (96, 128, 4)
    report("clip.mp4")
    assert times == [Path("review", name.thumbnail).stat().st_mtime_ns for name in names]


def test_moments_of_a_burst():
    for name in ("photos/0.png", "photos/1.png"):
        os.utime(name, (1000, 1000))
    found = report("--burst", "2s")
    rows = {r[PATH]: r[FRAME + 2] for r in found.data("rows")}
    assert None not in rows.values()
    assert rows["photos/0.png"] == 1
    assert {r[FRAME + 2] for r in report().data("rows")} == {None}


def test_names_are_escaped_in_the_page():
    """In elements, and in the data of a script."""
    evil = ["</script><script>hacked()<!--.png", "</td><img src=x onerror=hacked()>\u2028&amp;'\".png"]
    before = report("--recursive").tags
    for text in evil:
        path = Path("photos", *text.split("/"))
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(Path("photos/0.png").read_bytes())
        path.with_name(f"broken{path.name}").write_bytes(b"no image")
    found = report("--recursive")
    assert {f"photos/{Path(t)}" for t in evil} < {r[PATH] for r in found.data("rows")}
    assert found.cells[::2] == sorted(
        str(Path("photos", *t.split("/")).with_name(f"broken{Path(t).name}")).replace("\u2028", r"\u2028") for t in evil
    )
    # Only two rows of two cells are new, for the failed images.
    assert sorted(found.tags) == sorted([*before, *["tr", "td", "td"] * 2])
    raw = Path("review/index.html").read_text("utf-8")
    data = re.search(r'id="rows">(.*?)</script>', raw, re.DOTALL).group(1)
    assert not set("<>&'\u2028") & set(data)


def test_links_to_unusual_file_names():
    data = Path("photos/0.png").read_bytes()
    names = [
        b"a,b.png",
        b"qu\"o'te.png",
        b"new\nline.png",
        b"50% #1?.png",
        "ünï 写真.png".encode(),
        b"C:x.png",
        b"\xff.png",
    ]
    for name in names:
        Path("photos", os.fsdecode(name)).write_bytes(data)
    for folder in ("review", "deep/er/review", "photos/re view"):
        rows = report(folder=folder).data("rows")
        assert len(rows) == 6 + len(names)
        for row in rows:
            assert re.fullmatch(r"[\w./%~-]+", row[LINK])
            assert Path(folder, os.fsdecode(unquote_to_bytes(row[LINK]))).samefile(row[PATH])


def test_previews_of_images_that_browsers_cannot_show():
    ramp = np.linspace(0, 4095, 3000 * 100).reshape(100, 3000)
    ek.write_image("photos/deep.png", ramp.astype(np.uint16))
    ek.write_image("photos/deep.tif", ramp.astype(np.float32))
    np.save("photos/many.npy", np.dstack([ramp, ramp, ramp, ramp]).astype(np.int64))
    np.save("photos/gaps.npy", np.where(ramp > 100, ramp, np.nan))
    rows = {r[PATH]: r for r in report().data("rows")}
    for name in ("deep.png", "deep.tif", "many.npy", "gaps.npy"):
        row = rows[f"photos/{name}"]
        assert row[PREVIEW] == 1
        preview = ek.read_image(f"review/pictures/{row[STEM]}.view.jpg", colour=False)
        assert preview.shape == (68, 2048)
        # From the smallest value to the largest.
        assert preview[0, :20].mean() < 10
        assert preview[-1, -20:].mean() > 245
    # A file that browsers can show has no preview.
    Path("photos/deep.tif").write_bytes(Path("photos/0.png").read_bytes())
    row = next(r for r in report().data("rows") if r[PATH] == "photos/deep.tif")
    assert row[PREVIEW] == 0
    assert not Path(f"review/pictures/{row[STEM]}.view.jpg").exists()


def test_thumbnails_follow_the_exif_orientation():
    exif = Image.Exif()
    exif[0x0112] = 6
    block = np.zeros((2400, 3200, 3), np.uint8)
    block[:, :1600] = (250, 20, 20)
    Image.fromarray(block).save("photos/tall.jpg", exif=exif)
    row = next(r for r in report().data("rows") if r[PATH] == "photos/tall.jpg")
    assert (row[WIDTH], row[HEIGHT]) == (2400, 3200)
    thumbnail = ek.read_image(f"review/pictures/{row[STEM]}.jpg")
    assert thumbnail.shape == (320, 240, 3)
    assert thumbnail[40, 120, 0] > 200 > 60 > thumbnail[280, 120, 0]


def test_map_covers_only_the_region():
    row = report("--roi", "200,0,200,320").data("rows")[0]
    where = cv2.imread(f"review/pictures/{row[STEM]}.map.png", cv2.IMREAD_UNCHANGED)[..., 3]
    assert not where[:, :62].any()
    part = ek.sharpness_map(ek.read_image(row[PATH])[:, 200:])
    assert where[:, 66:].mean() == pytest.approx(255 * part.mean(), abs=3)
    # The region is in pixels of the full size, although the JPEG file is decoded at a reduced size.
    blocks = np.random.default_rng(0).integers(0, 255, (30, 40)).astype(np.uint8)
    photograph = cv2.resize(blocks, (3200, 2400), interpolation=cv2.INTER_NEAREST)
    ek.write_image("photos/large.jpg", photograph)
    row = next(r for r in report("--roi", "1600,0,1600,2400").data("rows") if r[PATH] == "photos/large.jpg")
    where = cv2.imread(f"review/pictures/{row[STEM]}.map.png", cv2.IMREAD_UNCHANGED)[..., 3]
    assert not where[:, :62].any()
    assert where[:, 66:].mean() > 30


def test_resumed_reports_update_only_changed_images():
    report()
    before, content = pictures(), Path("review/index.html").read_bytes()
    report()
    assert pictures() == before
    assert Path("review/index.html").read_bytes() == content
    ek.write_image("photos/1.png", np.zeros((40, 50), np.uint8))
    os.link("photos/0.png", "photos/new.png")
    lost = next(
        p for p in before if p.name.endswith(".map.png") and p.parent.name + p.name.split(".")[0] in _stems("5")
    )
    lost.unlink()
    assert len(report().data("rows")) == 7
    changed = {p for p, time in pictures().items() if before.get(p) != time}
    assert {p.parent.name + p.name.split(".")[0] for p in changed} == _stems("1", "new", "5")


def _stems(*names):
    rows = page().data("rows")
    return {r[STEM].replace("/", "") for r in rows if Path(r[PATH]).stem in names}


def test_report_does_not_score_images_again(monkeypatch):
    run("score", "photos", "-o", "scores.csv", "--map", "maps")
    maps = pictures("maps")
    monkeypatch.setattr(ScoreJob, "run", lambda *_: 1 / 0)
    assert len(report("-o", "scores.csv", "--map", "maps").data("rows")) == 6
    assert pictures("maps") == maps
    assert len(pictures()) == 12


def test_images_of_the_page_are_not_scored():
    for _ in range(2):
        assert len(report("-r", folder="photos").data("rows")) == 6


def test_existing_files_are_not_overwritten():
    Path("review").mkdir()
    Path("review/index.html").write_text("precious")
    result = run("score", "photos", "--report", "review")
    assert result.exit_code == 2
    assert "did not write" in result.stderr
    assert Path("review/index.html").read_text() == "precious"
    assert run("score", "photos", "--report", "review", "--force").exit_code == 0
    assert run("score", "photos", "--report", "review").exit_code == 0
    next(iter(pictures())).write_bytes(b"precious")
    assert run("score", "photos", "--report", "review").exit_code == 1


def test_page_loads_nothing_and_has_one_script():
    report()
    text = Path("review/index.html").read_text("utf-8")
    policy = re.search(r'Content-Security-Policy" content="(.*?)"', text).group(1)
    assert "default-src 'none'" in policy
    assert not re.search(r"<[^>]+(?:src|href)=[\"']?(?:https?:)?//", text)
    assert [a.get("type") for a, _ in page().scripts] == ["application/json", "application/json", None]
    assert "The MIT License (MIT)" in page().scripts[-1][1]


def _fresh(code, folder, *, without=()):
    """Run `code` in a fresh process, where some modules are missing."""
    site = folder / "site"
    site.mkdir()
    for name in without:
        (site / f"{name}.py").write_text(f"raise ModuleNotFoundError('No module named {name}', name='{name}')")
    path = os.pathsep.join([str(site), str(ROOT)])
    return subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True
    )


def test_missing_jinja2_is_reported_before_any_output(tmp_path):
    Path("photos/broken.png").write_bytes(b"no image")
    code = "from edgekit.cli import main; main(['score', 'photos', '--report', 'review'])"
    ran = _fresh(code, tmp_path, without=["jinja2"])
    assert ran.returncode == 2
    assert ran.stderr == f"edgekit: the review page needs Jinja2: {install_command('report')}\n"
    assert not Path("review").exists()


def test_report_modules_are_loaded_only_with_report(tmp_path):
    code = """
import sys
from edgekit.cli import main
for arguments in (["score", "--help"], ["score", "photos", "-q"]):
    try:
        main(arguments)
    except SystemExit:
        pass
assert not {"jinja2", "edgekit.report"} & set(sys.modules)
"""
    ran = _fresh(code, tmp_path)
    assert ran.returncode == 0, ran.stderr


def test_wheel_contains_the_files_of_the_report(tmp_path):
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        shipped = {n for n in file.namelist() if n.startswith("edgekit/report/")}
    here = {p.relative_to(ROOT).as_posix() for p in (ROOT / "edgekit" / "report").rglob("*.*") if p.suffix != ".pyc"}
    assert here | {"edgekit/report/assets/uplot/LICENSE"} == shipped
    assert {f"edgekit/report/assets/{n}" for n in ("page.html", "style.css", "main.js")} < shipped
