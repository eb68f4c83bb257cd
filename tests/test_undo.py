"""``edgekit undo`` never removes the only copy of a file."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from command_line import run
from photo_folder import BLURRED, SHARP, make_photos, names, tree

pytestmark = pytest.mark.usefixtures("at_home")


@pytest.fixture
def photos():
    return make_photos()


def test_a_copy_stays_if_its_original_is_gone_or_was_changed(photos):
    assert run("score", "photos", "-r", "--copy-sharp", "sharp").exit_code == 0
    (photos / "trip/c.jpg").unlink()
    (photos / "a.jpg").write_bytes(BLURRED)
    result = run("undo", "sharp")
    assert result.exit_code == 1
    home = photos.absolute()
    assert f"sharp/trip/c.jpg: may be the only copy, and is kept: {home}/trip/c.jpg is gone" in result.stderr
    assert f"sharp/a.jpg: may be the only copy, and is kept: {home}/a.jpg was changed" in result.stderr
    assert "1 put back, 2 not put back" in result.stderr
    assert Path("sharp/a.jpg").read_bytes() == Path("sharp/trip/c.jpg").read_bytes() == SHARP
    assert names("sharp") == ["a.jpg", "trip/c.jpg"]


def test_a_copy_stays_if_its_original_leads_to_it(photos):
    """The folder was replaced by a link to the copies."""
    assert run("score", "photos/trip/c.jpg", "--copy-sharp", "sharp").exit_code == 0
    photos.rename("elsewhere")
    photos.mkdir()
    (photos / "trip").symlink_to("../sharp")
    result = run("undo", "sharp")
    assert (result.exit_code, names("sharp")) == (1, ["c.jpg"])
    assert "is the same file" in result.stderr


def test_a_copy_is_removed_if_only_the_time_of_the_original_changed(photos):
    assert run("score", "photos", "--copy-sharp", "sharp").exit_code == 0
    os.utime(photos / "a.jpg")
    assert run("undo", "sharp").exit_code == 0
    assert not Path("sharp").exists()


@pytest.mark.parametrize("folder", ["blurred", "out/of/blurred", "photos/../out/blurred"])
def test_folders_that_were_made_are_removed(photos, folder):
    before = tree()
    assert run("score", "photos", "-r", "--move-blurred", folder).exit_code == 0
    assert run("undo", folder).exit_code == 0
    assert tree() == before


def test_copies_of_links_are_undone_and_resumed(photos):
    Path("elsewhere.jpg").write_bytes(SHARP)
    (photos / "link.jpg").symlink_to("../elsewhere.jpg")
    before = tree()
    copy = "score", "photos", "-r", "--copy-sharp", "sharp"
    assert run(*copy).exit_code == 0
    assert Path("sharp/link.jpg").read_bytes() == SHARP
    assert "nothing to sort" in run(*copy).stderr
    result = run("undo", "sharp")
    assert result.exit_code == 0, result.stderr
    assert tree() == before


@pytest.mark.parametrize("step", ["rmdir", "unlink"])
def test_an_undo_that_was_killed_at_its_end_leaves_no_folder(photos, step):
    """It is killed before it removes the first folder, or the log."""
    before = tree()
    assert run("score", "photos", "-r", "--move-blurred", "out/blurred").exit_code == 0
    killed = textwrap.dedent(f"""
        import os, signal
        from edgekit.batch import moving, sqlite_store
        from edgekit.cli import main
        def kill(*arguments, **options):
            os.kill(os.getpid(), signal.SIGKILL)
        def remove_store(path, remove=moving.remove_store):
            os.unlink = kill
            remove(path)
        if "{step}" == "rmdir":
            os.rmdir = kill
        else:
            moving.remove_store = remove_store
        main(["undo", "out/blurred"])
    """)
    ran = subprocess.run([sys.executable, "-c", killed], capture_output=True, text=True)
    assert ran.returncode == -signal.SIGKILL, ran.stderr
    run("undo", "out/blurred")
    assert tree() == before
