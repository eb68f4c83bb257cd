"""The evaluation of edge detectors on synthetic images: table, stored results, failures and plots."""

import importlib
import json
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

import edgekit as ek

ROOT = Path(__file__).parents[1]
SHAPE = (120, 160)


@pytest.fixture
def script(monkeypatch):
    """Return a function that imports a script by its name."""
    monkeypatch.syspath_prepend(ROOT / "scripts")
    return importlib.import_module


def write_boundaries(path, *people):
    cell = np.empty((1, len(people)), object)
    for i, person in enumerate(people):
        cell[0, i] = {"Boundaries": person.astype(np.uint8)}
    savemat(path, {"groundTruth": cell})


@pytest.fixture
def data(tmp_path):
    """Three images of a bright rectangle, the last with low contrast, and the boundaries of two annotators."""
    images, boundaries = tmp_path / "images", tmp_path / "boundaries"
    images.mkdir()
    boundaries.mkdir()
    for i, bright in enumerate((200, 160, 100)):
        picture = np.full((*SHAPE, 3), 80, np.uint8)
        picture[30:90, 30 + 10 * i : 100] = bright
        ek.write_image(images / f"p{i}.png", picture)
        rim = np.zeros(SHAPE, bool)
        rim[30:90, 30 + 10 * i : 100] = True
        rim[31:89, 31 + 10 * i : 99] = False
        write_boundaries(boundaries / f"p{i}.mat", rim, rim)
    (images / "notes.txt").write_text("no photograph")
    return tmp_path


@pytest.fixture
def run(script, data):
    """Return a function that runs the script on the images and returns its output folder."""

    def go(*options, methods="opencv-canny", thresholds=19):
        script("evaluation.edge_detection").main(
            [str(data / "images"), str(data / "boundaries"), "-o", str(data / "out"),
             "--methods", methods, "--thresholds", str(thresholds), *options]
        )  # fmt: skip
        return data / "out"

    return go


@pytest.fixture
def calls(script, monkeypatch):
    """List the strengths that are measured, not read from stored results."""
    evaluate_edges = script("evaluation.edge_detection")
    measured = []

    def tally(strength, people, thresholds):
        measured.append(strength)
        return evaluate_edges.boundary_tally(strength, people, thresholds)

    monkeypatch.setattr(evaluate_edges, "boundary_tally", evaluate_edges.tally, raising=False)
    monkeypatch.setattr(evaluate_edges, "tally", tally)
    return measured


