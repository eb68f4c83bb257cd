"""Fits the probabilities of `detect` to boundaries that people drew.

    python scripts/learning/fit_probability.py IMAGES TRUTH --what boundaries --model gradients

IMAGES and TRUTH are those of `evaluation/edge_detection.py`. Prints `half` and `steep` of
`edgekit/edges/boundaries.py`, and how well the fitted probabilities agree with the fractions of pixels that match.
Needs `pip install -e ".[bench]"`.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import edgekit as ek
from edgekit.edges.boundaries import constants
from evaluation.boundary_measure import tally
from evaluation.edge_detection import find

#: Thresholds of the probability, at equal distances of the logarithm of the odds.
LEVELS = 1 / (1 + np.exp(-np.linspace(-7, 7, 57)))


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and fit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", type=Path)
    parser.add_argument("truth", type=Path)
    parser.add_argument("--what", default="boundaries")
    parser.add_argument("--model", default="gradients")
    parser.add_argument("--limit", type=int, help="number of photographs, selected at equal distances")
    options = parser.parse_args(arguments)
    half, steep = constants(options.what, options.model)
    matched, found = np.zeros(len(LEVELS)), np.zeros(len(LEVELS))
    pairs, _ = find(options.images, options.truth, options.limit)
    for pair, _ in pairs:
        image, people = pair.read()
        counts = tally(ek.detect(image, what=options.what, model=options.model), people, LEVELS)
        matched += counts.matched
        found += counts.found
    # Those between two thresholds.
    matched, found = (np.maximum(-np.diff(n), 0) for n in (matched, found))
    middle = (np.log(LEVELS / (1 - LEVELS))[1:] + np.log(LEVELS / (1 - LEVELS))[:-1]) / 2
    strength = middle / steep + np.log(half)

    def loss(line: np.ndarray) -> float:
        odds = line[0] * (strength - line[1])
        return float((found * np.logaddexp(0, odds) - matched * odds).sum() / found.sum())

    best = minimize(loss, [steep, np.log(half)], method="Nelder-Mead").x
    print(f"half {np.exp(best[1]):.4g}, steep {best[0]:.3g}")
    fitted = 1 / (1 + np.exp(-best[0] * (strength - best[1])))
    for low in np.arange(0, 1, 0.1):
        there = (fitted >= low) & (fitted < low + 0.1) & (found > 0)
        if there.any():
            share, expected = matched[there].sum() / found[there].sum(), np.average(fitted[there], weights=found[there])
            print(f"probability {expected:.2f}: {share:.2f} match, of {int(found[there].sum())} pixels")


if __name__ == "__main__":
    main()
