"""How well `edgekit.fuse` keeps the gradients of pairs of photographs with different focus.

    python scripts/evaluation/focus_fusion.py FOLDER [--write]

FOLDER has pairs of images whose names end in _1 and _2. Prints a Markdown table with the measure Qg of Xydeas and
Petrovic for each pair: of each image alone, of a fusion by Laplacian pyramids, and of `edgekit.fuse`, with its CPU
time.
The weights of `edgekit.fuse` were chosen on every other pair, in the order of the names, beginning with the first;
the table has means of these pairs and of the rest.

References: Xydeas and Petrovic 2000, 10.1049/el:20000267; Burt and Adelson 1983, 10.1109/TCOM.1983.1095851.
"""

import argparse
import statistics
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import edgekit as ek
from common.blocks import fill
from common.paths import README

Image = npt.NDArray[np.uint8]
Plane = npt.NDArray[np.float64]

#: The constants of Xydeas and Petrovic: largest value, steepness and middle of the curves for strength and direction.
STRENGTH, DIRECTION = (0.9994, -15.0, 0.5), (0.9879, -22.0, 0.8)

#: Levels of the Laplacian pyramids.
LEVELS = 6

#: The page with the table.
PAGE = README.parent / "docs" / "focus.md"


def gradient(gray: Plane) -> tuple[Plane, Plane]:
    """Return the magnitude and the direction of the Sobel gradient, which is 0 outside the image."""
    gx, gy = (cv2.Sobel(gray, cv2.CV_64F, *order, borderType=cv2.BORDER_CONSTANT) for order in ((1, 0), (0, 1)))
    return np.hypot(gx, gy), np.arctan(gy / np.where(gx == 0, 1e-5, gx))


def kept(values: Plane, curve: tuple[float, float, float]) -> Plane:
    """Return the part of the information that is kept at this ratio of strengths, or likeness of directions."""
    largest, steepness, middle = curve
    return largest / (1 + np.exp(steepness * (values - middle)))


def qg(sources: Sequence[Plane], fused: Plane) -> float:
    """Return Qg: the mean part of the gradient of each source that the fused image keeps, weighted by the gradient."""
    strength, direction = gradient(fused)
    total = weight = 0.0
    for source in sources:
        own, angle = gradient(source)
        largest = np.maximum(own, strength)
        ratio = np.divide(np.minimum(own, strength), largest, out=np.ones_like(own), where=largest > 0)
        likeness = np.abs(np.abs(angle - direction) - np.pi / 2) * 2 / np.pi
        total += float((own * kept(ratio, STRENGTH) * kept(likeness, DIRECTION)).sum())
        weight += float(own.sum())
    return total / weight


def gray(image: Image) -> Plane:
    """Return the luminance."""
    return image @ np.array([0.299, 0.587, 0.114]) if image.ndim == 3 else image.astype(np.float64)


def by_pyramids(images: Sequence[Image]) -> Image:
    """Fuse two images by the larger coefficient of their Laplacian pyramids, and the mean of the coarsest level."""
    levels = [[image.astype(np.float32)] for image in images]
    for pyramid in levels:
        for _ in range(LEVELS):
            pyramid.append(cv2.pyrDown(pyramid[-1]))
    fused = sum(pyramid[-1] for pyramid in levels) / len(levels)
    for n in range(LEVELS - 1, -1, -1):
        size = levels[0][n].shape[1::-1]
        a, b = (pyramid[n] - cv2.pyrUp(pyramid[n + 1], dstsize=size) for pyramid in levels)
        fused = cv2.pyrUp(fused, dstsize=size) + np.where(np.abs(a) > np.abs(b), a, b)
    return fused.round().clip(0, 255).astype(np.uint8)


def fused_in(images: Sequence[Image], runs: int = 5) -> tuple[Image, float]:
    """Return the result of `edgekit.fuse`, and the median CPU time in milliseconds."""
    times = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Some pairs differ in magnification.
        for _ in range(runs):
            start = time.process_time()
            fused = ek.fuse(images)
            times.append(1000 * (time.process_time() - start))
    return fused, statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--write", action="store_true", help="write the table to docs/focus.md")
    arguments = parser.parse_args()
    rows = []
    for first in sorted(arguments.folder.glob("*_1.*")):
        images = [ek.read_image(first), ek.read_image(first.with_name(first.name.replace("_1.", "_2.")))]
        planes = [gray(image) for image in images]
        fused, milliseconds = fused_in(images)
        results = (*images, by_pyramids(images), fused)
        rows.append((first.stem[:-2], *(qg(planes, gray(result)) for result in results), milliseconds))
    if not rows:
        raise SystemExit(f"{arguments.folder}: expected images whose names end in _1 and _2")
    parts = (("mean of the pairs used for tuning", rows[::2]), ("mean of the other pairs", rows[1::2]), ("mean", rows))
    means = [(name, *map(statistics.mean, list(zip(*part, strict=True))[1:])) for name, part in parts if part]
    lines = ["| pair | image 1 | image 2 | Laplacian pyramid | `fuse` | CPU ms |", "|---|---:|---:|---:|---:|---:|"]
    lines += [f"| {n} | {a:.3f} | {b:.3f} | {p:.4f} | {f:.4f} | {ms:.0f} |" for n, a, b, p, f, ms in (*rows, *means)]
    table = "\n".join(lines)
    print(table)
    if arguments.write:
        PAGE.write_text(fill(PAGE.read_text(), "fusion", table))


if __name__ == "__main__":
    main()
