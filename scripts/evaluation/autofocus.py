"""Compares `autofocus` on a simulated lens with hill climbing and golden-section search.

    python scripts/evaluation/autofocus.py [--seeds N] [--write]

The lens is a photograph blurred in proportion to the distance from focus, with the sensor's noise, rounded to
8 bits. Each seed chooses a photograph, a focus position, a depth of field and a shape of the blur. All methods have the
same lens and the same number of measurements. Prints a Markdown table.
"""

import argparse
import math
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import edgekit as ek
from common.blocks import fill_page
from common.paths import DOCS, SAMPLES

Image = npt.NDArray[np.uint8]

PHOTOGRAPHS = ("camera.png", "chelsea.png", "coffee.png", "rocket.jpg")

#: Longer side of the photographs in pixels, and the focus measure.
SIZE, MEASURE = 256, "tenengrad"

#: The range of positions, the maximum number of measurements, and the largest error of a success as a fraction of the
#: range.
LOW, HIGH, BUDGET, CLOSE = 0.0, 1000.0, 20, 0.01

#: Smallest and largest blur in pixels at a distance of the whole range from focus: 1 % of the range is 0.1 to 0.4
#: pixels.
LEAST_BLUR, MOST_BLUR = 10.0, 40.0

#: Standard deviations of the sensor noise in gray levels, and of the brightness of the lamp between images.
NOISE, FLICKER = 3.0, 0.005

#: The ratio of successive intervals of golden-section search.
GOLDEN = (math.sqrt(5) - 1) / 2


class Lens:
    """A lens in front of a photograph; calling it with a position gives the focus measure there.

    Parameters
    ----------
    seed : int
        Seed of all random choices.
    backlash : float
        Backlash of the drive when it moves down.
    """

    def __init__(self, seed: int, backlash: float = 0.0) -> None:
        self._random = np.random.default_rng(seed)
        self._photograph = photograph(PHOTOGRAPHS[seed % len(PHOTOGRAPHS)])
        self.focus = self._random.uniform(LOW + 0.05 * (HIGH - LOW), HIGH - 0.05 * (HIGH - LOW))
        self._blur = self._random.uniform(LEAST_BLUR, MOST_BLUR) / (HIGH - LOW)
        self._kernel = (disc, gaussian)[self._random.integers(2)]
        self._backlash, self._place = backlash, HIGH
        self.count = 0

    def image(self, position: float) -> Image:
        """Return the image at a position."""
        # Within the backlash the lens does not move.
        self._place = min(max(self._place, position), position + self._backlash)
        blurred = cv2.filter2D(self._photograph, -1, self._kernel(self._blur * abs(self._place - self.focus)))
        noisy = blurred * self._random.normal(1, FLICKER) + self._random.normal(0, NOISE, blurred.shape)
        return noisy.round().clip(0, 255).astype(np.uint8)

    def __call__(self, position: float) -> float:
        self.count += 1
        return float(ek.sharpness(self.image(position), MEASURE))


def photograph(name: str) -> npt.NDArray[np.float32]:
    """Return a photograph in gray, reduced."""
    gray = ek.read_image(SAMPLES / name, colour=False)
    factor = SIZE / max(gray.shape)
    size = tuple(round(side * factor) for side in reversed(gray.shape))
    return cv2.resize(gray, size, interpolation=cv2.INTER_AREA).astype(np.float32)


def disc(radius: float) -> npt.NDArray[np.float64]:
    """Return the blur of a round aperture."""
    reach = math.ceil(radius)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    # Pixels at the rim are covered in part.
    taps = np.clip(radius + 0.5 - np.hypot(x, y), 0, 1)
    return taps / taps.sum()


def gaussian(radius: float) -> npt.NDArray[np.float64]:
    """Return a Gaussian as wide as the disc: its variance along an axis is a quarter of the squared radius."""
    sigma = max(radius / 2, 1e-3)
    x = np.arange(-math.ceil(3 * sigma), math.ceil(3 * sigma) + 1)
    line = np.exp(-((x / sigma) ** 2) / 2)
    taps = np.outer(line, line)
    return taps / taps.sum()


def by_autofocus(lens: Lens) -> float:
    """Return the position that `autofocus` finds."""
    return ek.autofocus(lens, LOW, HIGH, budget=BUDGET).position


def by_hill_climb(lens: Lens) -> float:
    """Step from the middle while the score increases; then reverse, with half the step."""
    here, step = (LOW + HIGH) / 2, (HIGH - LOW) / 8
    score = lens(here)
    turned = False
    while lens.count < BUDGET and abs(step) > (HIGH - LOW) / 1000:
        there = min(max(here + step, LOW), HIGH)
        found = lens(there)
        if found > score:
            here, score, turned = there, found, True
        else:
            # The first step may have been in the wrong direction.
            step = -step / 2 if turned else -step
            turned = True
    return here


def by_golden_section(lens: Lens) -> float:
    """Narrow the range by the golden section."""
    low, high = LOW, HIGH
    left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    at_left, at_right = lens(left), lens(right)
    while lens.count < BUDGET and high - low > (HIGH - LOW) / 1000:
        if at_left > at_right:
            high, right, at_right = right, left, at_left
            left = high - GOLDEN * (high - low)
            at_left = lens(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + GOLDEN * (high - low)
            at_right = lens(right)
    return left if at_left > at_right else right


METHODS: dict[str, Callable[[Lens], float]] = {
    "`autofocus`": by_autofocus,
    "hill climbing, step halved at each reversal": by_hill_climb,
    "golden-section search": by_golden_section,
}


def errors(method: Callable[[Lens], float], seeds: int) -> tuple[list[float], list[int]]:
    """Return the error of a method for each lens, as a fraction of the range, and its number of measurements."""
    lenses = [Lens(seed) for seed in range(seeds)]
    # A method that finds nothing has the largest possible error.
    places = [method(lens) for lens in lenses]
    off = [
        1.0 if math.isnan(place) else abs(place - lens.focus) / (HIGH - LOW)
        for place, lens in zip(places, lenses, strict=True)
    ]
    return off, [lens.count for lens in lenses]


def table(seeds: int) -> str:
    """Measure, and return a Markdown table."""
    lines = [
        f"{seeds} lenses, at most {BUDGET} measurements:",
        "",
        f"| method | within {100 * CLOSE:g} % of the range | median error, % of the range | median measurements "
        "| maximum measurements |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, method in METHODS.items():
        off, counts = errors(method, seeds)
        found = sum(e <= CLOSE for e in off)
        middle = 100 * statistics.median(off)
        lines.append(f"| {name} | {found} | {middle:.2f} | {statistics.median(counts):g} | {max(counts)} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--write", action="store_true", help="write the table into docs/autofocus.md")
    options = parser.parse_args(arguments)
    text = table(options.seeds)
    print(text)
    if options.write:
        fill_page(DOCS / "autofocus.md", "lens", text)


if __name__ == "__main__":
    main()
