"""Fit the two numbers of the score to photographs that people sorted.

    python scripts/evaluation/fit_score.py --sharp FOLDER... --blurred FOLDER... [--write]

A logistic regression of the label on the logarithm of the width. To see how well it holds, it is first fitted to every
other photograph, and the rest is counted. `--write` stores the numbers in `edgekit/focus/score_model.json`, and the
counts in docs/sharpness.md. Then increase `VERSION` in `edgekit/focus/blur_score.py`, so that stored scores are stale.
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

from common.blocks import fill
from common.paths import ROOT
from edgekit.focus.blur_score import VIEW
from edgekit.focus.edge_widths import measured_width
from edgekit.focus.picture_area import picture_area

#: The weight of a sharp photograph that is called blurred, relative to that of a blurred one that is called sharp.
SHARP = 2

MODEL = ROOT / "edgekit" / "focus" / "score_model.json"
PAGE = ROOT / "docs" / "sharpness.md"


def widths(folder: Path) -> list[float]:
    """Return the logarithm of the width of each photograph at viewing size; NaN without edges."""
    found = []
    for path in sorted(p for p in folder.iterdir() if p.is_file()):
        area = picture_area(ek.read_image(path, colour=False)).reduced(VIEW)
        found.append(math.log(measured_width(area, 1.0).judged))
    return found


def joined(sets: Sequence[list[float]], first: int, step: int) -> list[float]:
    """Return the widths of each set from `first` on, with this step; undefined ones are left out."""
    return [width for each in sets for width in each[first::step] if not math.isnan(width)]


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
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args(arguments)
    sharp, blurred = [[widths(folder) for folder in folders] for folders in (given.sharp, given.blurred)]
    half, _ = fit(joined(sharp, 0, 2), joined(blurred, 0, 2))
    lines = ["| photographs that were not fitted | called sharp | called blurred |", "|---|---:|---:|"]
    for folder, found in zip([*given.sharp, *given.blurred], [*sharp, *blurred], strict=True):
        rest = joined([found], 1, 2)
        kept = sum(width <= math.log(half) for width in rest)
        lines.append(f"| `{folder.parent.name}/{folder.name}` | {kept} | {len(rest) - kept} |")
    text = "\n".join(lines)
    half, slope = fit(joined(sharp, 0, 1), joined(blurred, 0, 1))
    print(f"{text}\n\nhalf {half:.3f} px, slope {slope:.2f}")
    if given.write:
        MODEL.write_text(json.dumps({"half": round(half, 3), "slope": round(slope, 2)}) + "\n", encoding="utf-8")
        PAGE.write_text(fill(PAGE.read_text(encoding="utf-8"), "not fitted", text), encoding="utf-8")


if __name__ == "__main__":
    main()
