"""Makes a sheet that shows edges beside photographs, dark on white.

    python scripts/figures/edges.py                                          # the samples, into docs/edges.png
    python scripts/figures/edges.py IMAGES BOUNDARIES --stems 1,2 -o SHEET   # with what people drew, and F

Needs matplotlib, and the extra `bench` for Numba. The second form needs -o: figures of photographs that do not belong
to the project are not stored in it.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import PIL.Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.paths import ROOT, SAMPLES
from evaluation.boundary_measure import Mask, Values, harmonic, rates, tally
from evaluation.edge_detection import Pair, names, read_photograph
from evaluation.edge_methods import METHODS, Image, Method
from figures.contact_sheet import Panel, Row, draw, fitted

SHEET = ROOT / "docs" / "edges.png"

#: Samples on the default sheet.
SHOWN = ("coffee.png", "chelsea.png", "rocket.jpg", "coffee-dark.png")

#: Default methods. Together with the photograph and the drawn boundaries they fill a row.
ALONE, WITH_PEOPLE = ["sobel", "opencv-canny", "detect"], ["opencv-canny", "detect"]

#: Images in a row.
COLUMNS = 4

#: Without a threshold every method shows this fraction of the pixels, those with the strongest edges.
SHARE = 0.03


def inked(strength: Values, like: Image) -> Image:
    """Return strengths in [0, 1], dark on white, in the size of a panel.

    A line of one pixel covers only a part of a pixel of the reduced image. It is made darker by this factor.
    """
    height, width = like.shape[:2]
    small = cv2.resize(strength.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    shrunk = max(1.0, strength.shape[1] / width)
    return np.rint(255 * (1 - np.clip(small * shrunk, 0, 1))).astype(np.uint8)


def strongest(strength: Values) -> Values:
    """Return 1 at the fraction of the pixels with the strongest edges, for any scale of the strengths."""
    return ((strength > 0) & (strength >= np.quantile(strength, 1 - SHARE))).astype(np.float32)


def map_of(method: Method, photograph: Image, threshold: float | None, like: Image) -> Image:
    """Return a method's edges: those above a threshold, or the strongest."""
    strength = method.strength(photograph)
    return inked(strongest(strength) if threshold is None else (strength >= threshold).astype(np.float32), like)


def agreement(method: Method, photograph: Image, people: Sequence[Mask], threshold: float | None) -> str:
    """Return F as text, at a threshold or at the best one for this photograph."""
    strength = method.strength(photograph)
    if threshold is None:
        return f"best F {harmonic(*rates(np.array(tally(strength, people), float))).max():.2f}"
    counts = tally(strength, people, np.array([threshold]))
    return f"F {harmonic(*rates(np.array(counts, float)))[0]:.2f}"


def rows_of(heading: str, panels: Sequence[Panel]) -> list[Row]:
    """Arrange panels in rows, with a heading above the first one."""
    return [
        Row(heading if start == 0 else "", list(panels[start : start + COLUMNS]))
        for start in range(0, len(panels), COLUMNS)
    ]


def sample_rows(samples: Sequence[Path], methods: Sequence[Method], thresholds: dict[str, float]) -> list[Row]:
    """Return rows of samples and their edges."""
    rows = []
    for path in samples:
        photograph = read_photograph(path)
        small = fitted(photograph, COLUMNS)
        panels = [Panel("Photograph", "{1} × {0} pixels".format(*photograph.shape), small)]
        for method in methods:
            at = thresholds.get(method.name)
            code = f"strongest {100 * SHARE:g} % of pixels" if at is None else f"above {at:.2f}"
            panels.append(Panel(method.label.replace("`", ""), code, map_of(method, photograph, at, small)))
        rows += rows_of(path.name, panels)
    return rows


def compared_rows(pairs: Sequence[Pair], methods: Sequence[Method], thresholds: dict[str, float]) -> list[Row]:
    """Return rows of photographs, drawn boundaries, and edges with their F."""
    rows = []
    for pair in pairs:
        photograph, people = pair.read()
        small = fitted(photograph, COLUMNS)
        # With the root a line that one of five people drew is visible.
        drawn = inked(np.sqrt(np.mean(people, axis=0)), small)
        panels = [Panel("Photograph", "", small), Panel("People", f"{len(people)} of them", drawn)]
        for method in methods:
            at = thresholds.get(method.name)
            code = agreement(method, photograph, people, at)
            panels.append(Panel(method.label.replace("`", ""), code, map_of(method, photograph, at, small)))
        rows += rows_of(pair.image.stem, panels)
    return rows


def read_thresholds(path: Path | None) -> dict[str, float]:
    """Return each method's best threshold from the scores that evaluation/edge_detection.py wrote."""
    if path is None:
        return {}
    return {name: row["light"]["threshold"] for name, row in json.loads(path.read_text(encoding="utf-8")).items()}


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and make the sheet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path, nargs="?", help="folder of photographs (default: the samples)")
    parser.add_argument("boundaries", type=Path, nargs="?", help="folder of .mat files with the same stems")
    parser.add_argument("--stems", help="which photographs, separated by commas (default: the first three)")
    parser.add_argument("--methods", type=names, help=f"of {','.join(METHODS)}")
    parser.add_argument("--scores", type=Path, help="scores.json: show the edges above each method's best threshold")
    parser.add_argument("-o", "--output", type=Path, help="default, for the samples: docs/edges.png")
    options = parser.parse_args(arguments)
    thresholds = read_thresholds(options.scores)
    if options.images is None:
        chosen = [METHODS[name] for name in options.methods or ALONE]
        rows, output = sample_rows([SAMPLES / name for name in SHOWN], chosen, thresholds), options.output or SHEET
    elif options.boundaries is None or options.output is None:
        parser.error("other photographs need boundaries and -o")
    else:
        chosen = [METHODS[name] for name in options.methods or WITH_PEOPLE]
        paths = {path.stem: path for path in sorted(options.images.iterdir())}
        stems = options.stems.split(",") if options.stems else list(paths)[:3]
        if unknown := [stem for stem in stems if stem not in paths]:
            parser.error(f"{options.images} has no {', '.join(unknown)}")
        pairs = [Pair(paths[stem], options.boundaries / f"{stem}.mat") for stem in stems]
        rows, output = compared_rows(pairs, chosen, thresholds), options.output
    output.parent.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(draw(rows)).save(output, "PNG", optimize=True)


if __name__ == "__main__":
    main()
