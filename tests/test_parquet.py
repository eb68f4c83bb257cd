"""Rows as Parquet files, read by PyArrow."""

import csv
import io
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from command_line import run

import edgekit as ek
from edgekit.batch import parquet
from edgekit.batch.rows import ScoreTable
from edgekit.batch.score_cache import Row
from edgekit.common.extras import install_command


@pytest.fixture(autouse=True)
def photos(tmp_path, monkeypatch):
    """A sharp image, a constant one, a broken one, and one whose name is not valid UTF-8."""
    monkeypatch.chdir(tmp_path)
    blocks = np.random.default_rng(4).integers(30, 220, (16, 20)).astype(np.uint8).repeat(16, 0).repeat(16, 1)
    for name, image in (("sharp", blocks), ("flat", np.full((50, 40), 9, np.uint8)), (os.fsdecode(b"\xff"), blocks)):
        ek.write_image(f"photos/{name}.png", image)
    Path("photos/broken.png").write_bytes(b"no image")


def test_parquet_rows_equal_json_lines():
    arguments = ("score", "photos", "--measure", "score", "--measure", "brenner", "--threshold", "0.1")
    assert run(*arguments, "-o", "s.parquet").exit_code == run(*arguments, "-o", "s.jsonl").exit_code == 1
    read = pyarrow.parquet.read_table("s.parquet")
    types = {field.name: str(field.type) for field in read.schema}
    assert types == {
        "path": "string", "page": "int64", "bytes": "int64", "mtime": "double", "width": "int64", "height": "int64",
        "score": "double", "brenner": "double", "blur_px": "double",
        "blur_direction": "double", "confidence": "double", "blurred": "bool", "status": "string", "reason": "string",
        "scorer": "string",
    }  # fmt: skip
    rows = [json.loads(line) for line in Path("s.jsonl").read_text("utf-8").splitlines()]
    for row in rows:
        row["path"] = row["path"].replace("\udcff", "\\xff")
        row["reason"] = row["reason"] or None
    assert read.to_pylist() == rows
    assert [row["status"] for row in rows] == ["failed", "undefined", "ok", "ok"]
    assert [row["score"] is None for row in rows] == [True, True, False, False]


def test_columns_for_frames_of_clips():
    clip = Path(__file__).parents[1] / "samples" / "pan.mp4"
    run("score", clip, "--every", "20", "-o", "frames.parquet")
    read = pyarrow.parquet.read_table("frames.parquet", columns=["frame", "time"]).to_pydict()
    assert read["frame"] == list(range(0, 20 * len(read["frame"]), 20))
    assert np.all(np.diff(read["time"]) > 0)


@pytest.mark.parametrize(("most", "parts"), [(3, [3, 1]), (4, [4]), (2, [2, 2])])
def test_folder_of_parquet_parts(monkeypatch, most, parts):
    monkeypatch.setattr(parquet, "PART", most)
    whole, folder = Path("whole.parquet"), Path("parts.parquet")
    run("score", "photos", "-o", str(whole))
    # The file is replaced by a folder; an existing folder needs no slash.
    run("score", "photos", "-o", str(folder))
    for output in (f"{folder}/", str(folder)):
        assert run("score", "photos", "-o", output).exit_code == 1
        files = sorted(folder.iterdir())
        assert [file.name for file in files] == [f"part-{n:05}.parquet" for n in range(len(parts))]
        assert [pyarrow.parquet.read_metadata(file).num_rows for file in files] == parts
        assert pyarrow.parquet.read_table(folder).equals(pyarrow.parquet.read_table(whole))
    assert sorted(p.name for p in Path().glob(".*parts*")) == [".parts.parquet.edgekit.sqlite"]


def test_folders_with_other_files_are_refused():
    run("score", "photos", "-o", "parts.parquet/")
    Path("parts.parquet/notes.txt").write_text("precious")
    before = {p: p.read_bytes() for p in Path("parts.parquet").iterdir()}
    ran = run("score", "photos", "-o", "parts.parquet/")
    assert ran.exit_code == 2
    assert "parts.parquet/notes.txt: not a part of rows" in ran.stderr
    assert {p: p.read_bytes() for p in Path("parts.parquet").iterdir()} == before


def test_interrupted_runs_keep_the_old_parts(monkeypatch):
    run("score", "photos", "-o", "parts.parquet/")
    before = Path("parts.parquet/part-00000.parquet").read_bytes()
    monkeypatch.setattr(parquet, "PART", 2)

    def rows():
        yield from [Row(f"{n}.png", 1, 1, 2, 3, (0.5,), "ok", "") for n in range(3)]
        raise KeyboardInterrupt

    table = ScoreTable(("score",), 0.5)
    with pytest.raises(KeyboardInterrupt):
        parquet.write_folder(Path("parts.parquet"), table.columns, map(table.record, rows()))
    assert [p.read_bytes() for p in Path("parts.parquet").iterdir()] == [before]
    assert sorted(p.name for p in Path().glob(".*parts*")) == [".parts.parquet.edgekit.sqlite"]


