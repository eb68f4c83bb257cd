"""Measures which edges `tone="log"` finds in the dark half of a photograph that is darkened eight times.

Run `python scripts/evaluation/dark_edges.py`. It prints Markdown: how the figures are defined, a table for each
operator, a table by brightness, and notes.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import edgekit as ek
from common.paths import SAMPLES
from maintenance.make_samples import DARKER, PHOTOGRAPHS, Image, darken

Mask = npt.NDArray[np.bool_]
Values = npt.NDArray[np.floating[Any]]

#: The fraction of the dark half that counts as edges.
STRONGEST = 0.1

#: Limits of the luminance in the rows of the second table.
BANDS = (0, 8, 16, 32, 64, 256)


def fine(image: Image, tone: str) -> Values:
    """Filter on 3x3 pixels, including the noise of rounding."""
    return ek.sobel(image, tone=tone, channel="luminance")


def smooth(image: Image, tone: str) -> Values:
    """Filter at a scale at which rounding errors average out."""
    return ek.gaussian_gradient(image, sigma=2, tone=tone, channel="luminance")


OPERATORS: dict[str, Callable[[Image, str], Values]] = {"Sobel 3x3": fine, "Gaussian derivative, σ = 2": smooth}


@dataclass(frozen=True)
class Comparison:
    """One photograph before and after darkening, filtered by one operator.

    Attributes
    ----------
    luminance : array of float
        Luminance of the original photograph.
    bright, dark : array of float
        Magnitudes of the original and of the darkened photograph.
    half : array of bool
        The dark half: luminance below the photograph's median.
    """

    luminance: Values
    bright: Values
    dark: Values
    half: Mask

    @property
    def threshold(self) -> float:
        """The magnitude that selects the strongest pixels of the dark half in the original photograph."""
        return float(np.quantile(self.bright[self.half], 1 - STRONGEST))

    @property
    def edges(self) -> Mask:
        """The edges of the original photograph."""
        return self.half & (self.bright >= self.threshold)

    @property
    def found(self) -> Mask:
        """The pixels above the same threshold in the darkened photograph."""
        return self.half & (self.dark >= self.threshold)

    @property
    def refound(self) -> Mask:
        """The pixels above a new threshold, as many as there are edges."""
        return self.half & (self.dark >= np.quantile(self.dark[self.half], 1 - STRONGEST))

    @property
    def ratios(self) -> Values:
        """The darkened response divided by the original one; meaningful at edges, where the latter is not zero."""
        return self.dark / np.maximum(self.bright, np.finfo(np.float32).tiny)


def compare(photograph: Image, respond: Callable[[Image, str], Values], tone: str) -> Comparison:
    """Filter a photograph and its darkened copy."""
    luminance = ek.correlate(photograph, [[1.0]], channel="luminance")
    bright, dark = respond(photograph, tone), respond(darken(photograph), tone)
    return Comparison(luminance, bright, dark, luminance < np.median(luminance))


def share(part: Mask, whole: Mask) -> str:
    """Return how much of `whole` is also in `part`, in per cent; a dash if `whole` is empty."""
    count = int(whole.sum())
    return f"{100 * int((part & whole).sum()) / count:.1f} %" if count else "-"


def by_photograph(photographs: dict[str, Image], respond: Callable[[Image, str], Values]) -> list[str]:
    """Return the table of one operator."""
    lines = [
        "| photograph | tone | edges | found | false | response | found, new threshold |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for name, photograph in photographs.items():
        for tone in ("linear", "log"):
            c = compare(photograph, respond, tone)
            ratio = np.median(c.ratios[c.edges])
            lines.append(
                f"| {name} | {tone} | {c.edges.sum()} | {share(c.found, c.edges)} | {share(~c.edges, c.found)} "
                f"| {ratio:.3f} | {share(c.refound, c.edges)} |"
            )
    return lines


def by_brightness(photographs: dict[str, Image], respond: Callable[[Image, str], Values]) -> list[str]:
    """Return the table of `tone="log"` by the edges' luminance, all photographs together."""
    every = [compare(p, respond, "log") for p in photographs.values()]
    luminance = np.concatenate([c.luminance[c.edges] for c in every])
    found = np.concatenate([c.found[c.edges] for c in every])
    ratios = np.concatenate([c.ratios[c.edges] for c in every])
    lines = ["| original luminance | edges | found | response | (x + 1/2) / (x + 4) |", "|---|---:|---:|---:|---:|"]
    for low, high in pairwise(BANDS):
        here = (luminance >= low) & (luminance < high)
        if here.any():
            x = float(np.median(luminance[here]))
            lines.append(
                f"| {low} to {high} | {here.sum()} | {share(found, here)} | {np.median(ratios[here]):.3f} "
                f"| {(x + 0.5) / (x + DARKER / 2):.3f} |"
            )
    return lines


