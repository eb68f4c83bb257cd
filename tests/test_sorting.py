"""Files are moved, copied and linked by their scores, and put back: nothing is lost or doubled, whatever happens."""

import errno
import json
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from command_line import run
from photo_folder import BLURRED, SHARP, files, make_photos, names, tree

from edgekit.batch import moving
from edgekit.batch.move_log import NAME

pytestmark = pytest.mark.usefixtures("at_home")


@pytest.fixture
def photos():
    return make_photos()


GONE = ["b.jpg", "b.jpg.xmp", "b.xmp", "d.v1.jpg", "d.v1.xmp", "trip/b.jpg", "two.jpg"]


def test_blurred_files_are_moved_with_their_sidecars_and_put_back(photos):
    before = tree()
    result = run("score", "photos", "-r", "--move-blurred", "blurred")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == ""
    assert names("blurred") == GONE
    assert not set(GONE) & set(names("photos"))
    assert files("blurred") == {n: before[f"photos/{n}"] for n in GONE}
    assert "4 sorted" in result.stderr
    assert "edgekit undo blurred" in result.stderr
    assert run("undo", "blurred").exit_code == 0
    assert tree() == before
    assert not Path("blurred").exists()


def test_a_dry_run_touches_nothing(photos):
    before = tree()
    result = run("score", "photos", "-r", "--move-blurred", "out/blurred", "--dry-run")
    assert sorted(line.split(" -> ")[0] for line in result.stdout.splitlines()) == [f"move photos/{n}" for n in GONE]
    assert "move photos/trip/b.jpg -> out/blurred/trip/b.jpg" in result.stdout
    assert tree() == before
    result = run("score", "photos", "-r", "--copy-sharp", "s", "--dry-run", "--json")
    assert json.loads(result.stdout.splitlines()[0]) == {"action": "copy", "from": "photos/a.jpg", "to": "s/a.jpg"}


def test_copies_links_and_undefined_files(photos):
    before = tree()
    arguments = "score", "photos", "-r", "--copy-blurred", "c", "--link-sharp", "l", "--move-undefined", "u"
    assert run(*arguments).exit_code == 0
    assert names("c") == GONE
    assert names("l") == ["a.jpg", "a.xmp", "trip/c.jpg", "two.png"]
    assert Path("l/trip/c.jpg").read_bytes() == SHARP
    assert Path("l/trip/c.jpg").readlink() == Path("../../photos/trip/c.jpg")
    assert names("u") == ["flat.jpg"]
    after = tree()
    result = run(*arguments)
    assert "nothing to sort" in result.stderr
    assert tree() == after
    for folder in "clu":
        assert run("undo", folder).exit_code == 0
    assert tree() == before


def test_the_raw_file_decides_for_the_image_beside_it(photos):
    from edgekit.batch.sorting import Judged, photographs

    for name in ("r.CR2", "r.JPG", "r.xmp", "r.CR2.xmp", "x.jpg", "x.NEF"):
        (photos / name).write_bytes(b"")
    judged = [
        Judged(photos / name, Path(name), verdict)
        for name, verdict in {"r.CR2": "sharp", "r.JPG": "blurred", "x.NEF": "failed", "x.jpg": "blurred"}.items()
    ]
    found = [([path.name for path in one.files], one.verdict) for one in photographs(judged)]
    assert found == [
        (["r.CR2", "r.JPG", "r.CR2.xmp", "r.xmp"], "sharp"),
        # Nobody knows how sharp this raw file is: the image beside it decides.
        (["x.jpg", "x.NEF"], "blurred"),
    ]


def test_names_that_are_taken_get_a_number(photos):
    Path("blurred").mkdir()
    Path("blurred/b.xmp").write_bytes(b"mine")
    run("score", "photos/b.jpg", "photos/trip/b.jpg", "--move-blurred", "blurred")
    assert names("blurred") == ["b-2.jpg", "b-2.jpg.xmp", "b-2.xmp", "b-3.jpg", "b.xmp"]
    assert Path("blurred/b.xmp").read_bytes() == b"mine"
    assert Path("blurred/b-3.jpg").read_bytes() == BLURRED + b"2"
    assert run("undo", "blurred").exit_code == 0
    assert names("blurred") == ["b.xmp"]


def test_files_that_were_moved_are_not_scored_again(photos):
    run("score", "photos", "-r", "--move-blurred", "photos/blurred")
    before = tree()
    result = run("score", "photos", "-r", "--move-blurred", "photos/blurred")
    assert "nothing to sort" in result.stderr
    assert tree() == before


def test_undo_keeps_what_came_in_between(photos):
    run("score", "photos", "-r", "--move-blurred", "blurred", "--copy-sharp", "sharp")
    (photos / "b.jpg").write_bytes(b"new")
    Path("blurred/mine.txt").write_bytes(b"mine")
    Path("sharp/a.xmp").write_bytes(b"edited")
    result = run("undo", "blurred")
    assert result.exit_code == 1
    assert "photos/b.jpg: there is another file" in result.stderr
    assert Path("blurred/b.jpg").read_bytes() == BLURRED
    assert (photos / "b.jpg").read_bytes() == b"new"
    (photos / "b.jpg").unlink()
    assert run("undo", "blurred").exit_code == 0
    assert names("blurred") == ["mine.txt"]
    result = run("undo", "sharp")
    assert result.exit_code == 1
    assert "sharp/a.xmp: changed since it was made" in result.stderr
    assert names("sharp") == ["a.jpg", "a.xmp"]


