"""Measure how well `blur_width` finds a known blur: sharp photographs are blurred, and what it finds is compared.

    python scripts/evaluation/known_blur.py FOLDER... [--most 40] [--part 0/2] [--processes 2] [--write]

Each photograph is blurred by Gaussians, discs and motions in a random direction, then gets noise or is coded as JPEG.
The expected width contains the blur that the photograph itself has, as it was found before. Prints a Markdown table;
`--write` fills the block of docs/sharpness.md.
"""

import argparse
import math
import sys
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

import edgekit as ek

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.blocks import fill
from common.paths import ROOT

Array = NDArray[Any]

#: Widths of Gaussians, radii of discs, lengths of motions, in pixels.
GAUSSIANS, DISCS, MOTIONS = (0.7, 1.0, 2.0, 4.0, 8.0), (1.5, 3.0, 6.0, 8.0), (5.0, 8.0, 12.0, 20.0, 40.0)

#: Noise as a fraction of white, JPEG quality or None, and bits.
CONDITIONS = ((0.0, None, 8), (0.02, None, 8), (0.05, None, 8), (0.0, 70, 8), (0.0, 95, 8), (0.0, None, 16))

#: A kernel is drawn on a grid that is finer by this factor.
FINER = 8

#: Larger photographs are reduced to this size: so they are sharp to the pixel.
LONGEST = 1024


class Trial(NamedTuple):
    """What was found for one photograph, blur and condition."""

    folder: str
    blur: str
    condition: str
    ratio: float
    """The width that was found, relative to the expected one; NaN if undefined."""
    turned: float
    """Degrees between the direction found and that of the motion; NaN without both."""


def disc(radius: float) -> Array:
    """Return the kernel of a lens out of focus."""
    side = 2 * math.ceil(radius) + 1
    y, x = (np.mgrid[: side * FINER, : side * FINER] + 0.5) / FINER - side / 2
    return _reduced(np.float32(x**2 + y**2 <= radius**2), side)


def motion(length: float, degrees: float) -> Array:
    """Return the kernel of a uniform motion."""
    side = 2 * math.ceil(length / 2) + 3
    y, x = (np.mgrid[: side * FINER, : side * FINER] + 0.5) / FINER - side / 2
    turn = math.radians(degrees)
    along, across = x * math.cos(turn) + y * math.sin(turn), y * math.cos(turn) - x * math.sin(turn)
    return _reduced(np.float32((np.abs(along) <= length / 2) & (np.abs(across) <= 0.5)), side)


def _reduced(kernel: Array, side: int) -> Array:
    small = cv2.resize(kernel, (side, side), interpolation=cv2.INTER_AREA)
    return small / small.sum()


def widest(kernel: Array) -> float:
    """Return the standard deviation of a kernel along its widest direction."""
    y, x = np.mgrid[: kernel.shape[0], : kernel.shape[1]]
    x, y = x - (kernel * x).sum(), y - (kernel * y).sum()
    moments = [[(kernel * a * b).sum() for a in (x, y)] for b in (x, y)]
    return float(math.sqrt(np.linalg.eigvalsh(moments)[-1]))


def blurred(image: Array, random: np.random.Generator) -> Iterator[tuple[str, Array, float, float]]:
    """Yield the name of a blur, the blurred image, the width of the blur, and the direction of a motion."""
    for sigma in GAUSSIANS:
        yield f"Gaussian, sigma {sigma:g}", cv2.GaussianBlur(image, (0, 0), sigma), sigma, math.nan
    for radius in DISCS:
        kernel = disc(radius)
        yield f"disc, radius {radius:g}", _filtered(image, kernel), widest(kernel), math.nan
    for length in MOTIONS:
        degrees = random.uniform(0, 180)
        kernel = motion(length, degrees)
        yield f"motion, length {length:g}", _filtered(image, kernel), widest(kernel), degrees


def _filtered(image: Array, kernel: Array) -> Array:
    return cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_REFLECT)


