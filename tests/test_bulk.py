"""Many files from Python: the rows of the command line, resumed by a record, as tables of other libraries."""

import csv
import io
import sys
from pathlib import Path

import numpy as np
import pytest
from clips import blurred, write_clip
from command_line import run, shown

import edgekit as ek
from edgekit.batch import scoring
from edgekit.batch.progress import Ahead, Progress

pytestmark = pytest.mark.usefixtures("at_home")


@pytest.fixture
def photos():
    """Three photographs, one in a folder inside, and a broken file."""
    for n, name in enumerate(("photos/b.png", "photos/a.png", "photos/trip/c.png")):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        ek.write_image(name, blurred([0.2 + 0.4 * n])[0])
    Path("photos/broken.png").write_bytes(b"broken")
    return Path("photos")


def as_csv(rows):
    """Return rows as the cells of a CSV file."""

    def cell(value):
        return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)

    return [{name: cell(row[name]) for name in rows.columns} for row in rows]


def test_the_rows_are_those_of_the_command_line(photos):
    write_clip(photos / "clip.mp4", blurred([0.2, 1.0]))
    run("score", "photos", "-r", "--measure", "tenengrad", "--measure", "score", "--threshold", "3", "-o", "s.csv")
    expected = list(csv.DictReader(io.StringIO(Path("s.csv").read_text())))
    rows = ek.score_files("photos", recursive=True, measures=["tenengrad", "score"], threshold=3)
    assert as_csv(rows) == expected
    assert len(rows) == 6
    assert [row["status"] for row in rows].count("failed") == 1
    assert repr(rows) == "<Rows: 6 (5 ok, 1 failed)>"
    assert (rows[:2].columns, rows[:2].threshold, len(rows[:2])) == (rows.columns, 3.0, 2)


def test_rows_are_in_the_order_of_the_paths(photos):
    wanted = ["photos/trip/c.png", photos / "a.png", "photos/none[1].png"]
    rows = ek.score_files(wanted, threshold="relative")
    assert [row["path"] for row in rows] == [str(path) for path in wanted]
    assert rows.threshold == pytest.approx(0.5 * np.median([row["score"] for row in rows[:2]]))
    assert len(ek.score_files([])) == 0
    assert ek.score_files("photos/a.png")[0]["path"] == "photos/a.png"


@pytest.mark.parametrize("roi", [np.array([8, 8, 64, 64]), tuple(np.uint8([8, 8, 64, 64])), [8, 8, np.int64(64), 64]])
def test_regions_of_numpy_integers(photos, roi):
    expected = ek.score_files("photos/a.png", roi=(8, 8, 64, 64))
    assert list(ek.score_files("photos/a.png", roi=roi, record="r.record")) == list(expected)
    assert expected[0]["score"] != ek.score_files("photos/a.png")[0]["score"]


def test_a_record_is_resumed(photos, monkeypatch):
    before = ek.score_files("photos", record="scores.record")
    monkeypatch.setattr(scoring, "score_file", None)  # Nothing is measured again.
    monkeypatch.setattr(scoring.ScoreJob, "run", None)
    again = ek.score_files("photos", record="scores.record")
    assert list(again)[:2] == list(before)[:2]


def test_results_of_edgekit_are_left_out(photos):
    ek.filter_files("photos", "photos/edges")
    assert [row["path"] for row in ek.score_files("photos", recursive=True)] == [
        "photos/a.png", "photos/b.png", "photos/broken.png", "photos/trip/c.png",
    ]  # fmt: skip


