"""Measure what `tone="log"` keeps of the edges in the dark half of a photograph that is darkened eight times.

Run `python scripts/dark_edges.py`. It prints Markdown: how the figures are defined, a table for each
operator, one by brightness, and what they say.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from make_samples import DARKER, PHOTOGRAPHS, SAMPLES, Image, darken

import edgekit as ek

Mask = npt.NDArray[np.bool_]
Values = npt.NDArray[np.floating[Any]]

#: The strongest part of the dark half that counts as edges.
STRONGEST = 0.1

#: Levels of luminance at which the second table begins and ends its rows.
BANDS = (0, 8, 16, 32, 64, 256)


def fine(image: Image, tone: str) -> Values:
    """Filter on 3x3 pixels, rounding noise and all."""
    return ek.sobel(image, tone=tone, channel="luminance")


def smooth(image: Image, tone: str) -> Values:
    """Filter at a scale where single rounded levels average out."""
    return ek.gaussian_gradient(image, sigma=2, tone=tone, channel="luminance")


OPERATORS: dict[str, Callable[[Image, str], Values]] = {"Sobel 3x3": fine, "Gaussian derivative, σ = 2": smooth}


@dataclass(frozen=True)
class Comparison:
    """One photograph before and after darkening, seen by one operator.

    Attributes
    ----------
    luminance : array of float
        Of the photograph as taken.
    bright, dark : array of float
        Magnitudes as taken, and darkened.
    half : array of bool
        The dark half: luminance below the photograph's median.
    """

    luminance: Values
    bright: Values
    dark: Values
    half: Mask

    @property
    def threshold(self) -> float:
        """What the strongest part of the dark half exceeds in the photograph as taken."""
        return float(np.quantile(self.bright[self.half], 1 - STRONGEST))

    @property
    def edges(self) -> Mask:
        """The edges to be found again."""
        return self.half & (self.bright >= self.threshold)

    @property
    def found(self) -> Mask:
        """What passes the same threshold in the darkened photograph."""
        return self.half & (self.dark >= self.threshold)

    @property
    def refound(self) -> Mask:
        """What passes a threshold that is set anew, to as many pixels as there are edges."""
        return self.half & (self.dark >= np.quantile(self.dark[self.half], 1 - STRONGEST))

    @property
    def ratios(self) -> Values:
        """Response darkened by response as taken; it says something at edges, where the latter is above zero."""
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
        "| photograph | tone | edges | found | false | response | found, threshold set anew |",
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
    lines = ["| luminance as taken | edges | found | response | (x + 1/2) / (x + 4) |", "|---|---:|---:|---:|---:|"]
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
        f"Each photograph is darkened {DARKER} times: its values, as the file has them, are divided by {DARKER} and",
        "rounded to whole levels. The dark half are the pixels below the median luminance. Edges are the strongest",
        f"{STRONGEST:.0%} of it by magnitude in the photograph as taken, by each tone's own measure. *Found*: how many",
        "of them pass the same threshold after darkening. *False*: how much of what passes was no edge before.",
        "*Response*: the median of magnitude after darkening by magnitude before, at the edges. *Set anew*: found by",
        f"a threshold that again lets the strongest {STRONGEST:.0%} pass.",
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
- Linear responses fall to 1/{DARKER}: a fixed threshold loses the edges. Their order stays, and a threshold set anew
  for each picture finds them again, no worse than the logarithm does. What the logarithm saves is setting it anew.
- The logarithm is of x + 1/2. Small steps at level x keep (x + 1/2) / (x + {DARKER // 2}) of their response: 0.97 at
  level 100, 0.90 at 31, 0.56 at {DARKER // 2}. Edges just above the threshold are lost to that. The last column has
  this share at the median luminance of its row.
- Below level {DARKER * 2} only the levels 0, 1 and 2 are left. Edges vanish within one level, or grow where rounding
  puts a whole level between neighbours; that makes false ones too. No tone brings back what rounding took.
- Values in a photograph's file are not proportional to light: {DARKER} times less in value is more than {DARKER} times
  less light.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and print the report."""
    parser = argparse.ArgumentParser(description="Measure which edges of a dark picture the logarithm keeps.")
    parser.add_argument("-o", "--output", type=Path, help="file to write instead of printing")
    output = parser.parse_args(arguments).output
    text = report(samples())
    if output is None:
        print(text, end="")
    else:
        output.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
