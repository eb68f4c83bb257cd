"""The review page in a browser, for file names with HTML and scripts."""

import shutil
from pathlib import Path

import pytest
from command_line import run
from hostile import NAMES
from playwright.sync_api import expect, sync_playwright

from edgekit.common.escaping import escape_controls

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed: apt-get install chromium")

#: Names that would change the title of the page or send a request if they were executed.
EVIL = (
    "<img src=x onerror=document.title='hacked'>", "<script>document.title='hacked'<",
    '"><svg onload=document.title=1>',
    "<style>body{display:none}", "<meta http-equiv=refresh content=0>", "]}<!--<script>", "';document.title=1;'",
    "\u2028document.title=1", "<base href=x>", "<iframe src=data:,x>", "${document.title=1}",
    "<link rel=stylesheet href=x>",
)  # fmt: skip


@pytest.fixture
def review(at_home) -> Path:
    Path("in").mkdir()
    data = Path("photo.png").read_bytes()
    for name in (*NAMES, *EVIL):
        Path("in", f"{name}.png").write_bytes(data)
        Path("in", f"{name}broken.png").write_bytes(b"no image")
    # Beside the images, so that links begin with names such as javascript:.
    assert run("score", "in", "--report", "in/review", "--threshold", "0.5").exit_code == 1
    return Path("in/review/index.html").absolute()


def test_names_are_not_executed_in_the_page(review):
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=CHROMIUM) as browser:
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text))
        page.on("dialog", lambda dialog: wrong.append(dialog.message))
        page.on("request", lambda asked: asked.url.startswith("file:") or wrong.append(asked.url))
        page.goto(review.as_uri())
        expect(page.locator("#count-failed")).to_have_text(str(len(NAMES + EVIL)))
        titles = set()
        for _ in range(len(NAMES + EVIL)):
            page.keyboard.press("ArrowRight")
            titles |= {*page.locator(".tile").evaluate_all("t => t.map(x => x.title)")}
        assert titles == {f"in/{escape_controls(n)}.png" for n in NAMES + EVIL}
        page.keyboard.press("Home")
        page.keyboard.press("Enter")
        for _ in range(len(NAMES + EVIL)):
            # The original is shown for every name.
            expect(page.locator("#viewer-note")).to_be_hidden()
            assert page.locator("#original").evaluate("a => a.protocol") == "file:"
            page.keyboard.press("ArrowRight")
        page.keyboard.press("Escape")
        page.click("#line-failed a")
        cells = page.locator("#failed td:first-child").all_inner_texts()
        assert {" ".join(c.split()) for c in cells} == {
            " ".join(f"in/{escape_controls(n)}broken.png".split()) for n in NAMES + EVIL
        }
        assert page.title() == "Sharpness review"
        assert page.locator("main svg, main iframe, main script, main style, main link, main meta, base").count() == 0
        # The content security policy blocks injected elements too.
        assert not wrong
        page.evaluate(
            "document.body.append(Object.assign(document.createElement('img'), {src: 'https://example.org/x'}))"
        )
        page.evaluate("document.body.insertAdjacentHTML('beforeend', '<b onclick=alert(1) style=color:red>')")
        page.wait_for_timeout(300)
        assert sum("Content Security Policy" in said for said in wrong) >= 2
        assert page.locator("b[onclick]").evaluate("b => getComputedStyle(b).color") != "rgb(255, 0, 0)"
