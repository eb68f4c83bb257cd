"""The review page in a browser: images are kept and rejected, moments compared, and the choice is carried out."""

import csv
import io
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import blurred, write_clip
from command_line import run
from playwright.sync_api import expect
from test_report_browser import browser, context, names, opened, pytestmark, saved  # noqa: F401 - fixtures

import edgekit as ek


@pytest.fixture(scope="module")
def review(tmp_path_factory):
    """A page of two bursts of three images each, one image by itself, and a clip."""
    home = tmp_path_factory.mktemp("choice")
    (home / "photos").mkdir()
    for burst in range(2):
        rough = np.random.default_rng(burst).integers(30, 220, (16, 20, 3)).astype(np.uint8)
        picture = cv2.resize(rough, (400, 320), interpolation=cv2.INTER_NEAREST)
        for n, sigma in enumerate((0.6, 1.0, 4.0)):
            path = home / f"photos/{burst}{'abc'[n]}.png"
            ek.write_image(path, cv2.GaussianBlur(picture, (0, 0), sigma))
            os.utime(path, (1000 + 100 * burst + n, 1000 + 100 * burst + n))
    (home / "photos/1c.xmp").write_text("settings")
    write_clip(home / "clip.mp4", blurred([0.2, 1.0]), codec="libx264")
    here = Path.cwd()
    os.chdir(home)
    try:
        assert run("score", "photos", "clip.mp4", "--report", "review", "--burst", "5s").exit_code == 0
    finally:
        os.chdir(here)
    return home / "review" / "index.html"


@pytest.fixture
def page(context, review):  # noqa: F811 - a fixture
    wrong = []
    page = opened(context, review, wrong)
    yield page
    assert not wrong


def rows_of(data):
    return list(csv.DictReader(io.StringIO(data.decode())))


def choose(page, name):
    """Choose a tile by keys alone."""
    page.keyboard.press("Home")
    tiles = page.locator(".tile").count()
    for _ in range(tiles):
        if page.locator(".tile[aria-selected=true]").get_attribute("title") == name:
            return
        page.keyboard.press("ArrowRight")
    raise AssertionError(name)


def test_decisions_by_keys_count_more_than_scores(page, review, tmp_path, monkeypatch):
    choose(page, "photos/0a.png")
    page.keyboard.press("x")
    choose(page, "photos/0c.png")
    page.keyboard.press("k")
    expect(page.locator("#count-chosen")).to_have_text("2")
    found = {row["path"]: row for row in rows_of(saved(page, "Save choice")) if not row["frame"]}
    assert (found["photos/0a.png"]["choice"], found["photos/0a.png"]["list"]) == ("reject", "blurred")
    assert (found["photos/0c.png"]["choice"], found["photos/0c.png"]["list"]) == ("keep", "sharp")
    assert found["photos/1c.png"]["list"] == "blurred"
    assert len(found) == 6
    assert b"photos/0a.png" in saved(page, "Save the blurred as text")
    page.select_option("#show", "chosen")
    assert sorted(names(page)) == ["0a.png", "0c.png"]
    page.select_option("#show", "all")
    page.locator("#grid").focus()
    # The same decision again takes it back, and so does U.
    page.keyboard.press("k")
    expect(page.locator("#count-chosen")).to_have_text("1")
    choose(page, "photos/0a.png")
    page.keyboard.press("u")
    expect(page.locator("#count-chosen")).to_be_hidden()


def test_the_choice_is_carried_out(page, review, monkeypatch):
    monkeypatch.chdir(review.parents[1])
    choose(page, "photos/0a.png")
    page.keyboard.press("x")
    Path("choice.csv").write_bytes(saved(page, "Save choice"))
    before = sorted(path.name for path in Path("photos").iterdir())
    result = run("apply", "choice.csv", "--move-blurred", "out")
    assert result.exit_code == 0, result.stderr
    moved = sorted(path.name for path in Path("out/photos").iterdir())
    assert {"0a.png", "1c.png", "1c.xmp"} <= set(moved)
    assert run("undo", "out").exit_code == 0
    assert sorted(path.name for path in Path("photos").iterdir()) == before


def test_the_viewer_has_buttons_and_a_legend(page):
    choose(page, "photos/0b.png")
    page.keyboard.press("Enter")
    expect(page.locator("#legend")).to_be_hidden()
    page.keyboard.press("m")
    expect(page.locator("#legend")).to_contain_text("sharp")
    page.keyboard.press("m")
    expect(page.locator("#legend")).to_be_visible()
    page.get_by_role("button", name="Reject").click()
    expect(page.locator("#viewer-facts")).to_contain_text("reject")
    expect(page.get_by_role("button", name="Reject")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("k")
    expect(page.get_by_role("button", name="Keep")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#viewer-facts")).to_have_class("sharp")


def test_a_moment_is_seen_side_by_side(page):
    page.select_option("#order", "moment")
    assert [name for name in names(page) if name][:6] == ["0a.png", "0b.png", "0c.png", "1a.png", "1b.png", "1c.png"]
    page.locator("#grid").focus()
    choose(page, "photos/1a.png")
    page.keyboard.press("g")
    figures = page.locator("#moment-row figure")
    expect(figures).to_have_count(3)
    boxes = [figures.nth(n).bounding_box() for n in range(3)]
    assert boxes[0]["x"] < boxes[1]["x"] < boxes[2]["x"]
    assert boxes[0]["y"] == boxes[2]["y"]
    page.keyboard.press("ArrowRight")
    page.keyboard.press("o")
    expect(figures.nth(1).locator("figcaption")).to_contain_text("1b.png")
    expect(figures.nth(1).locator("figcaption")).to_contain_text("keep")
    expect(figures.nth(0).locator("figcaption")).to_contain_text("reject")
    page.keyboard.press("Escape")
    expect(page.locator("#count-chosen")).to_have_text("3")


def test_frames_are_shown_by_their_previews(page):
    choose(page, "clip.mp4 frame 1 (0.10 s)")
    page.keyboard.press("Enter")
    expect(page.locator("#viewer-note")).to_contain_text("A frame of a video")
    assert page.evaluate("document.getElementById('picture').naturalWidth") in (0, 128)
    expect(page.locator("#viewer-name")).to_have_text("clip.mp4 frame 1 (0.10 s)")