def test_a_file_that_cannot_be_moved_costs_itself(photos):
    Path("elsewhere.jpg").write_bytes(BLURRED)
    (photos / "link.jpg").symlink_to("../elsewhere.jpg")
    result = run("score", "photos", "--move-blurred", "blurred")
    assert result.exit_code == 1
    assert "photos/link.jpg: a symbolic link is not moved" in result.stderr
    assert "3 sorted, 1 not sorted" in result.stderr
    assert "b.jpg" in names("blurred")


def test_thresholds_and_frames(photos):
    result = run("score", "photos", "--measure", "tenengrad", "--move-blurred", "b")
    assert result.exit_code == 2
    assert "needs the threshold of tenengrad" in result.stderr
    assert run("score", "photos", "--measure", "tenengrad", "--threshold", "1e9", "--paths", "blurred").exit_code == 0
    result = run("score", "photos", "--move-blurred", "b", "--copy-blurred", "c")
    assert (result.exit_code, Path("b").exists()) == (2, False)
    assert "exclude each other" in result.stderr
    assert "would lose the images" in run("score", "photos", "--report", "r", "--move-blurred", "b").stderr
    assert run("score", "photos", "--dry-run").exit_code == 2
    assert run("score", "photos", "-0").exit_code == 2
    assert run("undo", "photos").exit_code == 2


def test_paths_for_other_programs(photos):
    blurred = ["photos/b.jpg", "photos/d.v1.jpg", "photos/trip/b.jpg", "photos/two.jpg"]
    assert run("score", "photos", "-r", "--paths", "blurred").stdout.splitlines() == blurred
    assert run("score", "photos", "-r", "--paths", "undefined", "-0").stdout == "photos/flat.jpg\0"
    (photos / "broken.jpg").write_bytes(b"broken")
    assert run("score", "photos", "--paths", "failed").stdout == "photos/broken.jpg\n"


def test_a_table_is_carried_out(photos):
    run("score", "photos", "-r", "-o", "scores.csv")
    before = tree()
    result = run("apply", "scores.csv", "--move-blurred", "blurred")
    assert result.exit_code == 0, result.stderr
    assert names("blurred") == GONE
    run("undo", "blurred")
    assert tree() == before
    Path("choice.csv").write_text("path,list\nphotos/a.jpg,blurred\nphotos/b.jpg,\nphotos/no.jpg,blurred\n")
    result = run("apply", "choice.csv", "--move-blurred", "blurred")
    assert result.exit_code == 1
    assert "photos/no.jpg: cannot be sorted: No such file" in result.stderr
    assert names("blurred") == ["a.jpg", "a.xmp"]
    Path("choice.csv").write_text("path,list\nphotos/a.jpg,rubbish\n")
    assert "found 'rubbish'" in run("apply", "choice.csv", "--move-blurred", "blurred").stderr
    Path("choice.csv").write_text("name\na\n")
    assert "expected a CSV table with the columns path" in run("apply", "choice.csv", "--move-blurred", "b").stderr
    assert run("apply", "scores.csv").exit_code == 2


@pytest.fixture
def same_disk():
    """Let all folders be on one file system."""


@pytest.fixture
def other_disk(monkeypatch):
    """Let each folder seem to be on another file system."""
    rename = Path.rename

    def refuse(path, target):
        if Path(path).parent != Path(target).parent:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return rename(path, target)

    monkeypatch.setattr(moving.Path, "rename", refuse)


@pytest.mark.usefixtures("other_disk")
def test_to_another_disk_and_back(photos):
    (photos / "b.jpg").chmod(0o640)
    before = tree()
    assert run("score", "photos", "-r", "--move-blurred", "blurred").exit_code == 0
    assert files("blurred") == {n: before[f"photos/{n}"] for n in GONE}
    assert Path("blurred/b.jpg").stat().st_mode & 0o777 == 0o640
    assert run("undo", "blurred").exit_code == 0
    assert tree() == before


#: Runs a command, and dies just before the Nth step that changes anything on the disk.
DIES = textwrap.dedent("""
    import errno, os, signal, sqlite3, sys
    from pathlib import Path
    from edgekit.cli import main

    remaining, other_disk, *arguments = int(sys.argv[1]), sys.argv[2] == "other_disk", *sys.argv[3:]

    def step(call):
        def counted(*a, **k):
            global remaining
            remaining -= 1
            if remaining < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*a, **k)
        return counted

    for name in ("replace", "unlink", "mkdir", "rmdir", "fsync", "symlink", "utime"):
        setattr(os, name, step(getattr(os, name)))
    rename = step(os.rename)

    def renamed(source, target, **k):
        if other_disk and os.path.dirname(source) != os.path.dirname(target):
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return rename(source, target, **k)

    os.rename = renamed
    from edgekit.batch import sqlite_store
    sqlite_store.SqliteStore._run_sql = step(sqlite_store.SqliteStore._run_sql)
    main(arguments)
""")


