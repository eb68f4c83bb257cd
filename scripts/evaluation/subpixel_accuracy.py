"""Measures how exactly edges are placed: `contours`, `nonmax_suppress` and subpixel-edges on analytic edges.

    python scripts/evaluation/subpixel_accuracy.py [--seed N] [--edges N] [--photograph FILE] [--write]

Half-planes with random angles, offsets and blurs, and discs with random radii, are integrated exactly over each pixel;
white noise is added. Prints Markdown tables; with --write they are put into docs/measuring.md.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import edgekit as ek
from common.analytic_edges import disc, half_plane
from common.blocks import fill
from common.paths import README

Array = npt.NDArray[Any]

#: Returns x and y of the points of edges (N, 2), and their standard errors if the method states them.
Method = Callable[[Array], tuple[Array, Array | None]]

PAGE = README.parent / "docs" / "measuring.md"

#: Rows and columns of the images, and the pixels at the border that are not judged.
SIZE, MARGIN = 64, 8

#: Contrast in gray levels, noise as parts of it, and blurs in pixels.
CONTRAST, NOISES, BLURS = 100.0, (0.0, 0.005, 0.02), (0.35, 0.5, 0.7, 1.0, 1.4, 2.0)

#: Points farther from the edge than this are not of this edge.
FAR = 1.5


def by_contours(image: Array) -> tuple[Array, Array | None]:
    """Return the points of `contours` with its defaults."""
    found = ek.contours(image)
    return np.concatenate([c.points for c in found]), np.concatenate([c.error for c in found])


def by_suppression(image: Array) -> tuple[Array, Array | None]:
    """Return the points of `nonmax_suppress` at the scale that `contours` has."""
    gradient = ek.gradient(image, operator="gaussian", sigma=1.4)
    thin, offset = ek.nonmax_suppress(gradient.magnitude, gradient.direction, subpixel=True)
    rows, columns = np.nonzero(thin > thin.max() / 4)
    turn, moved = np.deg2rad(gradient.direction[rows, columns]), offset[rows, columns]
    return np.stack((columns + moved * np.cos(turn), rows + moved * np.sin(turn)), axis=1), None


def by_subpixel_edges(image: Array) -> tuple[Array, Array | None]:
    """Return the points of the package subpixel-edges, with its defaults and a quarter of the contrast as threshold."""
    # The package uses names that NumPy has removed.
    for name, kind in (("int", int), ("float", float), ("bool", bool)):
        setattr(np, name, kind)
    from subpixel_edges import subpixel_edges

    found = subpixel_edges(image, CONTRAST / 4, 1, 2)
    return np.stack((found.x, found.y), axis=1), None


METHODS: dict[str, Method] = {
    "`contours`": by_contours,
    "`nonmax_suppress(subpixel=True)`, σ = 1.4": by_suppression,
    "subpixel-edges 0.1.1": by_subpixel_edges,
}


def straight(seed: int, edges: int) -> str:
    """Return the table of half-planes."""
    lines = [
        f"{edges} edges for each blur of {', '.join(map(str, BLURS))} px. Root mean square error across the edge, px:",
        "",
        "| method | no noise | 0.5 % | 2 % | stated over true error, 0.5 % | 2 % |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, method in METHODS.items():
        squares: dict[float, list[Array]] = {noise: [] for noise in NOISES}
        stated: dict[float, list[Array]] = {noise: [] for noise in NOISES}
        rng = np.random.default_rng(seed)
        for noise in NOISES:
            for blur in np.repeat(BLURS, edges):
                angle, offset = rng.uniform(0, 360), rng.uniform(-1, 1)
                image = CONTRAST * half_plane((SIZE, SIZE), angle, offset, float(blur)) + 50
                points, errors = method(image + noise * CONTRAST * rng.standard_normal(image.shape))
                turn, middle = np.deg2rad(angle), (SIZE - 1) / 2
                far = (points - middle) @ (np.cos(turn), np.sin(turn)) - offset
                inside = (np.abs(points - middle).max(axis=1) <= middle - MARGIN) & (np.abs(far) < FAR)
                squares[noise].append(far[inside] ** 2)
                if errors is not None:
                    stated[noise].append(errors[inside] ** 2)
        rms = {noise: float(np.sqrt(np.mean(np.concatenate(values)))) for noise, values in squares.items()}
        ratios = [
            f"{float(np.sqrt(np.mean(np.concatenate(stated[noise])))) / rms[noise]:.2f}" if stated[noise] else "-"
            for noise in NOISES[1:]
        ]
        lines.append(f"| {name} | {' | '.join(f'{rms[noise]:.4f}' for noise in NOISES)} | {' | '.join(ratios)} |")
    return "\n".join(lines)


def circles(seed: int, count: int) -> str:
    """Return the table of discs."""
    lines = [
        f"{count} discs with radii of 8 to 60 px and blurs of 0.35 to 2 px. Error of the radius by `fit_circle` in px:",
        "",
        "| noise | mean | root mean square | largest | root mean square of the stated error |",
        "|---|---:|---:|---:|---:|",
    ]
    for noise in NOISES:
        rng = np.random.default_rng(seed + 1)
        errors, stated = [], []
        for _ in range(count):
            radius, blur = rng.uniform(8, 60), rng.uniform(0.35, 2)
            size = int(2 * radius) + 30
            x, y = size / 2 + rng.uniform(-1, 1, 2)
            image = CONTRAST * disc((size, size), x, y, radius, blur)
            found = ek.contours(image + noise * CONTRAST * rng.standard_normal(image.shape))
            circle = ek.fit_circle(found[0])
            errors.append(circle.radius - radius)
            stated.append(circle.radius_error)
        array = np.array(errors)
        numbers = (array.mean(), np.sqrt(np.mean(array**2)), np.abs(array).max(), np.sqrt(np.mean(np.square(stated))))
        label = f"{noise:.1%}".replace(".0%", "%").replace("%", " %") if noise else "none"
        lines.append(f"| {label} | {' | '.join(f'{number:.4f}' for number in numbers)} |")
    return "\n".join(lines)


def times(photograph: str) -> str:
    """Return the processor time of `contours` for a photograph of 8 megapixels."""
    image = ek.read_image(photograph)
    tiles = -(-2448 // image.shape[0]), -(-3264 // image.shape[1])
    image = np.tile(image, (*tiles, 1)[: image.ndim])[:2448, :3264]
    seconds, points = [], 0
    for _ in range(7):
        # Other work on the machine does not change the processor time much.
        start = time.process_time()
        points = sum(map(len, ek.contours(image)))
        seconds.append(time.process_time() - start)
    return (
        f"{Path(photograph).name} repeated to 3264x2448, {points:,} points: {min(seconds):.2f} s of processor time on "
        "all cores together, the minimum of 7 runs."
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--edges", type=int, default=40, help="number of edges for each blur, and of discs")
    parser.add_argument("--photograph", default=str(README.parent / "samples" / "coffee.png"))
    parser.add_argument("--write", action="store_true", help="write the tables into docs/measuring.md")
    options = parser.parse_args(arguments)
    blocks = {
        "subpixel": straight(options.seed, options.edges),
        "circles": circles(options.seed, options.edges),
        "contours-time": times(options.photograph),
    }
    for name, text in blocks.items():
        print(text, end="\n\n")
        if options.write:
            PAGE.write_text(fill(PAGE.read_text("utf-8"), name, text), "utf-8")


if __name__ == "__main__":
    main()