def stored(image: Array, noise: float, quality: int | None, bits: int, random: np.random.Generator) -> Array:
    """Return an image with noise, as integers of 8 or 16 bits, coded as JPEG."""
    white = 2**bits - 1
    noisy = image / 255 + random.normal(0, noise, image.shape)
    levels = np.rint(np.clip(noisy, 0, 1) * white).astype(np.uint8 if bits == 8 else np.uint16)
    if quality is None:
        return levels
    return cv2.imdecode(cv2.imencode(".jpg", levels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_GRAYSCALE)


def trials(path: Path) -> list[Trial]:
    """Return the results for one photograph."""
    image = ek.read_image(path, colour=False)
    factor = min(1.0, LONGEST / max(image.shape))
    image = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA).astype(np.float32)
    random = np.random.default_rng(zlib.crc32(path.name.encode()))
    folder = f"{path.parent.parent.name}/{path.parent.name}"
    own = ek.blur_width(np.uint8(image)).width
    found = []
    for name, image_blurred, width, degrees in blurred(image, random):
        for noise, quality, bits in CONDITIONS:
            result = ek.blur_width(stored(image_blurred, noise, quality, bits, random))
            turned = abs((result.direction - degrees + 90) % 180 - 90)
            words = f"noise {noise:.0%}" if noise else f"JPEG {quality}" if quality else f"{bits} bits"
            found.append(Trial(folder, name, words, result.width / math.hypot(width, own), turned))
    return found


def row(name: str, chosen: Sequence[Trial]) -> str:
    """Return a line of the table."""
    ratios = np.array([trial.ratio for trial in chosen])
    errors = np.abs(ratios[np.isfinite(ratios)] - 1)
    turned = np.array([trial.turned for trial in chosen])
    turned = turned[np.isfinite(turned)]
    motions = name.startswith(("motion", "every motion"))
    share = f"{len(turned) / len(chosen):.0%}" if motions else "-"
    angles = f"{np.median(turned):.1f}, {np.percentile(turned, 90):.1f}" if motions and len(turned) else "-"
    undefined = int(np.isnan(ratios).sum())
    return (
        f"| {name} | {np.nanmedian(ratios):.2f} | {np.median(errors):.0%} | {np.percentile(errors, 90):.0%} "
        f"| {share} | {angles} | {undefined} |"
    )


def table(found: Sequence[Trial], photographs: int) -> str:
    """Return the table: a line for each blur, for each kind of blur and condition, and for each folder."""
    lines = [
        f"{photographs} photographs.",
        "",
        "| blur | measured / expected | error, median | error, 90th percentile | motion detected "
        "| error of the direction, ° | undefined |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name in dict.fromkeys(trial.blur for trial in found):
        lines.append(row(name, [trial for trial in found if trial.blur == name]))
    for kind in ("Gaussian", "disc", "motion"):
        for words in dict.fromkeys(trial.condition for trial in found):
            lines.append(row(f"every {kind}, {words}", [t for t in found if t.condition == words and kind in t.blur]))
    for folder in dict.fromkeys(trial.folder for trial in found):
        lines.append(row(f"every blur, `{folder}`", [trial for trial in found if trial.folder == folder]))
    return "\n".join([*lines, row("all", found)])


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path, help="folders of sharp photographs")
    parser.add_argument("--most", type=int, default=40, help="photographs of each folder (default: %(default)s)")
    parser.add_argument("--part", default="0/1", help="every which photograph: 1/2 is the second half of pairs")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--write", action="store_true", help="fill the block of docs/sharpness.md")
    given = parser.parse_args(arguments)
    first, step = map(int, given.part.split("/"))
    paths = []
    for folder in given.folders:
        some = sorted(p for p in folder.iterdir() if p.is_file())[first::step]
        paths += some[:: max(1, len(some) // given.most)][: given.most]
    with ProcessPoolExecutor(given.processes) as pool:
        found = [trial for each in pool.map(trials, paths) for trial in each]
    text = table(found, len(paths))
    print(text)
    if given.write:
        page = ROOT / "docs" / "sharpness.md"
        page.write_text(fill(page.read_text(encoding="utf-8"), "known blur", text), encoding="utf-8")


if __name__ == "__main__":
    cv2.setNumThreads(1)
    main()