def test_tables_without_rows_have_columns():
    Path("none").mkdir()
    for output in ("none.parquet", "nothing.parquet/"):
        assert run("score", "none", "-o", output).exit_code == 0
        read = pyarrow.parquet.read_table(output)
        assert (read.num_rows, read.column_names[:2]) == (0, ["path", "page"])


def test_missing_pyarrow_is_reported_before_any_output(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    ran = run("score", "photos", "-o", "scores.parquet")
    assert ran.exit_code == 2
    assert f"needs PyArrow: {install_command('parquet')}" in ran.stderr
    assert not list(Path().glob(".scores*"))


@pytest.mark.full
def test_memory_does_not_grow_with_the_number_of_rows():
    code = """
        import math, resource, sys
        from pathlib import Path
        from edgekit.batch.score_cache import Row
        from edgekit.batch.parquet import write_file
        from edgekit.batch.rows import ScoreTable
        rows = (Row(f"photos/{n:09}.jpg", n, n, 640, 480, (1 / (n + 1),), "ok", "") for n in range(int(sys.argv[1])))
        table = ScoreTable(("score",), 0.5)
        write_file(Path("many.parquet"), table.columns, map(table.record, rows))
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    few, many = (int(subprocess.check_output([*command, str(count)])) for count in (50_000, 200_000))
    read = pyarrow.parquet.ParquetFile("many.parquet")
    assert (read.metadata.num_rows, read.metadata.num_row_groups) == (200_000, 4)
    last = read.read_row_group(3, columns=["path", "score"]).to_pylist()[-1]
    assert last == {"path": "photos/000199999.jpg", "score": pytest.approx(1 / 200_000)}
    # The rows as Python objects would take about 100 MiB.
    assert many - few < 50


@pytest.mark.parametrize("engine", [(), ("--timeout", "20")], ids=["threads", "processes"])
def test_filter_rows_are_equal_in_all_formats(engine):
    command = ("sobel", "photos", "--angle", "0", "--angle", "45", "-o", "edges", *engine, "--rows")
    assert run(*command, "r.parquet").exit_code == 1
    read = pyarrow.parquet.read_table("r.parquet")
    types = {field.name: str(field.type) for field in read.schema}
    assert types == {
        "input": "string", "page": "int64", "output": "string", "filter": "string", "status": "string",
        "reason": "string", "width": "int64", "height": "int64", "clipped": "int64", "white": "double",
    }  # fmt: skip
    rows = read.to_pylist()
    assert len(rows) == 8
    assert rows[0] == {
        "input": "photos/broken.png", "page": None, "output": "edges/broken.sobel-0.png", "filter": "sobel-0",
        "status": "failed", "reason": rows[0]["reason"], "width": None, "height": None, "clipped": None, "white": None,
    }  # fmt: skip
    assert rows[0]["reason"].startswith("photos/broken.png: expected an image")
    assert [row["status"] for row in rows] == 2 * ["failed"] + 6 * ["done"]
    assert rows[2] == {
        "input": "photos/flat.png", "page": None, "output": "edges/flat.sobel-0.png", "filter": "sobel-0",
        "status": "done", "reason": None, "width": 40, "height": 50, "clipped": 0, "white": 31.875,
    }  # fmt: skip
    # Outputs that are up to date have rows too, and files of rows are replaced.
    run(*command, "r.parquet")
    run(*command, "parts.parquet/")
    run(*command, "r.jsonl")
    run(*command, "r.csv")
    again = pyarrow.parquet.read_table("r.parquet").to_pylist()
    assert [row["status"] for row in again] == 2 * ["failed"] + 6 * ["current"]
    assert pyarrow.parquet.read_table("parts.parquet").to_pylist() == again
    lines = [json.loads(line) for line in Path("r.jsonl").read_text("utf-8").splitlines()]
    text = Path("r.csv").read_bytes().decode("utf-8", "surrogateescape")
    cells = list(csv.DictReader(io.StringIO(text, newline="")))
    for row, line, cell in zip(again, lines, cells, strict=True):
        line = {k: v.replace("\udcff", "\\xff") if isinstance(v, str) else v for k, v in line.items()}
        assert line == row
        texts = {k: v if v is None else str(v) for k, v in row.items()}
        assert {k: v.replace("\udcff", "\\xff") or None for k, v in cell.items()} == texts


def test_rows_do_not_replace_files_of_others():
    Path("mine.csv").write_text("precious")
    Path("edges").mkdir()
    for name, said in (("mine.csv", "did not write"), ("rows.txt", "rows are written as")):
        refused = run("sobel", "photos", "-o", "edges", "--rows", name)
        assert refused.exit_code == 2
        assert said in refused.stderr
        assert not list(Path("edges").glob("*.png"))
    assert Path("mine.csv").read_text() == "precious"
    assert run("sobel", "photos", "-o", "edges", "--rows", "mine.csv", "--force").exit_code == 1
    assert (
        Path("mine.csv").read_bytes().startswith(b"input,page,output,filter,status,reason,width,height,clipped,white\n")
    )
    Path("mine.csv").write_text("precious again")
    assert run("sobel", "photos", "-o", "edges", "--rows", "mine.csv").exit_code == 2
    assert Path("mine.csv").read_text() == "precious again"
