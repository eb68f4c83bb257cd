"""Into which folders files can be sorted, and what is printed about them."""

import json
from pathlib import Path

import pytest
from command_line import run
from photo_folder import make_photos, names, tree

pytestmark = pytest.mark.usefixtures("at_home")


@pytest.fixture
def photos():
    return make_photos()


@pytest.mark.parametrize(
    "arguments",
    [
        ("score", "photos", "--move-blurred", ""), ("undo", ""), ("pick", "photos", "-n", "1", "-o", ""),
        ("score", "photos", "--report", ""), ("apply", "", "--move-blurred", "b"), ("sobel", "photos", "-o", ""),
        ("score", ""),
    ],
)  # fmt: skip
def test_an_empty_name_is_no_folder(photos, arguments):
    before = tree()
    result = run(*arguments)
    assert result.exit_code == 2
    assert "the name is empty; is a shell variable not set?" in result.stderr
    assert tree() == before


@pytest.mark.parametrize(
    ("inputs", "folder"),
    [
        (("photos",), "photos"), (("photos", "-r"), "./photos/../photos"), (("photos/trip",), "photos"),
        (("linked",), "photos"), (("photos/a.jpg", "photos/b.jpg"), "photos"), (("photos/*.jpg",), "photos"),
        (("photos",), "."),
    ],
)  # fmt: skip
@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_a_folder_that_contains_the_inputs_is_refused(photos, inputs, folder, dry):
    Path("linked").symlink_to("photos")
    before = tree()
    result = run("score", *inputs, "--copy-sharp", "sharp", "--move-blurred", folder, *dry)
    assert result.exit_code == 2
    assert "--move-blurred needs a folder outside of the inputs" in result.stderr
    assert tree() == before


def test_files_that_are_in_the_folder_stay_there(photos):
    sort = "--move-blurred", "photos/blurred"
    assert run("score", "photos", "-r", *sort).exit_code == 0
    before, before_names = tree(), names("photos/blurred")
    assert "nothing to sort" in run("score", "photos", "-r", *sort).stderr
    result = run("score", "photos/a.jpg", "photos/blurred", *sort)
    assert (result.exit_code, tree()) == (0, before)
    Path("list").write_text("\n".join(map(str, photos.rglob("*.jpg"))))
    result = run("score", "--files-from", "list", *sort)
    assert result.exit_code == 1
    stays = f"photos/blurred/b.jpg: is already in {Path('photos/blurred').absolute()}, and stays there"
    assert stays in result.stderr
    Path("choice.csv").write_text("path,list\nphotos/blurred/b.jpg,blurred\nphotos/a.jpg,blurred\n")
    result = run("apply", "choice.csv", *sort)
    assert result.exit_code == 1
    assert stays in result.stderr
    assert names("photos/blurred") == sorted([*before_names, "a.jpg", "a.xmp"])


@pytest.mark.parametrize("verb", ["move", "copy", "link"])
def test_lines_of_json_about_what_was_done(photos, verb):
    Path("choice.csv").write_text("path,list\nphotos/a.jpg,sharp\nphotos/no.jpg,sharp\nphotos/trip/c.jpg,sharp\n")
    sort = "apply", "choice.csv", f"--{verb}-sharp", "sharp", "--json"
    told = run(*sort, "--dry-run").stdout
    result = run(*sort)
    assert result.exit_code == 1
    assert [json.loads(line) for line in result.stdout.splitlines()] == [
        {"action": verb, "from": f"photos/{name}", "to": f"sharp/{name}"} for name in ("a.jpg", "a.xmp", "trip/c.jpg")
    ]
    assert result.stdout == told
    assert run(*sort).stdout == ""
