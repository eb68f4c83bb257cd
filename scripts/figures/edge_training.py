"""Draws the losses of a training of the boundary network.

    python scripts/figures/edge_training.py FOLDER/curve.json -o docs/edge-training.png

FOLDER is that of `learning/train_edges.py`. Needs matplotlib.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("curve", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args(arguments)
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    rows = json.loads(options.curve.read_text(encoding="utf-8"))
    figure, axes = plt.subplots(figsize=(6, 3.2), layout="constrained")
    steps = [row["step"] for row in rows]
    axes.plot(steps, [row["train"] for row in rows], label="training photographs, changed at random")
    axes.plot(steps, [row["val"] for row in rows], label="20 validation photographs, averaged weights")
    best = min(rows, key=lambda row: row["val"])
    label = f"weights of the package: {best['step']} steps, {best['seconds'] / 3600:.1f} hours"
    axes.plot(best["step"], best["val"], "o", color="black", label=label)
    axes.set(xlabel="steps", ylabel="loss")
    axes.set_ylim(bottom=min(row["val"] for row in rows) - 0.02, top=0.5)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(options.output, dpi=110)


if __name__ == "__main__":
    main()
