"""The review page in a browser: threshold, saved lists, keys and filters."""

import csv
import io
import math
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from command_line import run
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from sampling import on_full

import edgekit as ek
from edgekit.batch.score_cache import Row
from edgekit.focus.blur_threshold import Threshold
from edgekit.report.images import Names
from edgekit.report.page import Page as ReviewPage

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed: apt-get install chromium")

#: Standard deviation of the blur by image; file names that need escaping.
BLURS = {"a": 0, "b": 0.6, "c": 0.8, "d": 1.1, "e": 1.3, "f": 1.6}
ODD = ("quo\"te's.png", "50% #1?.png", "new\nline.png", "ünï 写真.png", os.fsdecode(b"\xff.png"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def review(tmp_path_factory) -> Path:
    """A page with 13 images, one of them constant and one a TIFF file, and with one broken file."""
    home = tmp_path_factory.mktemp("home")
    folder = home / "photos"
    folder.mkdir()
    blocks = np.random.default_rng(4).integers(30, 220, (16, 20, 3)).astype(np.uint8)
    picture = cv2.resize(blocks, (400, 320), interpolation=cv2.INTER_NEAREST)
    for name, sigma in BLURS.items():
        ek.write_image(folder / f"{name}.png", cv2.GaussianBlur(picture, (0, 0), sigma) if sigma else picture)
    for name in ODD:
        (folder / name).write_bytes((folder / "a.png").read_bytes())
    ek.write_image(folder / "flat.png", np.full((60, 80), 90, np.uint8))
    ek.write_image(folder / "scan.tif", picture)
    (folder / "<b>broken.png").write_bytes(b"no image")
    here = Path.cwd()
    os.chdir(home)
    try:
        assert run("score", "photos", "--report", "review", "--threshold", "0.4").exit_code == 1
    finally:
        os.chdir(here)
    return home / "review" / "index.html"


@pytest.fixture
def context(browser) -> Iterator[BrowserContext]:
    with browser.new_context(viewport={"width": 1200, "height": 800}) as context:
        yield context


def opened(context: BrowserContext, address: Path, wrong: list[str] | None = None) -> Page:
    """Open a page; collect errors and requests that leave this machine."""
    page = context.new_page()
    page.set_default_timeout(10_000)
    if wrong is not None:
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text))
        page.on("request", lambda asked: asked.url.startswith(("file:", "blob:")) or wrong.append(asked.url))
    page.goto(address.as_uri())
    return page


@pytest.fixture
def page(context, review) -> Iterator[Page]:
    wrong: list[str] = []
    page = opened(context, review, wrong)
    yield page
    assert not wrong


def until(page: Page, condition: str) -> None:
    """Wait for a JavaScript condition. The content security policy blocks Playwright's wait_for_function."""
    end = time.monotonic() + 10
    while not page.evaluate(condition):
        assert time.monotonic() < end, condition
        time.sleep(0.02)


def scores(review: Path) -> dict[str, float]:
    """Return the score of each image."""
    found = {
        p.name: ek.score(ek.read_image(p, colour=False))
        for p in review.parents[1].glob("photos/*.*")
        if p.name[0] != "<"
    }
    return {name: value for name, value in found.items() if not np.isnan(value)}


def drag(page: Page, to: float) -> None:
    """Drag the threshold with the mouse to a position from 0 to 1 on the axis."""
    handle, axis = page.locator("#handle").bounding_box(), page.locator(".u-over").bounding_box()
    page.mouse.move(handle["x"] + handle["width"] / 2, handle["y"] + 20)
    page.mouse.down()
    page.mouse.move(axis["x"] + axis["width"] * (to + 0.1), axis["y"] + 30)
    page.mouse.move(axis["x"] + axis["width"] * to, axis["y"] + 200)
    page.mouse.up()


def saved(page: Page, label: str) -> bytes:
    with page.expect_download() as waited:
        page.get_by_role("button", name=label).click()
    return Path(waited.value.path()).read_bytes()


def names(page: Page) -> list[str]:
    """Return the names of the visible tiles in order."""
    tiles = page.locator(".tile").evaluate_all(
        "t => t.map(x => [+x.dataset.place, x.title.split('/')[1]]).sort((a, b) => a[0] - b[0])"
    )
    return [name for _, name in tiles]


