"""Hostile file names: output paths, messages, tables and terminal output."""

import csv
import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import run
from hostile import NAMES
from sampling import on_full

from edgekit.batch.outputs import assign
from edgekit.batch.rows import ScoreTable, csv_lines
from edgekit.batch.score_cache import Row
from edgekit.batch.sources import collect
from edgekit.common.escaping import escape_controls, unambiguous_path

#: Control characters of terminals and of text direction.
ACTIVE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture(autouse=True)
def hostile(at_home):
    """A folder of images and broken files with all hostile names."""
    data = Path("photo.png").read_bytes()
    Path("in/sub").mkdir(parents=True)
    for name in NAMES:
        Path("in", f"{name}.png").write_bytes(data)
        Path("in/sub", f"{name}broken.png").write_bytes(b"\x1b[31mno image")
    Path("photo.png").unlink()
    return Path("in")


def all_files(folder: Path) -> set[Path]:
    return {p.relative_to(folder) for p in folder.rglob("*") if p.is_file()}


def on_a_terminal(*arguments: str) -> str:
    """Run a command with a terminal as standard output and standard error; return its output."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PYTHONUTF8": "1", "TERM": "xterm"}
    command = [sys.executable, "-m", "edgekit", *arguments]
    process = subprocess.Popen(command, stdout=theirs, stderr=theirs, stdin=subprocess.DEVNULL, env=environment)
    os.close(theirs)
    seen = b""
    try:
        while part := os.read(ours, 1 << 16):
            seen += part
    except OSError:  # End of the output.
        pass
    process.wait()
    os.close(ours)
    return seen.decode().replace("\r\n", "\n")


def test_outputs_stay_in_the_output_folder(hostile, tmp_path):
    before = all_files(tmp_path)
    result = run("sobel", "in", "-r", "-o", "out")
    assert result.exit_code == 1
    made = {p for p in all_files(tmp_path) - before if p.parts[:2] == ("album", "out")}
    assert all_files(tmp_path) - before == made
    assert made == {Path("album/out", f"{n}.sobel.png") for n in NAMES} | {Path("album/out/.edgekit.sqlite")}
    assert len(result.stderr.splitlines()) == len(NAMES) + 1
    assert not ACTIVE.search(result.stderr)
    # Names are written byte for byte to a pipe.
    assert set(result.stdout_bytes.split(b".sobel.png\n")[:-1]) == {os.fsencode(f"out/{n}") for n in NAMES}


def test_names_in_json_rows_of_the_current_folder(hostile, monkeypatch):
    monkeypatch.chdir("in")
    result = run("sobel", ".", "-o", "out", "--json", "--exclude", "sub/*")
    rows = [json.loads(line) for line in result.stdout_bytes.splitlines()]
    assert result.exit_code == 0, result.output
    assert {r["input"] for r in rows} == {unambiguous_path(f"{n}.png") for n in NAMES}
    assert all(Path(r["input"]).exists() and Path(r["output"]).exists() for r in rows)
    assert {r["input"][0] for r in rows}.isdisjoint("-=+@")


def test_a_file_named_dash_is_not_standard_input(hostile, monkeypatch):
    """Otherwise a run would wait for standard input."""
    monkeypatch.chdir("in")
    Path("-.png").rename("-")
    for inputs in (["."], ["*"]):
        found = collect(inputs)
        assert Path("-") in {s.path for s in found.sources}
        assert not any(s.stream for s in found.sources)
    result = subprocess.run(
        [sys.executable, "-m", "edgekit", "sobel", ".", "-o", "../out", "-q"], stdin=subprocess.PIPE, timeout=60
    )
    assert result.returncode == 0
    assert Path("../out/-.sobel.png").exists()


def test_patterns_with_parent_folders_are_refused(hostile, tmp_path):
    result = run("sobel", "in/*/../../in/*.png", "-o", "out/deep")
    assert result.exit_code == 2
    assert "must not contain .." in result.stderr
    assert not list(Path().rglob("*.sobel.png"))


@pytest.mark.parametrize("names", [("a.jpg", "a.png", "a.jpg.png"), ("a.png", "a.png.png", "a.bmp"), ("a", "a.png")])
def test_colliding_names_get_different_outputs(names, tmp_path):
    from edgekit.batch.jobs.filtering import FilterJob

    folder = tmp_path / "clash"
    folder.mkdir()
    for name in names:
        (folder / name).write_bytes(next(Path("in").glob("*.png")).read_bytes())
    items = assign(collect([str(folder)]), [FilterJob("sobel")], "out", Path("out"))
    assert len({i.output for i in items}) == len(names) == len(items)


@pytest.mark.parametrize(
    "arguments",
    [("sobel", "in", "-r", "-o", "out"), ("score", "in", "-r"), ("sobel", "in/sub/\x1b[2Jnot there.png"),
     *on_full(
         ("focus", "in"), ("pick", "in", "-n", "9", "-o", "out"), ("score", "in", "-r", "--json"),
         ("sobel", "in", "\x1b[2J", "--debug"), ("\x1b[2J", "in"), ("sobel", "--\x1b[2J"),
         ("filter", "in", "-o", "out", "--kernel", "in/\x1b[2J.json"),
     )],
    ids=lambda a: "-".join(a).replace("\x1b", "ESC"),
)  # fmt: skip
def test_terminal_output_has_no_control_characters(arguments):
    seen = on_a_terminal(*arguments)
    # Only the progress bar moves the cursor, to the beginning of its line and up.
    said = re.sub(r"\x1b\[(A|K)|\r", "", seen)
    assert not ACTIVE.search(said), ACTIVE.search(said)
    assert re.search(r"\\[xnu]", said)


def test_names_on_a_terminal_are_one_line():
    for name, said in (("new\nline", r"new\nline"), ("turned\u202egnp.exe", r"turned\u202egnp.exe")):
        assert on_a_terminal("sobel", f"in/{name}.png", "-o", "out/") == f"out/{said}.sobel.png\n"


def test_score_table_has_one_line_per_image():
    result = run("score", "in")
    assert len(result.stdout.splitlines()) == len(NAMES) + 1
    assert not ACTIVE.search(result.stdout)


@pytest.mark.parametrize("command", [("score", "in", "-r", "-o"), ("sobel", "in", "-r", "-o", "out", "--rows")])
@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_rows_contain_names_unchanged(command, ending):
    result = run(*command, f"rows.{ending}")
    assert result.exit_code == 1
    text = Path(f"rows.{ending}").read_bytes().decode("utf-8", "surrogateescape")
    if ending == "jsonl":
        rows = [json.loads(line) for line in text.split("\n")[:-1]]
        assert text.isascii()
    else:
        rows = list(csv.DictReader(text.splitlines(keepends=True) if "\r" not in text else _lines(text)))
    assert len(rows) == 2 * len(NAMES)
    column = "path" if command[0] == "score" else "input"
    assert {r[column] for r in rows} == {f"in/{n}.png" for n in NAMES} | {f"in/sub/{n}broken.png" for n in NAMES}
    assert all(Path(r[column]).exists() for r in rows)
    reasons = [r["reason"] for r in rows if r["status"] == "failed"]
    assert len(reasons) == len(NAMES)
    assert all(escape_controls(reason) == reason for reason in reasons)
    assert not any(re.search('(^|;)"*[-=+@]', reason) for reason in reasons)


def _lines(text: str) -> object:
    """Return the text as a file opened with `newline=""`, as the manual of `csv` requires."""
    import io

    return io.StringIO(text, newline="")


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t=", "\r="])
@pytest.mark.parametrize("between", ["", ";", "\t", "a;", 'a";"'])
def test_csv_cells_are_never_formulas(begin, between):
    """Not even if a program splits cells at semicolons or tabs."""
    name = f"{between}{begin}1+2.png" if between else f"{begin}1+2.png"
    row = Row(name, 1, 1, 2, 2, (0.5,), "failed", f"{name}: no image")
    table = ScoreTable(("score",), 0.5)
    _, line = csv_lines(table.columns, [table.record(row)])
    (cells,) = csv.reader(_lines(line))
    assert os.path.normpath(cells[0]) == os.path.normpath(name)
    for delimiter in ",;\t":
        for cell in (c for found in csv.reader(_lines(line), delimiter=delimiter) for c in found):
            assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))


def test_escape_controls():
    for name in NAMES:
        said = escape_controls(name)
        assert not ACTIVE.search(said)
        assert "\n" not in said
        said.encode()
    assert escape_controls("naïve 写真 🎞️ عربى") == "naïve 写真 🎞️ عربى"
    assert escape_controls("\x00\x1b\x9b\n\t\udcff\ud800\u202e") == r"\x00\x1b\x9b\n\t\xff\ud800\u202e"
