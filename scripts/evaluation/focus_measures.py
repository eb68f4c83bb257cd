"""How near the peak of each focus measure is to the known focus of a stack.

    python scripts/evaluation/focus_measures.py [FOLDER...] [--positions FILE] [--focus Z] [--seeds N] [--write]

Without a folder, or with --write, the stacks are simulated: photographs blurred in proportion to the distance from a
random focus by the blur of a round aperture or by a Gaussian, in light that changes, with the noise of the sensor.

A FOLDER has the images of a stack. --focus is the position of best focus, in the unit of the file --positions. Without
it nothing is known: each of 6x6 tiles is measured, and compared with the median of the peaks that all measures find
in this tile. The table tells how many peaks are found, how far they are from the focus, in steps, and how often the
distance is more than three times the stated error.
"""

import argparse
import math
import statistics
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import edgekit as ek
from common.blocks import fill
from common.paths import README
from edgekit.batch.positions import Positions
from edgekit.batch.stack import Request, files_of, measure_stack
from edgekit.batch.stack_planes import stacks_of
from edgekit.common.choices import BLUR as BLUR_WIDTH
from edgekit.common.read_options import ReadOptions
from edgekit.focus.light import mean_level
from edgekit.focus.stack_peak import find_peak_in_light
from evaluation.autofocus import PHOTOGRAPHS, disc, gaussian, photograph

Image = npt.NDArray[np.uint8]

#: Images of a simulated stack; the blur of one step in pixels; noise in gray levels, and the flicker of the lamp.
IMAGES, BLUR, NOISE, FLICKER = 13, (0.5, 1.2), (1.0, 5.0), 0.03

#: What `edgekit focus` can measure.
NAMES = (*ek.MEASURES, BLUR_WIDTH)

#: Rows and columns of tiles of a stack whose focus is not known.
TILES = 6

#: The page with the table.
PAGE = README.parent / "docs" / "focus.md"


class Found(NamedTuple):
    """The distance of a peak from the focus in steps, and its stated error; NaN without a peak."""

    distance: float
    error: float


class InOrder:
    """An engine that runs one task after another."""

    def run(
        self, task: Callable[[Any], Any], items: Iterable[Any], give_up: Callable[[Any, str], Any]
    ) -> Iterator[Any]:
        """Yield the results of the task."""
        return map(task, items)


def simulated(seed: int) -> tuple[list[Image], float]:
    """Return the images of a stack, and the position of its focus."""
    random = np.random.default_rng(seed)
    scene = photograph(PHOTOGRAPHS[seed % len(PHOTOGRAPHS)]) * 0.8
    focus, blur, noise = random.uniform(3, IMAGES - 4), random.uniform(*BLUR), random.uniform(*NOISE)
    kernel = (disc, gaussian)[random.integers(2)]
    images = []
    for z in range(IMAGES):
        image = cv2.filter2D(scene, -1, kernel(blur * abs(z - focus) + 0.3)) * random.normal(1, FLICKER)
        images.append((image + random.normal(0, noise, image.shape)).round().clip(0, 255).astype(np.uint8))
    return images, focus


def in_simulation(seeds: int) -> dict[str, list[Found]]:
    """Return what each measure finds in simulated stacks."""
    found: dict[str, list[Found]] = {name: [] for name in NAMES}
    for seed in range(seeds):
        images, focus = simulated(seed)
        levels = [mean_level(image) for image in images]
        for request in map(Request, NAMES):
            scores = [request.score(image) for image in images]
            peak = find_peak_in_light(range(IMAGES), scores, levels, request.contrast)
            found[request.measure].append(_found(peak, focus, 1.0))
    return found


def in_folder(folder: Path, positions: Positions, focus: float | None) -> dict[str, list[Found]]:
    """Return what each measure finds in a stack."""
    options = ReadOptions()
    (planes,) = stacks_of(files_of([str(folder)], lambda path: None), options)
    planes = positions.given_to(planes)
    peaks: dict[str, list[ek.Peak]] = {}
    for name in NAMES:
        request = Request(name, None, 0 if focus is not None else TILES)
        stack = measure_stack(planes, request, InOrder(), options)
        peaks[name] = [stack.peak()] if focus is not None else list(stack.tile_peaks().peaks)
    step = statistics.median(np.abs(np.diff([image.position for image in stack.images])))
    places = np.array([[p.position if p.status == "peak" else math.nan for p in found] for found in peaks.values()])
    known = np.isfinite(places).sum(axis=0) > len(peaks) / 2
    middle = (
        [focus]
        if focus is not None
        else [np.nanmedian(c) if k else math.nan for c, k in zip(places.T, known, strict=True)]
    )
    return {
        name: [_found(peak, at, step) for peak, at in zip(found, middle, strict=True) if math.isfinite(at)]
        for name, found in peaks.items()
    }


def _found(peak: ek.Peak, focus: float, step: float) -> Found:
    if peak.status != "peak":
        return Found(math.nan, math.nan)
    return Found(abs(peak.position - focus) / step, (peak.error or math.nan) / step)


def table(found: dict[str, list[Found]]) -> str:
    """Return a Markdown table, the best measure first."""
    rows = []
    if not any(found.values()):
        return "There is no tile in which most measures find a peak."
    for name, each in found.items():
        known = sorted(f.distance for f in each if math.isfinite(f.distance))
        beyond = sum(f.distance > 3 * f.error for f in each)
        # A stack without a peak counts as the largest distance.
        padded = known + [math.inf] * (len(each) - len(known))
        middle, large = statistics.median(padded), padded[min(len(padded) - 1, math.ceil(0.95 * len(padded)) - 1)]
        line = f"| `{name}` | {len(known)} of {len(each)} | {_shown(middle)} | {_shown(large)} | {beyond} |"
        rows.append((large, middle, line))
    head = "| measure | peaks | median distance | 95th percentile | beyond three stated errors |"
    return "\n".join([head, "|---|---:|---:|---:|---:|", *(line for *_, line in sorted(rows))])


def _shown(steps: float) -> str:
    return f"{steps:.3f}" if math.isfinite(steps) else "no peak"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="*")
    parser.add_argument("--positions", help="the positions of the images, as for edgekit focus")
    parser.add_argument("--focus", type=float, help="the position of best focus")
    parser.add_argument("--seeds", type=int, default=60, help="number of simulated stacks")
    parser.add_argument("--write", action="store_true", help="write the table of simulated stacks to docs/focus.md")
    arguments = parser.parse_args()
    for folder in arguments.folders:
        print(f"{folder}:\n\n{table(in_folder(folder, Positions(arguments.positions), arguments.focus))}\n")
    if not arguments.folders or arguments.write:
        made = f"{arguments.seeds} simulated stacks of {IMAGES} images; distances in steps.\n\n"
        made += table(in_simulation(arguments.seeds))
        print(made)
        if arguments.write:
            PAGE.write_text(fill(PAGE.read_text(), "focus measures", made))


if __name__ == "__main__":
    main()