def cells(text):
    """Return the table's rows."""
    return [[c.strip() for c in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]


def test_table_of_results(run, capsys):
    out = run(methods="skimage-canny,opencv-canny")
    text = (out / "table.md").read_text(encoding="utf-8")
    printed = capsys.readouterr()
    assert printed.out == text
    assert printed.err == ""
    assert text.startswith("3 photographs, 19 thresholds.")
    head, _, scikit, opencv = cells(text)
    assert head == ["method", "ODS", "threshold", "OIS", "AP", "ms"]
    assert (scikit[0], opencv[0]) == ("scikit-image canny, σ = 2", "OpenCV Canny, σ = 2")
    for row in (scikit, opencv):
        assert 0.9 < float(row[1]) <= float(row[3]) <= 1
        assert float(row[5]) > 0
    scores = json.loads((out / "scores.json").read_text(encoding="utf-8"))
    assert f"{scores['opencv-canny']['light']['ods']:.3f}" == opencv[1]
    assert scores["opencv-canny"]["dark"] is None


def test_stored_results_are_not_measured_again(run, calls, script, data, monkeypatch):
    run()
    assert len(calls) == 3
    run()
    run("--limit", "2")
    assert len(calls) == 3
    run(thresholds=9)
    assert len(calls) == 6
    run("--dark")
    assert len(calls) == 9
    # A changed photograph with the same name is measured again.
    ek.write_image(data / "images" / "p1.png", np.zeros((*SHAPE, 3), np.uint8))
    run()
    assert len(calls) == 10
    # A changed method with the same name is measured again.
    methods = script("evaluation.edge_methods")
    other = methods.METHODS["skimage-canny"]._replace(name="opencv-canny")
    monkeypatch.setitem(methods.METHODS, "opencv-canny", other)
    run()
    assert len(calls) == 13


def test_killed_runs_are_resumed(run, calls, script, monkeypatch):
    evaluate_edges = script("evaluation.edge_detection")
    counting = evaluate_edges.tally

    def killed(*arguments):
        if len(calls) == 2:
            raise KeyboardInterrupt
        return counting(*arguments)

    monkeypatch.setattr(evaluate_edges, "tally", killed)
    with pytest.raises(KeyboardInterrupt):
        run()
    monkeypatch.setattr(evaluate_edges, "tally", counting)
    assert (run() / "table.md").exists()
    assert len(calls) == 3


def test_broken_files_are_reported(run, data, capsys):
    whole = cells((run() / "table.md").read_text(encoding="utf-8"))[2]
    capsys.readouterr()
    picture = np.full((*SHAPE, 3), 90, np.uint8)
    for name in ("lonely", "garbled", "turned"):
        ek.write_image(data / "images" / f"{name}.png", picture)
    (data / "images" / "broken.png").write_bytes(b"no image")
    write_boundaries(data / "boundaries" / "broken.mat", np.zeros(SHAPE))
    (data / "boundaries" / "garbled.mat").write_bytes(b"no matrix")
    write_boundaries(data / "boundaries" / "turned.mat", np.zeros(SHAPE[::-1]))
    with pytest.raises(SystemExit) as stop:
        run()
    assert stop.value.code == 1
    rows = capsys.readouterr().err.splitlines()
    assert [row.split(":")[0] for row in rows] == ["broken", "garbled", "lonely", "turned"]
    assert "lonely.mat" in rows[2]
    assert "(160, 120)" in rows[3]
    # The results of valid files do not change.
    text = (data / "out" / "table.md").read_text(encoding="utf-8")
    assert text.startswith("3 photographs")
    assert cells(text)[2][:5] == whole[:5]


def test_failing_methods_are_reported(run, script, monkeypatch, capsys):
    methods = script("evaluation.edge_methods")
    good = methods.METHODS["opencv-canny"]

    def strength(image):
        if image.max() == 160:
            raise RuntimeError("not this one")
        return good.strength(image)

    monkeypatch.setitem(methods.METHODS, "opencv-canny", good._replace(strength=strength))
    with pytest.raises(SystemExit):
        run()
    printed = capsys.readouterr()
    assert printed.err == "p1: opencv-canny: RuntimeError: not this one\n"
    assert len(cells(printed.out)) == 3


def test_photographs_without_boundaries_are_reported(run, data, capsys):
    for path in (data / "boundaries").iterdir():
        path.unlink()
    with pytest.raises(SystemExit):
        run()
    assert capsys.readouterr().err.count("\n") == 4  # One line for each photograph, and one that none is left.


def test_dark_columns_show_dependence_on_exposure(run, script, monkeypatch):
    methods = script("evaluation.edge_methods")
    seen = []

    def strength(image):
        # The left and right sides of the rectangles, with strengths of 0.94, 0.63 and 0.16, and two false edges in each
        # image, with at most 0.2. In dark images the strengths are an eighth: their best threshold finds the same two
        # rectangles, but the best threshold of the light images finds nothing.
        seen.append(int(image.max()))
        gray = image[..., 0].astype(np.float32)
        out = 2 / 255 * np.abs(np.diff(gray, axis=1, append=gray[:, -1:]))
        out[:, [5, 10]] = image.max() / 1000
        return out

    row = methods.Method("sides", "sides", strength, lambda image, _: strength(image))
    monkeypatch.setitem(methods.METHODS, "sides", row)
    out = run("--dark", methods="sides")
    head, _, (_, ods, at, _, _, _, dark, loss, fixed) = cells((out / "table.md").read_text(encoding="utf-8"))
    assert head[6:] == ["dark ODS", "loss", "dark F at the same threshold"]
    # 200 / 8 is 25, 160 / 8 is 20, and 100 / 8 rounds to 12.
    assert {25, 20, 12} < set(seen)
    assert 0.2 < float(at) < 0.65
    # Found: two sides of 60 pixels in two photographs, all drawn. Drawn in total: 256 + 236 + 216 pixels.
    assert float(ods) == pytest.approx(2 / (1 + 708 / 240), abs=2e-3)
    assert float(dark) == float(ods)
    assert (float(loss), float(fixed)) == (0, 0)


def test_find_with_a_limit_and_with_missing_boundaries(script, data):
    good, bad = script("evaluation.edge_detection").find(data / "images", data / "boundaries", 2)
    assert [pair.image.stem for pair, _ in good] == ["p0", "p1"]
    assert bad == []
    (data / "boundaries" / "p1.mat").unlink()
    good, bad = script("evaluation.edge_detection").find(data / "images", data / "boundaries", None)
    assert [pair.image.stem for pair, _ in good] == ["p0", "p2"]
    assert [failure.stem for failure in bad] == ["p1"]


@pytest.mark.full
def test_results_do_not_depend_on_processes(run, data):
    def numbers():
        row = json.loads((data / "out" / "scores.json").read_text(encoding="utf-8"))["opencv-canny"]
        return row["light"]

    run()
    alone = numbers()
    (data / "out" / "results.sqlite").unlink()
    run("-j", "2")
    assert numbers() == alone


@pytest.mark.parametrize(
    "options", [["--methods", "nothing"], ["--thresholds", "0"], ["-j", "-1"], ["--limit", "none"]], ids=lambda o: o[0]
)
def test_invalid_options_are_refused(run, options, capsys):
    with pytest.raises(SystemExit) as stop:
        run(*options)
    assert stop.value.code == 2
    assert options[1] in capsys.readouterr().err


@pytest.mark.full
def test_curves_are_drawn(run):
    def coloured(*options):
        curves = ek.read_image(run(*options, methods="opencv-canny,skimage-canny") / "curves.png")
        assert 600 < curves.shape[0] < 1400
        assert curves.shape[1] == 1080
        colours = (0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00), (0x00, 0x9E, 0x73)
        return [int((np.abs(curves.astype(int) - colour).sum(2) < 12).sum()) for colour in colours]

    first, second, third = coloured()
    # One colour for each method, also for its dark curve.
    assert first > 50
    assert second > 50
    assert third == 0
    dark = coloured("--dark")
    assert dark[0] > first + 20
    assert dark[1] > second + 20


@pytest.mark.full
def test_sheets_are_drawn(run, script, data):
    scores = run("--limit", "1") / "scores.json"
    sheet = data / "sheet.png"
    edge_sheet = script("figures.edges")
    edge_sheet.main([str(data / "images"), str(data / "boundaries"), "--stems", "p0,p2", "--scores", str(scores),
                     "--methods", "opencv-canny", "-o", str(sheet)])  # fmt: skip
    picture = ek.read_image(sheet)
    # Two rows of images at three quarters of their width.
    assert picture.shape[1] == 1080
    assert 2 * 180 < picture.shape[0] < 2 * 320
    edge_sheet.main(["--methods", "opencv-canny", "-o", str(sheet)])
    assert ek.read_image(sheet).shape[0] > picture.shape[0]


def test_sheets_of_other_photographs_need_an_output_path(script, data, capsys):
    with pytest.raises(SystemExit):
        script("figures.edges").main([str(data / "images"), str(data / "boundaries")])
    assert "-o" in capsys.readouterr().err


def test_inked_keeps_thin_lines(script):
    line = np.zeros((90, 90), np.float32)
    line[:, 44] = 1
    shown = script("figures.edges").inked(line, np.zeros((30, 30, 3), np.uint8))
    assert shown.shape == (30, 30)
    assert (shown[:, 14] == 0).all()
    assert (np.delete(shown, 14, axis=1) == 255).all()


def test_strongest_edges_do_not_depend_on_scale(script):
    strength = np.random.default_rng(3).random((40, 50))
    strength[:, 25:] = 0
    shown = script("figures.edges").strongest(strength)
    assert shown.sum() == 60  # 3 % of 2000.
    assert strength[shown > 0].min() > strength[shown == 0].max()
    np.testing.assert_array_equal(script("figures.edges").strongest(strength**3 / 7), shown)
    assert not script("figures.edges").strongest(np.zeros((9, 9))).any()


@pytest.fixture
def step():
    """A step over the whole range, to the right."""
    image = np.zeros((40, 60, 3), np.uint8)
    image[:, 30:] = 255
    return image


METHODS = (
    "sobel", "gaussian", "opencv-canny", "skimage-canny", "zero-crossings", "canny", "detect", "detect-edges",
    "learned-fast", "learned", "learned-edges",
)  # fmt: skip


@pytest.mark.parametrize("name", METHODS)
def test_methods_find_a_step(script, step, name):
    rows = script("evaluation.edge_methods").METHODS
    assert tuple(rows) == METHODS
    strength = rows[name].strength(step)
    assert strength.shape == (40, 60)
    assert strength.dtype == np.float32
    assert strength.max() <= 1
    inner = strength[5:-5]
    # The strongest possible step. edgekit's detector weights strengths by their surroundings.
    found, elsewhere = (0.5, 0.25) if name.startswith(("detect", "learned")) else (0.9, 0.001)
    assert (inner[:, 28:32].max(axis=1) > found).all()
    assert max(inner[:, :27].max(), inner[:, 33:].max()) < elsewhere
    rows[name].once(step, 0.5)


@pytest.mark.parametrize("name", METHODS)
def test_methods_find_nothing_in_constant_images(script, name):
    row = script("evaluation.edge_methods").METHODS[name]
    assert not row.strength(np.full((40, 60, 3), 90, np.uint8)).any()


@pytest.mark.parametrize("name", ["opencv-canny", "skimage-canny", "canny"])
def test_strength_is_the_largest_threshold_with_an_edge(script, name):
    row = script("evaluation.edge_methods").METHODS[name]
    image = ek.read_image(ROOT / "samples" / "chelsea.png")[60:160, 60:200]
    strength = row.strength(image)
    for threshold in (0.1, 0.33, 0.5):
        survived, edges = strength >= threshold, row.once(image, threshold) != 0
        assert not (edges & ~survived).any()
        # edgekit may thin lines to other pixels at another threshold.
        assert (survived & ~edges).sum() <= (0.02 * edges.sum() if name == "canny" else 0)