def bars_are_blurred(page: Page, values: list[float]) -> list[bool]:
    """Tell from a screenshot for each score whether its bar is red (blurred) or blue."""
    axis = page.locator(".u-over").bounding_box()
    seen = cv2.imdecode(np.frombuffer(page.screenshot(), np.uint8), cv2.IMREAD_COLOR).astype(int)
    row = seen[round(axis["y"] + axis["height"]) - 4]
    colours = [row[round(axis["x"] + axis["width"] * (int(v * 60) + 0.5) / 60)] for v in values]
    assert all(max(c) - min(c) > 90 for c in colours), "there is no bar"
    return [bool(red > blue) for blue, _, red in colours]


def test_counts_and_lists_follow_the_dragged_threshold(page, review):
    known = scores(review)
    assert len({round(v, 2) for v in known.values()}) > 4
    for threshold in (0.4, 0.62, 0.12):
        if threshold != 0.4:
            drag(page, threshold)
        at = float(page.input_value("#threshold"))
        assert at == pytest.approx(threshold, abs=0.003)
        blurred = {n for n, v in known.items() if v < at}
        expect(page.locator("#count-blurred")).to_have_text(str(len(blurred)))
        expect(page.locator("#count-sharp")).to_have_text(str(len(known) - len(blurred)))
        assert page.locator(".tile.blurred").count() == len(blurred)
        shown = [v for v in known.values() if abs(v - at) > 1 / 30]
        assert bars_are_blurred(page, shown) == [v < at for v in shown]
        rows = list(csv.reader(io.StringIO(os.fsdecode(saved(page, "Save the blurred as CSV")))))
        assert rows[0] == ["path", "width", "height", "score", "blur_px", "blur_direction", "confidence", "list"]
        assert {r[0] for r in rows[1:]} == {f"photos/{n}" for n in blurred}
        assert {float(r[3]) for r in rows[1:]} == {known[n] for n in blurred}
        assert {r[7] for r in rows[1:]} <= {"blurred"}
    assert 0 < len(blurred) < len(known)
    # The threshold stays after the button is released.
    page.mouse.move(900, 150)
    assert float(page.input_value("#threshold")) == at
    expect(page.get_by_role("status")).to_contain_text(f"{len(blurred)} blurred")


def test_saved_lists_keep_unusual_names(page, review):
    drag(page, 0.001)
    text = saved(page, "Save the sharp as text")
    expected = sorted(b"photos/" + os.fsencode(n).replace(b"\n", b"\\n") for n in scores(review))
    assert sorted(text.splitlines()) == expected
    assert b"photos/new\nline.png" in saved(page, "Save the sharp as CSV")
    assert saved(page, "Save the blurred as text") == b""
    page.select_option("#undefined", "blurred")
    assert saved(page, "Save the blurred as text") == b"photos/flat.png\n"
    expect(page.locator("#count-blurred")).to_have_text("1")


def test_keyboard_control(page, review):
    tiles = names(page)
    active = page.locator(".tile[aria-selected=true]")
    for key, place in (("ArrowRight", 1), ("ArrowDown", 6), ("ArrowLeft", 5), ("ArrowUp", 0), ("End", 12), ("Home", 0)):
        page.keyboard.press(key)
        expect(active).to_have_attribute("data-place", str(place))
        expect(page.get_by_role("listbox")).to_have_attribute("aria-activedescendant", active.get_attribute("id"))
    before = float(page.input_value("#threshold"))
    page.keyboard.press("+")
    assert float(page.input_value("#threshold")) == pytest.approx(before + 0.01)
    page.keyboard.press("-")
    page.keyboard.press("-")
    assert float(page.input_value("#threshold")) == pytest.approx(before - 0.01)
    page.keyboard.press("t")
    assert tiles[int(active.get_attribute("data-place"))] == max(
        (n for n, v in scores(review).items() if v < before - 0.01), key=scores(review).get
    )
    slider = page.get_by_role("slider")
    slider.focus()
    page.keyboard.press("PageUp")
    expect(slider).to_have_attribute("aria-valuenow", str(round(before + 0.09, 4)))
    below = sum(v < before + 0.09 for v in scores(review).values())
    expect(slider).to_have_attribute("aria-valuetext", f"Threshold 0.490: {12 - below} sharp, {below} blurred")
    # Typing into a text field does not move the threshold.
    page.locator("#text").fill("")
    page.keyboard.type("+t-")
    expect(slider).to_have_attribute("aria-valuenow", str(round(before + 0.09, 4)))
    expect(page.locator(".help")).to_contain_text("move the threshold")


