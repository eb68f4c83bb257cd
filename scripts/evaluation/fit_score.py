"""Fit the two numbers of the score to photographs that people sorted.

    python scripts/evaluation/fit_score.py --sharp FOLDER... --blurred FOLDER... [--part 0/2] [--write]

A logistic regression of the label on the logarithm of the width. `--write`
stores the result in `edgekit/focus/score_model.json`.
"""

import argparse
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

import edgekit as ek

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.paths import ROOT
from edgekit.focus.blur_score import VIEW
from edgekit.focus.edge_widths import measured_width
from edgekit.focus.picture_area import picture_area

#: A sharp photograph that is called blurred counts as much as so many blurred ones that are called sharp.
SHARP = 2

MODEL = ROOT / "edgekit" / "focus" / "score_model.json"


def widths(folders: Sequence[Path], part: str) -> list[float]:
    """Return the logarithm of the width of each photograph at viewing size; those without edges are left out."""
    first, step = map(int, part.split("/"))
    found = []
    for folder in folders:
        for path in sorted(p for p in folder.iterdir() if p.is_file())[first::step]:
            area = picture_area(ek.read_image(path, colour=False)).reduced(VIEW)
            width = measured_width(area, 1.0)
            if not width.reason:
                found.append(math.log(math.sqrt(width.width * width.sharpest)))
    return found


def fit(sharp: Sequence[float], blurred: Sequence[float]) -> tuple[float, float]:
    """Return the width with a probability of 0.5, and the slope."""
    x = np.array([*sharp, *blurred])
    sign = np.repeat([1.0, -1.0], [len(sharp), len(blurred)])
    weight = np.repeat([SHARP / len(sharp), 1 / len(blurred)], [len(sharp), len(blurred)])

    def loss(p: np.ndarray) -> float:
        return float((weight * np.logaddexp(0, sign * math.exp(p[1]) * (x - p[0]))).sum())

    found = minimize(loss, (0.0, 1.5), method="Nelder-Mead").x
    return math.exp(found[0]), math.exp(found[1])


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, fit, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sharp", nargs="+", type=Path, required=True)
    parser.add_argument("--blurred", nargs="+", type=Path, required=True)
    parser.add_argument("--part", default="0/1", help="0/2: the first, third, ... photograph of each folder")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args(arguments)
    sharp, blurred = widths(given.sharp, given.part), widths(given.blurred, given.part)
    half, slope = fit(sharp, blurred)
    print(f"{len(sharp)} sharp, {len(blurred)} blurred: half {half:.3f} px, slope {slope:.2f}")
    if given.write:
        MODEL.write_text(json.dumps({"half": round(half, 3), "slope": round(slope, 2)}) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
