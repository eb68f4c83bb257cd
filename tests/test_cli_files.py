"""Input folders and globs, output folders and existing files on the command line."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from command_line import run, shown

import edgekit as ek

pytestmark = pytest.mark.usefixtures("at_home")


@pytest.fixture
def tree():
    """A folder with odd names, wrong endings, broken files and files that are not images."""
    data = Path("photo.png").read_bytes()
    for name in (
        "a b.png",
        "ÜBER.PNG",
        "sub/no-ending",
        "sub/wrong.jpg",
        "sub/same.png",
        "sub/same.bmp",
        ".hidden.png",
    ):
        path = Path("photos", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    Path("photos/notes.txt").write_text("hello")
    Path("photos/broken.png").write_bytes(data[:200])
    Path("photos/empty.jpg").write_bytes(b"")
    return Path("photos")


def listing(folder: str) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in Path(folder).rglob("*") if p.is_file())


@pytest.mark.parametrize(
    "command",
    [("sobel", "-o", "out"), ("canny", "-o", "out"), ("score",), ("pick", "-n", "2", "-o", "out"), ("focus", "--json")],
    ids=lambda command: command[0],
)
@pytest.mark.parametrize("content", ["nothing", "a text"])
def test_folders_without_images_give_a_message(command, content):
    Path("folder").mkdir()
    if content == "a text":
        Path("folder/notes.txt").write_text("hello")
    said = run(command[0], "folder", *command[1:]).stderr
    assert "edgekit: no images found" in said
    assert ("1 skipped (not images)" in said) == (content == "a text")


def test_output_folder_mirrors_input_and_failures_are_listed(tree):
    result = run("sobel", "photos", "-r", "-o", "edges", "-j", "2")
    assert result.exit_code == 1
    assert listing("edges") == [
        ".edgekit.sqlite",
        "a b.sobel.png",
        "sub/no-ending.sobel.png",
        "sub/same.bmp.sobel.png",
        "sub/same.png.sobel.png",
        "sub/wrong.sobel.png",
        "ÜBER.sobel.png",
    ]
    assert sorted(result.stdout.splitlines()) == [f"edges/{p}" for p in listing("edges")[1:]]
    *failures, summary = result.stderr.splitlines()
    assert len(failures) == 2
    assert any("photos/broken.png: this PNG file is truncated" in line for line in failures)
    assert any("photos/empty.jpg: the file is empty (0 bytes)" in line for line in failures)
    assert summary.startswith("edgekit: 6 done, 2 failed, 1 skipped (not images) in ")


def test_file_names_that_are_not_utf8():
    name = os.fsdecode(b"a\xff.png")
    Path("odd").mkdir()
    Path("odd", name).write_bytes(Path("photo.png").read_bytes())
    for said in ("1 done", "1 up to date"):
        result = run("sobel", "odd", "photo.png", "-o", "edges")
        assert result.exit_code == 0
        assert said in result.stderr or "2 " in result.stderr
        assert b"edges/a\xff.sobel.png" in result.stdout_bytes
    assert Path("edges", os.fsdecode(b"a\xff.sobel.png")).exists()


def test_subfolders_are_skipped_without_recursive(tree):
    run("sobel", "photos", "-o", "edges", "-q")
    assert listing("edges") == [".edgekit.sqlite", "a b.sobel.png", "ÜBER.sobel.png"]


def test_include_and_exclude(tree):
    run("sobel", "photos", "-r", "-o", "edges", "--include", "*.png", "--exclude", "sub/*")
    assert listing("edges") == [".edgekit.sqlite", "a b.sobel.png"]


def test_outputs_of_a_glob_keep_the_subfolders(tree):
    assert run("sobel", "photos/**/same.*", "-o", "edges").exit_code == 0
    assert listing("edges")[1:] == ["sub/same.bmp.sobel.png", "sub/same.png.sobel.png"]
    nothing = run("sobel", "photos/*.xyz", "-o", "edges")
    assert nothing.exit_code == 2
    assert "no file matches" in nothing.stderr


def test_two_input_folders_give_two_output_folders(tree):
    Path("more").mkdir()
    Path("more/a b.png").write_bytes(Path("photo.png").read_bytes())
    run("sobel", "photos", "more", "-o", "edges", "--include", "a*")
    assert listing("edges")[1:] == ["more/a b.sobel.png", "photos/a b.sobel.png"]


def test_folders_need_an_output_folder(tree):
    result = run("sobel", "photos")
    assert result.exit_code == 2
    assert "choose one with -o" in result.stderr


def test_empty_folders_exit_with_0():
    Path("empty").mkdir()
    result = run("sobel", "empty", "-o", "edges")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "no images found" in result.stderr


def test_json_has_one_object_for_each_item(tree):
    result = run("sobel", "photos", "-o", "edges", "--json")
    rows = {r["input"]: r for r in map(json.loads, result.stdout.splitlines())}
    assert set(rows) == {f"photos/{n}" for n in ("a b.png", "ÜBER.PNG", "broken.png", "empty.jpg")}
    assert rows["photos/a b.png"] == {
        "input": "photos/a b.png", "output": "edges/a b.sobel.png", "filter": "sobel", "status": "done",
        "width": 40, "height": 30, "clipped": rows["photos/a b.png"]["clipped"], "white": 31.875,
    }  # fmt: skip
    assert rows["photos/empty.jpg"]["status"] == "failed"
    assert "0 bytes" in rows["photos/empty.jpg"]["reason"]


def test_quiet_prints_only_errors(tree):
    result = run("sobel", "photos", "-o", "edges", "-q")
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 2


def test_rerun_skips_current_and_replaces_stale_outputs(tree):
    def made() -> dict[str, int]:
        return {p: Path("edges", p).stat().st_mtime_ns for p in listing("edges")[1:]}

    run("sobel", "photos", "-o", "edges")
    first = made()
    again = run("sobel", "photos", "-o", "edges")
    assert "2 up to date" in again.stderr
    assert made() == first
    # Another job under the same name, then a changed input.
    run("sobel", "photos", "-o", "edges", "--depth", "16")
    assert all(made()[p] > first[p] for p in first)
    second = made()
    ek.write_image("photos/a b.png", np.zeros((9, 9), np.uint8))
    result = run("sobel", "photos", "-o", "edges", "--depth", "16")
    assert "1 done, 1 up to date" in result.stderr
    assert {p for p in first if made()[p] > second[p]} == {"a b.sobel.png"}
    assert shown("edges/a b.sobel.png").shape == (9, 9)


@pytest.mark.parametrize("output", ["photos/out", "photos"])
def test_outputs_in_the_input_folder_are_not_read(tree, output):
    first = run("sobel", "photos", "-r", "-o", output)
    made = listing(output)
    second = run("sobel", "photos", "-r", "-o", output)
    assert "6 done" in first.stderr
    assert "6 up to date, 2 failed" in second.stderr
    assert listing(output) == made


def test_second_run_into_one_folder_is_refused(tree):
    from edgekit.batch.output_log import NAME, OutputLog

    with OutputLog(Path("edges", NAME), alone=True):
        result = run("sobel", "photos", "-o", "edges")
    assert result.exit_code == 2
    assert f"another edgekit (process {os.getpid()} on " in result.stderr
    assert run("sobel", "photo.png", "-o", "edges/").exit_code == 0


def test_single_output_in_an_output_folder_is_replaced(tree):
    run("sobel", "photo.png", "-o", "edges/")
    assert run("sobel", "photo.png", "-o", "edges/photo.sobel.png", "--border", "wrap").exit_code == 0


def test_an_output_folder_can_be_moved(tree):
    run("sobel", "photos", "-o", "edges")
    Path("edges").rename("moved")
    assert "2 up to date" in run("sobel", "photos", "-o", "moved").stderr


@pytest.mark.parametrize("output", ["mine.png", "edges/"])
def test_files_of_others_are_replaced_only_with_force(output):
    target = Path(output if output.endswith(".png") else "edges/photo.sobel.png")
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(b"precious")
    refused = run("sobel", "photo.png", "-o", output)
    assert refused.exit_code == 1
    assert "edgekit did not write" in refused.stderr
    assert target.read_bytes() == b"precious"
    assert run("sobel", "photo.png", "-o", output, "--force").exit_code == 0
    assert run("sobel", "photo.png", "-o", output, "--border", "wrap").exit_code == 0
    # A changed output counts as a file of others.
    target.write_bytes(b"precious again")
    assert run("sobel", "photo.png", "-o", output).exit_code == 1
    assert target.read_bytes() == b"precious again"


@pytest.mark.parametrize("force", [[], ["--force"]])
def test_inputs_are_never_replaced(force):
    before = Path("photo.png").read_bytes()
    Path("link.png").symlink_to("photo.png")
    for output in ("photo.png", "../album/photo.png", "link.png"):
        result = run("sobel", "photo.png", "-o", output, *force)
        assert result.exit_code == 1
        assert "would replace an input" in result.stderr
    assert Path("photo.png").read_bytes() == before


@pytest.mark.parametrize("command", ["sobel images -o edges", "score images", "pick images -n 1 -o picked"])
def test_folders_inside_are_named_if_no_image_is_found(command):
    Path("images/inside").mkdir(parents=True)
    Path("images/inside/photo.png").write_bytes(Path("photo.png").read_bytes())
    hint = "no images found (-r also reads the folders inside)"
    assert hint in run(*command.split()).stderr
    assert hint not in run(*command.split(), "-r").stderr
