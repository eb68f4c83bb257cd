"""The scripts of fault injection and long runs, with few trials."""

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def faults(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "scripts")
    return importlib.import_module("faults.batch_faults")


@pytest.mark.full
def test_faults_lose_no_items(faults, capsys, tmp_path, monkeypatch):
    page = tmp_path / "faults.md"
    page.write_text("<!-- faults -->\n<!-- /faults -->\n")
    monkeypatch.setattr(faults, "PAGE", page)
    assert faults.main(["crash", "inputs", "--trials", "2", "--write"]) == 0, capsys.readouterr().out
    rows = [[cell.strip() for cell in line.split("|")] for line in page.read_text().splitlines() if "|" in line][2:]
    assert [row[2] for row in rows] == ["2", "2"]
    assert [row[6:9] for row in rows] == [["0", "0", "0"]] * 2
    # Each image that made a worker crash has a reason.
    assert rows[0][4] == rows[0][5] != "0"


def test_tally_counts_missing_wrong_and_left_files(faults, tmp_path):
    tally = faults.Tally()
    (tmp_path / ".a.png.edgekit-part").touch()
    tally.count({"b": b"1", "c": b"other", "d": "a reason"}, {n: b"1" for n in "abcd"}, where="here")
    tally.look_for_drafts(tmp_path, where="here")
    assert (tally.missing, tally.wrong, tally.failed) == (["here: a"], ["here: c"], 1)
    assert tally.left == ["here: .a.png.edgekit-part"]
    assert not tally.good


@pytest.mark.full
def test_long_run_prints_its_measurements(monkeypatch, tmp_path, capsys):
    monkeypatch.syspath_prepend(ROOT / "scripts")
    long_run = importlib.import_module("faults.long_run")
    monkeypatch.setattr(long_run, "PERIOD", 0.02)
    assert long_run.main(["--count", "150"]) == 0
    rows = re.findall(r"\| `edgekit (score|sobel)` \| 150 \|.*\| (\d+) \| (\d+) \| (\d+) \|", capsys.readouterr().out)
    assert [row[0] for row in rows] == ["score"] * 3 + ["sobel"] * 3
    assert all(int(n) > 0 for row in rows for n in row[1:])