def report(photographs: dict[str, Image]) -> str:
    """Return definitions, tables and notes."""
    lines = [
        "# Dark images",
        "",
        '`tone="log"` filters log(x + half a gray level), so that one threshold works for every exposure.',
        "",
        f"Each photograph is darkened {DARKER} times: the values in its file are divided by {DARKER} and rounded to",
        "whole gray levels. The dark half is the set of pixels whose luminance is below the median. *Edges* are the",
        f"strongest {STRONGEST:.0%} of the pixels in the dark half, by the magnitude in the original photograph. For",
        "each tone, edges and thresholds refer to the magnitude with this tone.",
        "",
        "- *Found*: the fraction of the edges above the same threshold after darkening.",
        "- *False*: the fraction of the pixels above the threshold after darkening that were no edges before.",
        "- *Response*: the median over the edges of the magnitude after darkening, divided by the magnitude before.",
        "- *New threshold*: the fraction found with a threshold that selects the strongest "
        f"{STRONGEST:.0%} after darkening.",
    ]
    for name, respond in OPERATORS.items():
        lines += ["", f"**{name}**", "", *by_photograph(photographs, respond)]
    for name, respond in OPERATORS.items():
        heading = f'**{name}, `tone="log"`, by the brightness of the edge**'
        lines += ["", heading, "", *by_brightness(photographs, respond)]
    return "\n".join([*lines, "", NOTES])


def samples() -> dict[str, Image]:
    """Return the sample photographs by name."""
    return {s.name: ek.read_image(SAMPLES / s.name) for s in PHOTOGRAPHS}


def summary() -> str:
    """Return the table of the Sobel operator."""
    return "\n".join(by_photograph(samples(), fine))


NOTES = f"""\
- Linear responses fall to 1/{DARKER}, so that a fixed threshold misses the edges. The order of the responses does not
  change: a new threshold for each image finds the edges again, as well as the logarithm does. With the logarithm no new
  threshold is needed.
- The logarithm is that of x + 1/2. Small steps at gray level x keep (x + 1/2) / (x + {DARKER // 2}) of their response:
  0.97 at level 100, 0.90 at 31, 0.56 at {DARKER // 2}. Edges slightly above the threshold are missed because of this.
  The last column shows this fraction at the median luminance of the row.
- Below level {DARKER * 2}, darkening leaves only the levels 0, 1 and 2. Edges disappear within one level, or become
  stronger where rounding puts a whole level between neighbours. The latter also creates false edges. No tone restores
  the information that was lost by rounding.
- The values in the file of a photograph are not proportional to light: a value {DARKER} times smaller means more than
  {DARKER} times less light.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and print the report."""
    parser = argparse.ArgumentParser(description="Measure which edges of a dark image the logarithm keeps.")
    parser.add_argument("-o", "--output", type=Path, help="file to write instead of printing")
    output = parser.parse_args(arguments).output
    text = report(samples())
    if output is None:
        print(text, end="")
    else:
        output.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
