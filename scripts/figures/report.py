"""Make docs/report.png: the review page of this repository's samples, as a browser shows it.

Run `python scripts/figures/report.py`; it needs Playwright, Jinja2 and the system's Chromium.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import cv2
from click.testing import CliRunner
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import edgekit as ek
from common.paths import ROOT, SAMPLES
from edgekit.cli import main as edgekit

PICTURE = ROOT / "docs" / "report.png"

#: In pixels.
WIDTH, HEIGHT = 1080, 620

#: Each sample is shown unchanged, and blurred by Gaussians of these standard deviations, for 512 pixels.
BLURS = (0, 1.5, 3)


def make_photographs(folder: Path) -> None:
    """Write the samples, sharp and blurred."""
    for sample in sorted(SAMPLES.glob("*.*g")):
        image = ek.read_image(sample)
        for blur in BLURS:
            sigma = blur * max(image.shape) / 512
            blurred = cv2.GaussianBlur(image, (0, 0), sigma) if sigma else image
            mark = f"-blur{blur}" if blur else ""
            ek.write_image(folder / f"{sample.stem}{mark}.png", blurred)


def photograph(page: Path, output: Path) -> None:
    """Write a screenshot of a page."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program)
        view = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        view.goto(page.as_uri())
        view.wait_for_load_state("networkidle")
        view.screenshot(path=output)
        browser.close()


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and make the screenshot."""
    parser = argparse.ArgumentParser(description="Make a screenshot of the review page.")
    parser.add_argument("-o", "--output", type=Path, default=PICTURE, help="default: docs/report.png")
    output = parser.parse_args(arguments).output
    with tempfile.TemporaryDirectory() as home:
        photographs, review = Path(home, "photographs"), Path(home, "review")
        photographs.mkdir()
        make_photographs(photographs)
        CliRunner().invoke(edgekit, ["score", str(photographs), "--report", str(review)])
        photograph(review / "index.html", output)


if __name__ == "__main__":
    main()
