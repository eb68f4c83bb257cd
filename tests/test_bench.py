"""Benchmarks: all suites run, different results are refused, and the pages are written."""

import importlib
import json
import math
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "docs/performance.md")


@pytest.fixture(scope="module")
def patch():
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(ROOT / "scripts")
        # Times do not matter here: one call of each case is enough.
        for place, value in {
            "harness.comparison.LEAST": 0, "harness.comparison.PAUSE": 0, "harness.processes.UNMEASURED": 0,
            "suites.batch.REDUCED": 0.02, "suites.scaling.PIXELS": (0.01,), "suites.scaling.PEAKS": (0.01,),
            "suites.scaling.SIGMAS": (1,), "suites.scaling.SIDES": (3, 21), "suites.scaling.ANGLES": (1, 2),
            "suites.scaling.WORKERS": (1,),
        }.items():  # fmt: skip
            module, name = place.rsplit(".", 1)
            patched.setattr(importlib.import_module(f"benchmarks.{module}"), name, value)
        yield patched


@pytest.fixture(scope="module")
def bench(patch):
    return importlib.import_module("benchmarks.run")


@pytest.fixture(scope="module")
def comparison(patch):
    return importlib.import_module("benchmarks.harness.comparison")


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photographs")
    for name in ("camera", "chelsea"):
        cv2.imwrite(str(folder / f"{name}.jpg"), cv2.imread(str(ROOT / "samples" / f"{name}.png"))[:200, :240])
    return folder


@pytest.fixture(scope="module")
def run_suites(bench, patch, photographs, tmp_path_factory):
    """Return a function that runs suites and returns the folder with the pages, plots and everything.json."""

    def measure(*suites):
        folder = tmp_path_factory.mktemp("bench")
        (folder / "docs").mkdir()
        for name in PAGES:
            shutil.copyfile(ROOT / name, folder / name)
        patch.setattr(bench, "README", folder / "README.md")
        patch.setattr(bench, "PAGE", folder / "docs" / "performance.md")
        bench.main(
            [*suites, "--runs", "1", "--sizes", "0.01", "--types", "uint8", "--count", "2",
             "--photographs", str(photographs), "--json", str(folder / "everything.json"), "--plots", str(folder),
             "--write"]
        )  # fmt: skip
        return folder

    return measure


@pytest.fixture(scope="module")
def all_suites(run_suites, patch):
    """The folder that all suites write to."""
    return run_suites("all")


@pytest.fixture
def results(all_suites):
    return json.loads((all_suites / "everything.json").read_text("utf-8"))


def test_suite_results_are_written_to_the_page(run_suites):
    output = run_suites("overhead")
    (contests,) = json.loads((output / "everything.json").read_text("utf-8"))["suites"].values()
    assert all(len(entry["seconds"]) == 1 for contest in contests for entry in contest["contenders"].values())
    written, before = ((folder / "docs" / "performance.md").read_text("utf-8") for folder in (output, ROOT))
    assert written != before
    assert text_outside_blocks(written) == text_outside_blocks(before)


@pytest.mark.parametrize("bars", [False, True])
def test_plots_are_1080_pixels_wide(patch, bars, tmp_path):
    plots = importlib.import_module("benchmarks.harness.plots")
    path = plots.draw(plots.Chart("one", "One", "pixels", "ms", {"a": [(1, 3)], "b": [(1, 2)]}, bars=bars), tmp_path)
    assert cv2.imread(str(path)).shape[1] == 1080


@pytest.mark.full
def test_every_suite_runs(bench, results):
    assert list(results["suites"]) == list(bench.SUITES)
    assert all(results["suites"].values())


@pytest.mark.full
def test_json_has_all_measurements(results):
    assert {"processor", "cores", "caches", "system", "python", "libraries", "edgekit"} <= set(results["machine"])
    assert results["machine"]["libraries"]["numpy"] == np.__version__
    (magnitude,) = (c for c in results["suites"]["filter"] if c["name"] == "magnitude-uint8-0.01")
    assert {"opencv", "base", "base-out", "skimage", "floor"} <= set(magnitude["contenders"])
    for contender in magnitude["contenders"].values():
        assert len(contender["seconds"]) == 1
        assert contender["low"] <= contender["median"] <= contender["high"]
        assert set(contender["ratios"]) == {"opencv", "floor"}
    base = magnitude["contenders"]["base"]
    assert base["ratios"]["opencv"]["median"] == pytest.approx(
        base["seconds"][0] / magnitude["contenders"]["opencv"]["seconds"][0]
    )
    assert base["largest_difference"] <= magnitude["facts"]["tolerance"]
    batches = results["suites"]["batch"]
    assert len({batch["facts"]["images"] for batch in batches}) == 2
    for batch in batches:
        assert all(batch["contenders"][name]["peak_mib"] > 10 for name in ("opencv", "edgekit"))
    # Programs that take one file at a time are not listed for many files.
    few, many = ({*batch["contenders"], *batch["left_out"]} for batch in batches[1:])
    assert len(few - many) == 2


@pytest.mark.full
def test_missing_contenders_have_a_reason(results):
    found = [c for comparisons in results["suites"].values() for c in comparisons]
    assert all(reason for c in found for reason in c["left_out"].values())
    labels = {e["label"] for c in results["suites"]["filter"] for e in c["contenders"].values()}
    missing = {label for c in results["suites"]["filter"] for label in c["left_out"]}
    assert {"scikit-image", "SciPy", "kornia, torch on the CPU", "pyvips, `conv`"} <= labels | missing