def test_filter_and_order(page, review):
    known = scores(review)
    assert names(page)[-1] == "flat.png"
    assert [known[n] for n in names(page)[:-1] if n in known] == sorted(
        (known[n] for n in names(page)[:-1] if n in known), reverse=True
    )
    page.select_option("#order", "worst")
    assert names(page)[0] == min(known, key=known.get)
    page.select_option("#order", "name")
    assert [n for n in names(page) if n in ("a.png", "b.png", "f.png")] == ["a.png", "b.png", "f.png"]
    page.select_option("#order", label="by blur_px, largest first")
    assert names(page)[0] == "f.png"
    assert names(page)[-1] == "flat.png"
    expect(page.locator(".tile[data-place='0'] .value")).to_contain_text("px")
    page.fill("#text", "PNG")
    expect(page.locator("#showing")).to_have_text("12 of 13 images")
    page.fill("#text", "")
    page.select_option("#show", "blurred")
    assert set(names(page)) == {n for n, v in known.items() if v < 0.4}
    drag(page, 0.999)
    assert len(names(page)) == 12
    page.select_option("#show", "undefined")
    assert names(page) == ["flat.png"]
    expect(page.locator(".tile")).to_have_attribute("aria-label", "flat.png, undefined")
    expect(page.locator("#count-failed")).to_have_text("1")
    page.click("#line-failed a")
    expect(page.locator("#failed td").first).to_have_text("photos/<b>broken.png")
    expect(page.locator("#failed td").first).to_be_visible()


def test_full_size_view(page):
    picture, frame = page.locator("#picture"), page.locator("#frame")
    page.keyboard.press("Enter")
    seen = {}
    for _ in range(13):
        name = page.locator("#viewer-name").inner_text()
        until(page, "picture.complete && map.complete && map.naturalWidth > 0 && picture.naturalWidth > 0")
        seen[name.removeprefix("photos/")] = picture.evaluate(
            "p => [p.naturalWidth, decodeURIComponent(p.src.split('/').at(-1).replace('%FF', '-'))]"
        )
        page.keyboard.press("ArrowRight")
    assert len(seen) == 13
    # Originals are shown, and a preview for the TIFF file.
    preview = seen.pop("scan.tif")
    assert preview[0] == 400
    assert preview[1].endswith(".view.jpg")
    assert {tuple(v) for k, v in seen.items() if k in BLURS} == set()
    assert {v[1] for v in seen.values()} == {*(f"{b}.png" for b in BLURS), *ODD[:-1], "-.png", "flat.png"}
    assert {v[0] for v in seen.values()} == {400, 80}
    for mode, there, over in (
        ("overlay", "visible", "visible"),
        ("map", "hidden", "visible"),
        ("image", "visible", "hidden"),
    ):
        page.keyboard.press("m")
        expect(frame).to_have_attribute("data-mode", mode)
        expect(picture).to_have_css("visibility", there)
        expect(page.locator("#map")).to_have_css("visibility", over)
    page.keyboard.press("Escape")
    expect(page.locator("#viewer")).to_be_hidden()
    expect(page.get_by_role("listbox")).to_be_focused()
    page.locator(".tile").nth(3).click()
    expect(page.locator("#viewer-facts")).to_contain_text("4 of 13")
    page.keyboard.press("z")
    assert frame.evaluate("f => f.clientWidth * devicePixelRatio") == 400
    page.get_by_role("button", name="Close").click()
    expect(page.locator("#viewer")).to_be_hidden()


def test_missing_originals_are_reported(context, review, tmp_path):
    shutil.copytree(review.parent, tmp_path / "alone")
    page = opened(context, tmp_path / "alone" / "index.html")
    page.keyboard.press("Enter")
    expect(page.locator("#viewer-note")).to_contain_text("not where it was")
    until(page, "picture.naturalWidth === 320")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark_colour_schemes(browser, review, scheme):
    with browser.new_context(color_scheme=scheme) as context:
        page = opened(context, review)
        style = "getComputedStyle(document.documentElement)"
        paper, ink = page.evaluate(f"[{style}.backgroundColor, {style}.color]")

    def light(colour: str) -> float:
        return sum(map(int, colour.removeprefix("rgb(").rstrip(")").split(","))) / 3

    assert (light(paper) > 200 > 60 > light(ink)) == (scheme == "light")
    assert (light(paper) < 60 < 200 < light(ink)) == (scheme == "dark")