def dies(steps, disk, *arguments):
    """Run a command that is killed after so many steps; tell whether it came to its end."""
    ran = subprocess.run([sys.executable, "-c", DIES, str(steps), disk, *arguments], capture_output=True, text=True)
    assert ran.returncode in (0, -signal.SIGKILL), ran.stderr
    return ran.returncode == 0


def contents(folder="."):
    """Return each content with the number of files that have it; hidden drafts do not count."""
    found = {}
    for path in Path(folder).rglob("*"):
        if path.is_file() and not path.name.startswith("."):
            found[path.read_bytes()] = found.get(path.read_bytes(), 0) + 1
    return found


@pytest.mark.parametrize("disk", ["same_disk", "other_disk"])
@pytest.mark.parametrize("every", [pytest.param(1, marks=pytest.mark.full), 17])
def test_killed_at_any_step_nothing_is_lost_or_doubled(photos, disk, every, request):
    """The table is applied, which is fast; `score` sorts by the same steps."""
    request.getfixturevalue(disk)
    run("score", "photos", "-r", "-o", "scores.csv")
    before, all_files = files(), contents()
    sort = "apply", "scores.csv", "--move-blurred", "blurred", "-q"
    assert run(*sort).exit_code == 0
    sorted_files = files()
    undo = "undo", "blurred", "-q"
    for command, back, goal in ((undo, sort, before), (sort, undo, sorted_files)):
        steps, done = 3 % every, False
        while not done:
            done = dies(steps, disk, *command)
            assert contents().keys() == all_files.keys(), (command, steps)
            # Resumed by a run that lives; an undo that has removed its log is complete.
            if not done and (command == sort or Path("blurred", NAME).exists()):
                assert run(*command).exit_code == 0
            assert contents() == all_files, (command, steps)
            assert files() == goal, (command, steps)
            assert run(*back).exit_code == 0
            steps += every
        assert run(*command).exit_code == 0


def test_an_interrupted_run_is_resumed_with_the_rows_of_the_files_that_it_moved(photos):
    for name in ("e.jpg", "f.jpg", "g.jpg"):
        (photos / name).write_bytes(SHARP)
    run("score", "photos", "-r", "-o", "scores.csv", "--threshold", "relative")
    stop = textwrap.dedent("""
        import os, signal
        from edgekit.batch import moving
        from edgekit.cli import main
        def killed(one, moved=moving._move):
            moved(one)
            os.kill(os.getpid(), signal.SIGKILL)
        moving._move = killed
        main()
    """)
    arguments = "score", "photos", "-r", "-o", "scores.csv", "--threshold", "relative", "--move-blurred", "blurred"
    table = Path("scores.csv").read_bytes()
    ran = subprocess.run([sys.executable, "-c", stop, *arguments], capture_output=True)
    assert ran.returncode == -signal.SIGKILL
    assert len(names("blurred")) == 1
    result = run(*arguments)
    assert result.exit_code == 0, result.stderr
    assert "an earlier run was interrupted" in result.stderr
    assert names("blurred") == GONE
    assert sorted(Path("scores.csv").read_bytes().splitlines()) == sorted(table.splitlines())


def test_lists_of_paths(photos):
    Path("list").write_bytes(b"photos/a.jpg\r\nphotos/trip/c.jpg\n\nphotos/no[1].jpg\n")
    result = run("score", "--files-from", "list", "--json")
    assert [json.loads(line)["path"] for line in result.stdout.splitlines()] == [
        "photos/a.jpg", "photos/trip/c.jpg", "photos/no[1].jpg",
    ]  # fmt: skip
    assert result.exit_code == 1
    null = b"photos/trip/c.jpg\0photos/b.jpg\0"
    result = run("score", "photos/a.jpg", "--files-from", "-", "--paths", "sharp", input=null)
    assert result.stdout.splitlines() == ["photos/a.jpg", "photos/trip/c.jpg"]
    Path("list").write_text("photos/a.jpg\nphotos/trip/c.jpg\n", "utf-16")
    assert run("sobel", "--files-from", "list", "-o", "edges").exit_code == 0
    assert names("edges") == ["a.sobel.png", "trip/c.sobel.png"]
    assert run("pick", "--files-from", "list", "-n", "1", "-o", "best").exit_code == 0
    assert run("info", "--files-from", "list").stdout.count("JPEG") == 2
    result = run("focus", "--files-from", "-", "--json", input=b"photos/a.jpg\nphotos/b.jpg\nphotos/flat.jpg\n")
    assert [image["name"] for image in json.loads(result.stdout)["images"]] == [
        "photos/a.jpg", "photos/b.jpg", "photos/flat.jpg",
    ]  # fmt: skip
    result = run("score")
    assert (result.exit_code, "Missing argument 'INPUT...'" in result.stderr) == (2, True)
    assert "none.txt: no such file" in run("score", "--files-from", "none.txt").stderr
