"""``edgekit apply``: which rows of a table are carried out, and which are refused."""

import socket
from pathlib import Path

import pytest
from command_line import run
from photo_folder import SHARP, files, make_photos, names, tree

pytestmark = pytest.mark.usefixtures("at_home")


@pytest.fixture
def photos():
    return make_photos()


def carry_out(table, *options):
    Path("choice.csv").write_bytes(table if isinstance(table, bytes) else table.encode())
    return run("apply", "choice.csv", "--move-blurred", "blurred", *options)


@pytest.mark.parametrize("verb", ["move", "copy", "link"])
def test_only_files_are_sorted(photos, verb):
    Path("linked").symlink_to("photos/trip")
    before = tree()
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("socket")
    Path("choice.csv").write_text("path,list\nphotos/trip,blurred\nlinked,blurred\nsocket,blurred\n.,blurred\n")
    result = run("apply", "choice.csv", f"--{verb}-blurred", "blurred")
    assert result.exit_code == 1
    assert result.stderr.count("only files are sorted; found a folder") == 3
    assert "socket: only files are sorted; found a pipe, socket or device" in result.stderr
    assert Path("socket").is_socket()
    Path("socket").unlink()
    after = tree()
    del after["choice.csv"], after["blurred"]
    assert after == before


def test_a_folder_that_is_named_like_a_sidecar_file_stays(photos):
    (photos / "trip/b.xmp").mkdir()
    (photos / "trip/loop.xmp").symlink_to("loop.xmp")
    (photos / "trip/b.pp3").write_bytes(b"raw")
    assert carry_out("path,list\nphotos/trip/b.jpg,blurred\n").exit_code == 0
    assert names("blurred") == ["b.jpg", "b.pp3"]
    assert (photos / "trip/b.xmp").is_dir()


def test_paths_that_lead_up_stay_in_the_folder(photos):
    Path("other").mkdir()
    Path("other/x.jpg").write_bytes(SHARP)
    absolute = Path("photos/trip/c.jpg").absolute()
    table = f"path,list\nphotos/../other/x.jpg,blurred\nphotos/b.jpg,blurred\n{absolute},blurred\n"
    assert carry_out(table).exit_code == 0
    assert names("blurred") == ["other/x.jpg", "photos/b.jpg", "photos/b.jpg.xmp", "photos/b.xmp", "photos/trip/c.jpg"]
    assert run("undo", "blurred").exit_code == 0
    assert Path("other/x.jpg").read_bytes() == SHARP
    Path("list").write_text("photos/../other/x.jpg\nphotos/b.jpg\n")
    assert run("sobel", "--files-from", "list", "-o", "out").exit_code == 0
    assert names("out") == ["other/x.sobel.png", "photos/b.sobel.png"]


@pytest.mark.parametrize("other", ["./photos/trip/../a.jpg", "{}/photos/a.jpg", "linked/a.jpg"])
def test_all_rows_of_a_file_count_under_any_of_its_names(photos, other):
    Path("linked").symlink_to("photos")
    rows = f"photos/a.jpg,blurred\nphotos/b.jpg,blurred\n{other.format(Path.cwd())},sharp\n"
    result = carry_out(f"path,list\n{rows}", "--copy-sharp", "sharp")
    assert result.exit_code == 0, result.stderr
    assert (names("sharp"), names("blurred")) == (["a.jpg", "a.xmp"], ["b.jpg", "b.jpg.xmp", "b.xmp"])


def test_a_photograph_is_sorted_once_under_any_of_its_names(photos):
    Path("linked").symlink_to("photos")
    result = run("score", "photos", "linked", "photos/trip/../b.jpg", "--copy-blurred", "blurred")
    assert result.exit_code == 0, result.stderr
    of_b = ["b.jpg", "b.jpg.xmp", "b.xmp"]
    assert names("blurred") == [f"photos/{name}" for name in (*of_b, "d.v1.jpg", "d.v1.xmp", "two.jpg")]


@pytest.mark.parametrize("separator", ["\u2028", "\x85", "\x0c", "\x1c", "\x1d", "\x1e", "\n", "\r"])
def test_separators_of_lines_in_names(photos, separator):
    name = f"x{separator}y.jpg"
    (photos / name).write_bytes(SHARP)
    assert run("score", f"photos/{name}", "-o", "scores.csv").exit_code == 0
    assert run("apply", "scores.csv", "--copy-sharp", "sharp").exit_code == 0
    assert names("sharp") == [name]


@pytest.mark.parametrize("blurred", ["TRUE", "True", "true"])
def test_words_in_capitals(photos, blurred):
    assert carry_out(f"path,blurred\r\nphotos/a.jpg,{blurred}\r\nphotos/two.png,FALSE\r\n").exit_code == 0
    assert names("blurred") == ["a.jpg", "a.xmp"]
    run("undo", "blurred")
    assert carry_out("path,list\nphotos/a.jpg,Blurred\n").exit_code == 0
    assert names("blurred") == ["a.jpg", "a.xmp"]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("path,list\nphotos/a.jpg\n", "choice.csv, line 2: expected 2 cells; found 1"),
        ("path,blurred\n\nphotos/a.jpg\n", "choice.csv, line 3: expected 2 cells; found 1"),
        ("path,list\nphotos/a,b.jpg,blurred\n", "choice.csv, line 2: expected 2 cells; found 3"),
        ("path,list\n,blurred\n", "choice.csv, line 2: the path is empty"),
        ("path,list\nphotos/a.jpg,\nphotos/b.jpg,rubbish\n", "choice.csv, line 3: list must be"),
        ("path,blurred\nphotos/b.jpg,yes\n", "choice.csv, line 2: blurred must be"),
        ("path,list\n" + 200_000 * "x" + ",blurred\n", "choice.csv, line 2: field larger than"),
        ("path,list\nphotos/a\0.jpg,blurred\n", "choice.csv, line 2: the path contains a NUL character"),
    ],
)
def test_rows_that_cannot_be_read(photos, table, said):
    result = carry_out(table)
    assert result.exit_code == 2
    assert said in result.stderr
    assert files("blurred") == {}