@pytest.mark.parametrize(
    ("measure", "values", "logarithmic"),
    [
        ("laplacian_variance", (0.0, 3.0, 20.0, 25.0, 30.0, 9000.0), True),
        ("vollath_f5", (-40.0, -3.0, 0.5, 700.0), None),
        ("tenengrad", (5.0,), False),
        pytest.param("brenner", (100.0, 120.0, 130.0, 150.0), False, marks=pytest.mark.full),
        pytest.param("score", (0.1, 0.6), None, marks=pytest.mark.full),
        pytest.param("tenengrad", (math.nan,), None, marks=pytest.mark.full),
    ],
)
def test_threshold_axis_of_measures(context, tmp_path, measure, values, logarithmic):
    rows = [Row(str(tmp_path / f"{n}.jpg"), 1, 1, 8, 6, (v,), "ok", "") for n, v in enumerate(values)]
    with (tmp_path / "index.html").open("wb") as file:
        file.writelines(ReviewPage(tmp_path).content(rows, [], (measure,), Threshold(None)))
    page = opened(context, tmp_path / "index.html")
    known = [v for v in values if not math.isnan(v)]
    slider, blurred, choice = page.get_by_role("slider"), page.locator("#count-blurred"), page.locator("#logarithmic")
    expect(blurred).to_have_text("0")
    assert choice.is_visible() == (logarithmic is not None)
    assert choice.is_checked() == bool(logarithmic)
    for _ in range(2 if logarithmic is not None else 1):
        slider.focus()
        page.keyboard.press("End")
        expect(blurred).to_have_text(str(len(known)))
        page.keyboard.press("Home")
        # A logarithmic axis begins above zero.
        expect(blurred).to_have_text(str(known.count(0.0) if choice.is_checked() else 0))
        before = float(slider.get_attribute("aria-valuenow"))
        page.keyboard.press("ArrowRight")
        assert float(slider.get_attribute("aria-valuenow")) > before
        if logarithmic is not None:
            choice.click()


def test_page_on_a_phone(browser, review):
    with browser.new_context(viewport={"width": 360, "height": 700}, has_touch=True, is_mobile=True) as context:
        page = opened(context, review)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        page.locator(".tile").first.tap()
        expect(page.locator("#viewer")).to_be_visible()
        assert page.evaluate("viewer.scrollWidth") <= 360
        page.get_by_role("button", name="Next image").tap()
        expect(page.locator("#viewer-facts")).to_contain_text("2 of 13")


@pytest.mark.parametrize("many", [1000, *on_full(10_000)])
def test_many_images(context, tmp_path, many):
    rng = np.random.default_rng(0)
    for n in range(4):
        ek.write_image(tmp_path / f"{n}.jpg", rng.integers(0, 255, (60, 80)).astype(np.uint8))
    rows = []
    for n, value in enumerate(np.sort(rng.random(many))[::-1]):
        path = tmp_path / f"{n:05}.jpg"
        rows.append(Row(str(path), 1, 1, 80, 60, (float(value),), "ok", ""))
        place = tmp_path / Names(path).thumbnail
        place.parent.mkdir(parents=True, exist_ok=True)
        os.link(tmp_path / f"{n % 4}.jpg", place)
    with (tmp_path / "index.html").open("wb") as file:
        file.writelines(ReviewPage(tmp_path).content(rows, [], ("score",), Threshold(0.5)))
    page = opened(context, tmp_path / "index.html")
    # Alone it takes about 0.1 s; the limit allows for a busy machine.
    assert page.evaluate("performance.timing.domContentLoadedEventEnd - performance.timing.navigationStart") < 10_000
    loaded = "[...document.querySelectorAll('.tile img')].every(i => i.complete && i.naturalWidth === 80)"
    until(page, loaded)
    assert 10 < page.locator(".tile").count() < 100
    first = set(names_of(page))
    page.mouse.move(600, 600)
    page.mouse.wheel(0, 3000)
    until(page, "scrollY > 2500")
    until(page, loaded)
    assert not first & set(names_of(page))
    assert page.locator(".tile").count() < 100
    page.keyboard.press("End")
    expect(page.locator(".tile[aria-selected=true]")).to_have_attribute("aria-posinset", str(many))
    until(page, loaded)
    expect(page.locator(".tile[aria-selected=true]")).to_be_in_viewport()
    drag(page, 0.25)
    at = float(page.input_value("#threshold"))
    expect(page.locator("#count-blurred")).to_have_text(str(sum(r.values[0] < at for r in rows)))


def names_of(page: Page) -> list[str]:
    return page.locator(".tile").evaluate_all("t => t.map(x => x.title)")