def test_files_are_filtered_as_by_the_command_line(photos):
    rows = ek.filter_files("photos", "out", operator="scharr", angle=[0, 45], depth="16", recursive=True, workers=1)
    assert [(row["output"], row["status"]) for row in rows[:2]] == [
        ("out/a.scharr-0.png", "done"), ("out/a.scharr-45.png", "done"),
    ]  # fmt: skip
    assert [row["status"] for row in rows].count("failed") == 2
    run("scharr", "photos", "-r", "--angle", "0", "--angle", "45", "--depth", "16", "-o", "there", "--rows", "t.csv")
    expected = list(csv.DictReader(io.StringIO(Path("t.csv").read_text().replace("there/", "out/"))))
    assert as_csv(rows) == expected
    assert np.array_equal(shown("out/trip/c.scharr-45.png"), shown("there/trip/c.scharr-45.png"))
    again = ek.filter_files("photos", "out", operator="scharr", angle=[0, 45], depth="16", recursive=True)
    assert [row["status"] for row in again].count("current") == 6


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_tables_of_other_libraries(library, photos, monkeypatch):
    pytest.importorskip(library)
    rows = ek.score_files("photos")
    convert = {"pandas": rows.to_pandas, "polars": rows.to_polars, "pyarrow": rows.to_arrow}[library]
    table = convert()
    found = table.to_pylist() if library == "pyarrow" else table.to_dicts() if library == "polars" else None
    if found is None:
        assert list(table["path"]) == [row["path"] for row in rows]
        assert table["blurred"].tolist()[:2] == [row["blurred"] for row in rows][:2]
        assert table["blurred"].isna().tolist() == [row["blurred"] is None for row in rows]
        assert str(table["width"].dtype) == "Int64"
        mine = table[["path"]].assign(owner="me").merge(table, on="path")
        assert mine["score"].equals(table["score"])
    else:
        # An empty text may be missing there.
        assert [{k: None if v == "" else v for k, v in row.items()} for row in found] == [
            {name: None if row[name] == "" else row[name] for name in rows.columns} for row in rows
        ]
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ek.MissingExtraError, match="install"):
        convert()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ek.score_files(3), "expected a path, or an iterable of paths; found 3"),
        (lambda: ek.score_files(["a.png", 3]), "found 3 among them"),
        (lambda: ek.score_files("a.png", measures="score"), r"measures='score' must be a sequence of texts"),
        (lambda: ek.score_files("a.png", measures=[]), "no measure is given"),
        (lambda: ek.score_files("a.png", roi=(1, 2)), "must be four integers"),
        (lambda: ek.score_files("a.png", roi=(1, True, 2, 3)), "must be four integers"),
        (lambda: ek.score_files("a.png", roi=(1, 1.0, 2, 3)), "must be four integers"),
        (lambda: ek.score_files("a.png", roi=np.array(3)), "must be four integers"),
        (lambda: ek.score_files("a.png", engine="spark"), "engine='spark' is not known"),
        (lambda: ek.score_files("a.png", workers=0), "workers=0 must be a whole number"),
        (
            lambda: ek.filter_files("a.png", "o", operator="laplacian", size=5),
            "does not take size; it takes",
        ),
        (lambda: ek.filter_files("a.png", "o", operator="sobol"), "sobol"),
        (lambda: ek.filter_files("a.png", "o", angle="x"), "angle='x' must be a finite number"),
    ],
)
def test_wrong_arguments(call, message):
    with pytest.raises(ek.ParameterError, match=message):
        call()


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_bar_tells_what_is_listed_and_what_is_left(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    bar = Progress(shown=True)
    for count in range(1, 12_001):
        bar.listed(count, complete=False)
    assert "listing, 12,000 so far" in terminal.getvalue()
    bar.advance(failed=1, undefined=0)
    assert "%" not in terminal.getvalue()
    bar.listed(12_000, complete=True)
    bar.advance(failed=1, undefined=2)
    bar.clear()
    bar.close()
    assert "/12000 [" in terminal.getvalue()
    assert "0%" in terminal.getvalue()


def test_one_item_has_no_bar(monkeypatch):
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    bar = Progress(shown=True)
    bar.listed(1, complete=True)
    bar.advance()
    bar.close()
    assert terminal.getvalue() == ""


def test_listing_runs_ahead_and_stops():
    seen = []
    ahead = Ahead((n for n in range(5)), lambda count, complete: seen.append((count, complete)))
    assert list(ahead) == [0, 1, 2, 3, 4]
    assert seen[-2:] == [(5, False), (5, True)]

    def broken():
        yield 1
        raise ek.ParameterError("no file matches")

    ahead = iter(Ahead(broken()))
    assert next(ahead) == 1
    with pytest.raises(ek.ParameterError, match="no file matches"):
        next(ahead)

    def endless():
        while True:
            yield 0

    ahead = Ahead(endless())
    assert next(iter(ahead)) == 0
    ahead.close()
    ahead.join(5)
    assert not ahead._thread.is_alive()
