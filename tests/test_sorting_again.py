"""A second run sorts only what is new, and a dry run tells what it would do."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from command_line import run
from photo_folder import BLURRED, SHARP, files, make_photos, names, tree

pytestmark = pytest.mark.usefixtures("at_home")

COPY = "score", "photos", "-r", "--copy-blurred", "blurred"


@pytest.fixture
def photos():
    return make_photos()


def test_a_sidecar_file_that_changed_is_copied_alone(photos):
    run(*COPY)
    before = tree("blurred")
    (photos / "b.xmp").write_bytes(b"new")
    (photos / "two.xmp").write_bytes(b"of both")
    (photos / "two.jpg.xmp").write_bytes(b"of one")
    result = run(*COPY, "--dry-run")
    assert result.stdout.splitlines() == [
        "copy photos/b.xmp -> blurred/b.xmp", "copy photos/two.jpg.xmp -> blurred/two.jpg.xmp",
    ]  # fmt: skip
    result = run(*COPY)
    assert result.exit_code == 0, result.stderr
    after = tree("blurred")
    changed = {name for name in {*before, *after} if before.get(name) != after.get(name)}
    assert changed == {"b.xmp", "two.jpg.xmp"}
    assert after["b.xmp"] == tree("photos")["b.xmp"]
    assert "nothing to sort" in run(*COPY).stderr
    assert run("undo", "blurred").exit_code == 0
    assert not Path("blurred").exists()


def test_a_copy_of_a_sidecar_file_that_somebody_changed_stays(photos):
    run(*COPY)
    Path("blurred/b.xmp").write_bytes(b"mine")
    (photos / "b.xmp").write_bytes(b"new")
    result = run(*COPY)
    assert result.exit_code == 1
    assert "blurred/b.xmp: changed since it was made" in result.stderr
    assert Path("blurred/b.xmp").read_bytes() == b"mine"
    assert names("blurred") == [
        "b.jpg", "b.jpg.xmp", "b.xmp", "d.v1.jpg", "d.v1.xmp", "trip/b.jpg", "two.jpg",
    ]  # fmt: skip


def test_a_new_sidecar_file_gets_the_number_of_its_photograph(photos):
    Path("blurred").mkdir()
    Path("blurred/b.jpg").write_bytes(b"mine")
    run(*COPY)
    Path("photos/b.pp3").write_bytes(b"raw")
    run(*COPY)
    assert [n for n in names("blurred") if n.startswith("b")] == [
        "b-2.jpg", "b-2.jpg.xmp", "b-2.pp3", "b-2.xmp", "b.jpg",
    ]  # fmt: skip


def test_a_name_that_is_taken_is_not_used_for_a_new_sidecar_file(photos):
    run(*COPY)
    Path("blurred/b.pp3").write_bytes(b"mine")
    Path("photos/b.pp3").write_bytes(b"raw")
    assert run(*COPY).exit_code == 0
    assert Path("blurred/b.pp3").read_bytes() == b"mine"
    assert Path("blurred/b-2.pp3").read_bytes() == b"raw"
    assert Path("blurred/b-2.jpg").read_bytes() == BLURRED


def test_a_photograph_that_changed_gets_a_number_and_its_link_stays(photos):
    link = "score", "photos", "-r", "--link-sharp", "sharp"
    run(*link)
    run("score", "photos", "-r", "--copy-sharp", "copies")
    (photos / "a.jpg").write_bytes(SHARP + b"edited")
    (photos / "a.xmp").write_bytes(b"edited")
    before = tree("sharp")
    assert "nothing to sort" in run(*link).stderr
    assert tree("sharp") == before
    run("score", "photos", "-r", "--copy-sharp", "copies")
    assert [n for n in names("copies") if n.startswith("a")] == ["a-2.jpg", "a-2.xmp", "a.jpg", "a.xmp"]
    assert Path("copies/a.jpg").read_bytes() == SHARP


@pytest.mark.parametrize(("function", "content"), [("_check_unchanged", b"b2"), ("_copy_status", b"new")])
def test_killed_while_a_sidecar_file_is_replaced(photos, function, content):
    run(*COPY)
    (photos / "b.xmp").write_bytes(b"new")
    interrupted(function, 1, *COPY)
    assert Path("blurred/b.xmp").read_bytes() == content
    assert run(*COPY).exit_code == 0
    assert Path("blurred/b.xmp").read_bytes() == b"new"
    assert "nothing to sort" in run(*COPY).stderr
    assert run("undo", "blurred").exit_code == 0


def interrupted(function, count, *arguments):
    """Run a command that is killed after the Nth call of a function of `moving`."""
    stop = textwrap.dedent(f"""
        import os, signal
        from edgekit.batch import moving
        from edgekit.cli import main
        calls = []
        def counted(*arguments, function=moving.{function}):
            function(*arguments)
            calls.append(arguments)
            if len(calls) == {count}:
                os.kill(os.getpid(), signal.SIGKILL)
        moving.{function} = counted
        main()
    """)
    ran = subprocess.run([sys.executable, "-c", stop, *arguments], capture_output=True, text=True)
    assert ran.returncode == -signal.SIGKILL, ran.stderr


@pytest.mark.parametrize("verb", ["move", "copy", "link"])
@pytest.mark.parametrize("count", [1, 2, 5, 6])
def test_a_dry_run_tells_what_a_resumed_run_does(photos, verb, count):
    sort = "apply", "choice.csv", f"--{verb}-blurred", "blurred"
    blurred = ["b.jpg", "d.v1.jpg", "two.jpg"]
    Path("choice.csv").write_text("path,list\n" + "".join(f"photos/{name},blurred\n" for name in blurred))
    interrupted(f"_{verb}", count, *sort)
    # Named like a file that was not sorted yet.
    Path("choice.csv").write_text("path,list\nphotos/trip/two.jpg,blurred\nphotos/trip/c.jpg,blurred\n")
    (photos / "trip/two.jpg").write_bytes(BLURRED + b"3")
    before = tree()
    result = run(*sort, "--dry-run", "--json")
    assert result.exit_code == 0, result.stderr
    assert tree() == before
    told = [json.loads(line)["to"] for line in result.stdout.splitlines()]
    made = {f"blurred/{name}" for name in files("blurred")}
    assert run(*sort).exit_code == 0
    assert sorted(told) == sorted({f"blurred/{name}" for name in files("blurred")} - made)


def test_undo_counts_only_what_it_puts_back(photos):
    before = tree()
    interrupted("_move", 1, *COPY[:3], "--move-blurred", "blurred")
    result = run("undo", "blurred")
    assert (result.exit_code, tree()) == (0, before)
    assert "edgekit: 1 put back in" in result.stderr


def test_a_dry_run_knows_what_was_sorted(photos):
    run(*COPY)
    before = tree()
    assert run(*COPY, "--dry-run").stdout == ""
    Path("photos/e.jpg").write_bytes(BLURRED + b"e")
    os.utime("photos/b.jpg")
    assert run(*COPY, "--dry-run").stdout.splitlines() == [
        "copy photos/b.jpg -> blurred/b-2.jpg", "copy photos/b.jpg.xmp -> blurred/b-2.jpg.xmp",
        "copy photos/b.xmp -> blurred/b-2.xmp", "copy photos/e.jpg -> blurred/e.jpg",
    ]  # fmt: skip
    Path("photos/e.jpg").unlink()
    os.utime("photos/b.jpg", ns=(1, 1_700_000_000_123_456_789))
    assert tree() == before
