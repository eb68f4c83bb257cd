"""Make docs/contact-sheet.png: one photograph and its darkened copy, filtered by Sobel in many ways.

Run `python scripts/figures/contact_sheet.py`; it needs matplotlib.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import PIL.Image
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import edgekit as ek
from common.paths import ROOT, SAMPLES
from maintenance.make_samples import DARKER, Image, darken

SHEET = ROOT / "docs" / "contact-sheet.png"

#: In pixels. Each row has a heading above it, each image a name and a line of code.
WIDTH, MARGIN, GAP, HEADING, CAPTION = 1080, 20, 16, 50, 56

INK, FAINT, PAPER = "#1b1f24", "#59636e", "#ffffff"


class Panel(NamedTuple):
    """An image and the text above it."""

    name: str
    code: str
    picture: Image


class Row(NamedTuple):
    """Panels of one size under a heading."""

    heading: str
    panels: list[Panel]

    @property
    def height(self) -> int:
        """Pixels from the top of the heading to the bottom of the images."""
        return HEADING + CAPTION + self.panels[0].picture.shape[0]


def rows(photograph: Image) -> list[Row]:
    """Filter a photograph in every way that the sheet shows."""
    large, small = fitted(photograph, 3), fitted(photograph, 4)
    dark = darken(small)
    edges = magnitude(large)
    return [
        Row("All directions: white is a gradient of an eighth of the range per pixel", [
            Panel("Photograph", 'read_image("coffee.png")', large),
            Panel("Magnitude", "picture(image).image", edges),
            Panel("Overlay", "overlay(image, magnitude)", ek.overlay(large, edges)),
        ]),
        Row("One direction: bright where it gets brighter that way, gray is zero", [
            Panel(f"{angle}° {arrow}", f"sobel(image, angle={angle})", signed(small, angle))
            for angle, arrow in ((0, "→"), (45, "↘"), (90, "↓"), (135, "↙"))
        ]),
        Row("Exposure: at the same white level, a logarithm keeps the dark edges", [
            Panel(f"{DARKER}× darker, 8 bits", f"dark = rint(image / {DARKER})", dark),
            Panel("Linear", "sobel(dark)", magnitude(dark)),
            Panel("Logarithmic", 'sobel(dark, tone="log")', magnitude(dark, "log")),
            Panel("Before darkening", 'sobel(image, tone="log")', magnitude(small, "log")),
        ]),
    ]  # fmt: skip


def fitted(photograph: Image, columns: int) -> Image:
    """Scale a photograph to one of `columns`, so that the sheet shows responses pixel for pixel."""
    width = (WIDTH - 2 * MARGIN - (columns - 1) * GAP) // columns
    height = round(photograph.shape[0] * width / photograph.shape[1])
    return np.asarray(cv2.resize(photograph, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def magnitude(photograph: Image, tone: str = "linear") -> Image:
    """Show the magnitude: 0 is black, and white does not depend on the exposure."""
    return ek.picture(photograph, tone=tone, channel="luminance").image


def signed(photograph: Image, angle: float) -> Image:
    """Show the response in one direction: 0 is mid-gray."""
    return ek.picture(photograph, mode="signed", angle=angle, channel="luminance").image


def draw(content: list[Row]) -> Image:
    """Draw headings, captions and images on a sheet. At 72 dots per inch a point is a pixel."""
    height = 2 * MARGIN + sum(row.height for row in content)
    figure = Figure(figsize=(WIDTH / 72, height / 72), dpi=72, facecolor=PAPER)
    top = MARGIN // 2
    for row in content:
        write(figure, MARGIN, top + 38, row.heading, 23, weight="bold")
        foot = top + row.height
        for column, panel in enumerate(row.panels):
            tall, wide = panel.picture.shape[:2]
            left = MARGIN + column * (wide + GAP)
            write(figure, left, foot - tall - 33, panel.name, 19)
            write(figure, left, foot - tall - 10, panel.code, 15.5, color=FAINT, family="DejaVu Sans Mono")
            gray = panel.picture.ndim == 2
            picture = np.repeat(panel.picture[..., None], 3, axis=2) if gray else panel.picture
            figure.figimage(picture, left, height - foot, origin="upper")
        top = foot
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def write(figure: Figure, left: float, base: float, text: str, size: float, **other: Any) -> None:
    """Write text; its baseline begins at this position in pixels from the left and top."""
    width, height = figure.get_size_inches() * 72
    style: dict[str, Any] = {"color": INK, "family": "DejaVu Sans", "va": "baseline", **other}
    figure.text(left / width, 1 - base / height, text, size=size, **style)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and make the sheet."""
    parser = argparse.ArgumentParser(description="Make the contact sheet.")
    parser.add_argument("-o", "--output", type=Path, default=SHEET, help="default: docs/contact-sheet.png")
    output = parser.parse_args(arguments).output
    output.parent.mkdir(parents=True, exist_ok=True)
    sheet = draw(rows(ek.read_image(SAMPLES / "coffee.png")))
    PIL.Image.fromarray(sheet).save(output, "PNG", optimize=True)


if __name__ == "__main__":
    main()
