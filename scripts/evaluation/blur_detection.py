"""Measures how well the score and every focus measure separate sharp photographs from blurred ones.

Run `python scripts/evaluation/blur_detection.py SHARP_FOLDER BLURRED_FOLDER`. It prints a Markdown table: for each
formula the area under the ROC curve, and the number of photographs without a value. It also
counts the photographs on the right side of the threshold. `--block NAME` fills a block of docs/sharpness.md.
"""

import argparse
import math
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow
from PIL import ImageFilter
from scipy.stats import rankdata
from skimage.measure import blur_effect

import edgekit as ek
from edgekit.focus.blur_threshold import DEFAULT, automatic

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.blocks import fill
from common.paths import ROOT

Image = npt.NDArray[Any]

#: Longer side in pixels, number of tiles along each side, and percentile of the measure by tiles.
SIZE, TILES, PERCENTILE = 512, 8, 90

#: Weights of red, green and blue.
LUMINANCE = (0.299, 0.587, 0.114)

#: Longer side in pixels of the images that cleanvision measures.
THUMBNAIL = 64

#: More photographs at a time would wait for memory.
MOST_THREADS = 4


class Photograph(NamedTuple):
    """A photograph in colour and in gray."""

    colour: Image
    gray: Image


def laplacian_variance(photograph: Photograph) -> float:
    """Return the variance of the Laplacian, as in OpenCV tutorials."""
    return float(cv2.Laplacian(photograph.gray, cv2.CV_64F).var())


def by_tiles(photograph: Photograph) -> float:
    """Return a high percentile of the variance of the Laplacian by tiles of a reduced photograph."""
    gray = photograph.gray
    factor = SIZE / max(gray.shape)
    if factor < 1:
        rows, columns = (max(1, round(n * factor)) for n in gray.shape)
        gray = cv2.resize(gray, (columns, rows), interpolation=cv2.INTER_AREA)
    bands = np.array_split(cv2.Laplacian(gray, cv2.CV_64F), TILES)
    tiles = [tile for band in bands for tile in np.array_split(band, TILES, axis=1) if tile.size]
    return float(np.percentile([tile.var() for tile in tiles], PERCENTILE))


def unblurred(photograph: Photograph) -> float:
    """Return 1 minus scikit-image's blur effect: higher is sharper."""
    return -float(blur_effect(photograph.gray))


def thumbnail_edges(photograph: Photograph) -> float:
    """Return the standard deviation of the edges in a thumbnail, as cleanvision does."""
    colour = photograph.colour
    if colour.dtype != np.uint8:
        white = np.iinfo(colour.dtype).max if colour.dtype.kind == "u" else float(np.nanmax(colour)) or 1.0
        colour = ek.to_display(colour, white=white).image
    picture = Pillow.fromarray(colour)
    # Resampled by Pillow in colour, with the sides rounded down.
    times = max(picture.size) / THUMBNAIL
    if times > 1:
        width, height = (max(1, int(side // times)) for side in picture.size)
        picture = picture.resize((width, height))
    return float(np.std(np.asarray(picture.convert("L").filter(ImageFilter.FIND_EDGES))))


#: The compared formulas by name; higher is sharper.
FORMULAS: dict[str, Callable[[Photograph], float]] = {
    "**score**": lambda p: float(ek.score(p.gray)),
    **{name: partial(lambda p, name: float(ek.sharpness(p.gray, name)), name=name) for name in ek.MEASURES},
    "OpenCV: variance of the Laplacian, full size": laplacian_variance,
    f"variance of the Laplacian by tiles, {PERCENTILE}th percentile of {TILES}×{TILES} at {SIZE} px": by_tiles,
    "scikit-image: blur_effect, negated": unblurred,
    f"cleanvision: deviation of edges at {THUMBNAIL} px": thumbnail_edges,
}


def area_under_curve(sharp: Sequence[float], blurred: Sequence[float]) -> float:
    """Return the fraction of pairs in which the sharp photograph has the higher value. Ties count half; NaN without
    pairs.
    """
    if not sharp or not blurred:
        return math.nan
    ranks = rankdata([*sharp, *blurred])[: len(sharp)]
    return float((ranks.sum() - len(sharp) * (len(sharp) + 1) / 2) / (len(sharp) * len(blurred)))


def values_of(path: Path) -> list[float] | None:
    """Return the value of every formula; print a message and return None for a file that cannot be read."""
    try:
        colour, gray = ek.read_image(path), ek.read_image(path, colour=False)
    except ek.EdgekitError as error:
        print(f"{path}: {error}", file=sys.stderr)
        return None
    if gray.ndim == 3:  # Types without a gray decoder.
        gray = gray @ LUMINANCE
    return [formula(Photograph(colour, gray)) for formula in FORMULAS.values()]


def measure(folder: Path, threads: int) -> list[list[float]]:
    """Return the values of every readable photograph of a folder."""
    paths = sorted(p for p in folder.iterdir() if p.is_file())
    with ThreadPoolExecutor(threads) as pool:
        return [values for values in pool.map(values_of, paths) if values is not None]


def table(sharp: list[list[float]], blurred: list[list[float]]) -> str:
    """Return the table. Photographs without a value are not counted in the area of a formula."""
    lines = [
        f"{len(sharp)} sharp and {len(blurred)} blurred photographs.",
        "",
        "| measure | area under the ROC curve | undefined |",
        "|---|---:|---:|",
    ]
    for n, name in enumerate(FORMULAS):
        defined = [[row[n] for row in rows if not math.isnan(row[n])] for rows in (sharp, blurred)]
        undefined = len(sharp) + len(blurred) - sum(map(len, defined))
        area = area_under_curve(*defined)
        lines.append(f"| {name} | {'-' if math.isnan(area) else f'{area:.3f}'} | {undefined} |")
    return "\n".join([*lines, "", decided(sharp, blurred)])


def decided(sharp: list[list[float]], blurred: list[list[float]]) -> str:
    """Return how many photographs are on the right side of the default threshold, and of that of `--threshold auto`."""
    scores = [[row[0] for row in rows if not math.isnan(row[0])] for rows in (sharp, blurred)]
    found = automatic([*scores[0], *scores[1]], probabilities=True)
    said = []
    for name, threshold in (("default", DEFAULT), ("auto", found.value or DEFAULT)):
        kept, caught = sum(s >= threshold for s in scores[0]), sum(s < threshold for s in scores[1])
        said.append(
            f"Threshold {threshold:.2f} ({name}): {kept} of {len(scores[0])} sharp photographs are above it, "
            f"{caught} of {len(scores[1])} blurred ones below."
        )
    return " ".join(said)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and print the table."""
    parser = argparse.ArgumentParser(description="Compare how well measures tell sharp photographs from blurred ones.")
    parser.add_argument("sharp", type=Path, help="folder of sharp photographs")
    parser.add_argument("blurred", type=Path, help="folder of blurred photographs")
    default = min(MOST_THREADS, os.cpu_count() or 1)
    parser.add_argument("--threads", type=int, default=default, help="photographs at a time (default: %(default)s)")
    parser.add_argument("--block", metavar="NAME", help="fill this block of docs/sharpness.md")
    given = parser.parse_args(arguments)
    for folder in (given.sharp, given.blurred):
        if not folder.is_dir():
            parser.error(f"{folder} is not a folder")
    text = table(measure(given.sharp, given.threads), measure(given.blurred, given.threads))
    print(text)
    if given.block:
        page = ROOT / "docs" / "sharpness.md"
        page.write_text(fill(page.read_text(encoding="utf-8"), given.block, text), encoding="utf-8")


if __name__ == "__main__":
    main()
