"""A second ``edgekit pick`` into a folder removes only what still exists elsewhere."""

import os
from pathlib import Path

import pytest
from clips import blurred, write_clip
from command_line import run

import edgekit as ek

pytestmark = pytest.mark.usefixtures("at_home")


@pytest.fixture
def folders():
    """Two folders, each with a sharp image of the same name and a blurred one."""
    for seed, name in enumerate("ab"):
        Path(name).mkdir()
        for amount, stem in ((1.0, "same"), (0.2, f"blurred-{name}")):
            ek.write_image(f"{name}/{stem}.png", blurred([amount])[0] ^ (255 * seed))


def names(folder):
    return sorted(p.name for p in Path(folder).iterdir() if not p.name.startswith("."))


def pick(*arguments):
    return run("pick", *arguments, "-o", "best")


def test_earlier_picks_whose_originals_are_gone_or_changed_are_kept(folders):
    assert pick("a", "-n", "2").exit_code == 0
    picked = {name: Path("best", name).read_bytes() for name in ("same.png", "blurred-a.png")}
    Path("a/same.png").unlink()
    os.truncate("a/blurred-a.png", 100)
    result = pick("b/blurred-b.png", "-n", "1")
    assert result.exit_code == 0, result.stderr
    assert names("best") == ["blurred-a.png", "blurred-b.png", "picked.json", "same.png"]
    assert {name: Path("best", name).read_bytes() for name in picked} == picked
    home = Path.cwd()
    assert f"best/same.png: an earlier pick, which is kept: {home}/a/same.png is gone" in result.stderr
    assert f"best/blurred-a.png: an earlier pick, which is kept: {home}/a/blurred-a.png was changed" in result.stderr


def test_earlier_picks_whose_originals_moved_in_time_only_are_removed(folders):
    pick("a", "-n", "2")
    os.utime("a/same.png", ns=(1, 1))
    result = pick("b/blurred-b.png", "-n", "1")
    assert names("best") == ["blurred-b.png", "picked.json"]
    assert "kept" not in result.stderr


@pytest.mark.parametrize("change", [os.unlink, lambda path: os.truncate(path, 100)])
def test_the_only_copy_is_not_replaced_by_an_image_of_the_same_name(folders, change):
    pick("a/same.png", "-n", "1")
    picked = Path("best/same.png").read_bytes()
    change("a/same.png")
    result = pick("b/same.png", "-n", "1")
    assert result.exit_code == 2
    assert "best/same.png: an earlier pick, which may be the only copy" in result.stderr
    assert Path("best/same.png").read_bytes() == picked
    assert pick("b/same.png", "-n", "1", "--force").exit_code == 0
    assert Path("best/same.png").read_bytes() == Path("b/same.png").read_bytes()


def test_an_image_of_the_same_name_is_replaced_while_its_original_exists(folders):
    pick("a/same.png", "-n", "1")
    assert pick("b/same.png", "-n", "1").exit_code == 0
    assert Path("best/same.png").read_bytes() == Path("b/same.png").read_bytes()


def test_frames_are_kept_when_their_video_is_gone_or_another_one():
    write_clip(Path("clip.mp4"), blurred([0.2, 1.0, 0.3, 0.4]))
    write_clip(Path("other.mp4"), blurred([1.0, 0.2]))
    pick("clip.mp4", "-n", "2", "--method", "best")
    before = names("best")
    Path("clip.mp4").rename("moved.mp4")
    result = pick("other.mp4", "-n", "1")
    assert set(before) < set(names("best"))
    assert result.stderr.count("an earlier pick, which is kept") == 2
    write_clip(Path("clip.mp4"), blurred([0.3, 1.0, 0.2, 0.4]))
    result = pick("clip.mp4", "-n", "2", "--method", "best")
    assert result.exit_code == 2
    assert "may be the only copy" in result.stderr
