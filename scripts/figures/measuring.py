"""Draws measurements over their images: the rim of a cup as an ellipse, and the MTF over a chart.

    python scripts/figures/measuring.py [-o docs/measuring.png]

The figure shows the contours of samples/coffee.png with an ellipse through those of the rim, and the slanted edges that
are found in samples/slanted-edges.png with their MTF50.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import edgekit as ek
from common.paths import README, SAMPLES

#: Points near the rim of the cup, in pixels: contours that pass there belong to it.
ON_THE_RIM, NEAR = ((173.0, 127.0), (312.0, 19.0), (290.0, 207.0)), 4.0


def rim() -> tuple[list[ek.Contour], list[ek.Contour], ek.Ellipse]:
    """Return the contours of the photograph, those of the rim, and the ellipse through the latter."""
    found = ek.contours(ek.read_image(SAMPLES / "coffee.png"), sigma=2, min_length=60)

    def passes(contour: ek.Contour) -> bool:
        return any(np.hypot(*(contour.points - place).T).min() < NEAR for place in ON_THE_RIM)

    of_rim = [contour for contour in found if passes(contour)]
    return found, of_rim, ek.fit_ellipse(of_rim)


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw the figure."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Ellipse, Rectangle

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=README.parent / "docs" / "measuring.png")
    options = parser.parse_args(arguments)
    found, of_rim, ellipse = rim()
    chart = ek.read_image(SAMPLES / "slanted-edges.png")
    figure = Figure(figsize=(14, 5), dpi=100, layout="constrained")
    left, right = figure.subplots(1, 2)
    left.imshow(ek.read_image(SAMPLES / "coffee.png"))
    for contour in found:
        on = contour in of_rim
        left.plot(*contour.points.T, color="#00e5ff" if on else "#ffd54f", lw=1.6 if on else 0.6)
    left.add_patch(
        Ellipse(
            (ellipse.x, ellipse.y), 2 * ellipse.major, 2 * ellipse.minor, angle=ellipse.angle,
            fill=False, ec="#d500f9", lw=0.9, ls="--",
        )
    )  # fmt: skip
    left.set_title(
        f"contours; rim: half axes {ellipse.major:.2f} ± {ellipse.major_error:.2f} and "
        f"{ellipse.minor:.2f} ± {ellipse.minor_error:.2f} px", fontsize=10,
    )  # fmt: skip
    right.imshow(chart, cmap="gray", vmin=0, vmax=255)
    for result in ek.mtf(chart, ek.find_edges(chart), gamma="srgb"):
        x, y, width, height = result.region
        right.add_patch(Rectangle((x - 0.5, y - 0.5), width, height, fill=False, ec="#d55e00", lw=0.8))
        label = f"{result.mtf50:.3f}" if result.status == "ok" else result.status
        box = {"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 0.8}
        right.text(x + width / 2, y + height / 2, label, ha="center", va="center", fontsize=6, bbox=box)
    right.set_title("MTF50 in cycles per pixel", fontsize=10)
    for axes in (left, right):
        axes.set(xticks=[], yticks=[])
    figure.savefig(options.output)


if __name__ == "__main__":
    main()