def text_outside_blocks(text: str) -> str:
    """Return the text outside of generated blocks."""
    return re.sub(r"(<!-- (\w+) -->).*?(<!-- /\2 -->)", r"\1\3", text, flags=re.DOTALL)


@pytest.mark.full
def test_every_block_is_written(all_suites):
    for name, expected in zip(PAGES, (["filters"], None), strict=True):
        written, before = ((folder / name).read_text("utf-8") for folder in (all_suites, ROOT))
        for block in expected or re.findall(r"<!-- (\w+) -->", before):
            (content,) = re.findall(rf"<!-- {block} -->\n(.*?)<!-- /{block} -->", written, re.DOTALL)
            assert "Not run_suites yet" not in content, block
            assert content.count("\n|") >= 3, block
        # The other text does not change.
        assert text_outside_blocks(written) == text_outside_blocks(before)


@pytest.mark.full
def test_table_rows_have_equal_numbers_of_cells(all_suites):
    for table in re.findall(r"(?:^\|.*\n)+", (all_suites / "docs" / "performance.md").read_text("utf-8"), re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1, table


@pytest.mark.full
def test_plots_of_all_suites_are_written(all_suites):
    drawings = {path.stem for path in all_suites.glob("*.png")}
    scaling = {"scaling-pixels", "scaling-workers", "scaling-memory"}
    assert {"filter-magnitude", "score", "batch-whole", *scaling} <= drawings
    for path in all_suites.glob("*.png"):
        assert cv2.imread(str(path)).shape[1] == 1080


def make_work(comparison, **changes):
    """Return the work of two contenders; `changes` are options of the second."""
    contenders = (comparison.Contender("first", "the first"), comparison.Contender("second", "the second", **changes))
    return comparison.Work("make_work", "Some make_work", "fakes", {}, contenders, ["first"], tolerance=0.01, margin=1)


@pytest.fixture
def fakes(tmp_path, monkeypatch):
    """Return a function that writes contenders with other values at the border and in the middle (10, `second`)."""

    def write(second: str) -> None:
        (tmp_path / "fakes.py").write_text(
            "import numpy as np\n"
            "def make(name):\n"
            "    plane = np.zeros((9, 9)); plane[0] = name == 'first'\n"
            f"    plane[4, 4] = 10 if name == 'first' else {second}\n"
            "    return lambda: plane\n"
        )

    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return write


def test_contenders_with_equal_results_are_timed(comparison, fakes):
    fakes("5.004")
    with importlib.import_module("benchmarks.harness.workers").Workers() as workers:
        done = comparison.compare(make_work(comparison, factor=2.0), workers, 2)
    assert done.entries["second"].difference == pytest.approx(0.008)
    assert [len(entry.seconds) for entry in done.entries.values()] == [2, 2]


@pytest.mark.parametrize("second", ["5.006", "np.nan"])
def test_different_results_raise_disagreement(comparison, fakes, second):
    fakes(second)
    with (
        importlib.import_module("benchmarks.harness.workers").Workers() as workers,
        pytest.raises(importlib.import_module("benchmarks").Disagreement, match="the second differs from the first"),
    ):
        comparison.compare(make_work(comparison, factor=2.0), workers, 1)


def test_contenders_with_own_results_are_not_compared(comparison, fakes):
    fakes("99")
    with importlib.import_module("benchmarks.harness.workers").Workers() as workers:
        done = comparison.compare(make_work(comparison, own="lies"), workers, 1)
    assert (done.entries["second"].own, done.entries["second"].difference) == ("lies", None)


def test_differences_between_output_folders(patch, tmp_path):
    batch = importlib.import_module("benchmarks.suites.batch")
    for name, level in (("one", 100), ("two", 102)):
        (tmp_path / name).mkdir()
        cv2.imwrite(str(tmp_path / name / "a.png"), np.full((8, 8), level, np.uint8))
    assert batch.differences(tmp_path / "one", tmp_path / "two") == 2
    cv2.imwrite(str(tmp_path / "two" / "b.png"), np.zeros((8, 8), np.uint8))
    with pytest.raises(importlib.import_module("benchmarks").Disagreement, match="2 pictures of 1"):
        batch.differences(tmp_path / "one", tmp_path / "two")


def test_ratios_are_medians_of_paired_runs(comparison):
    # Both slow down by the same factor: the ratio is 2, whatever the medians of all runs are.
    slow, fast = comparison.Entry("slow", "", [2, 4, 8]), comparison.Entry("fast", "", [1, 2, 4, 8, 16])
    both = comparison.Comparison("both", "", {"slow": slow, "fast": fast}, ["fast"])
    assert both.ratio("slow", "fast") == (2, 2, 2)
    assert comparison.spread([1, 2, 3, 4, 5]) == (2, 3, 4)


def test_difference_of_shapes_and_of_scaled_values(comparison):
    assert comparison.difference(np.zeros((4, 4)), np.zeros((4, 5)), (1, 1), 0) == math.inf
    assert comparison.difference(np.array(3.0), np.array(2.0), (1, 2), 1) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["score"], "score need --photographs"), (["nothing"], "invalid choice"),
        (["filter", "--sizes", "0"], "not a list of megapixels"), (["filter", "--types", "int4"], "int4 is none of"),
        (["filter", "--runs", "0"], "not a number from 1 on"),
    ],
)  # fmt: skip
def test_invalid_arguments_are_refused(bench, arguments, message, capsys):
    with pytest.raises(SystemExit):
        bench.main(arguments)
    assert message in capsys.readouterr().err
