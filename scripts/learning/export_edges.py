"""Writes the weights of a trained boundary network into the package, in half precision.

    python scripts/learning/export_edges.py FOLDER/best.pt

FOLDER is that of `train_edges.py`.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from edgekit.edges.learned import WEIGHTS
from learning.edge_network import TrainingNetwork


def export(checkpoint: Path, output: Path) -> dict[str, np.ndarray]:
    """Write the weights of a checkpoint into a file, and return them."""
    model = TrainingNetwork()
    model.load_state_dict(torch.load(checkpoint, weights_only=True))
    weights = model.weights()
    np.savez_compressed(output, **weights)
    return weights


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and write the weights."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path, help="best.pt of a training")
    parser.add_argument("-o", "--output", type=Path, default=WEIGHTS, help="default: %(default)s")
    options = parser.parse_args(arguments)
    weights = export(options.checkpoint, options.output)
    print(f"{options.output}: {sum(w.size for w in weights.values())} weights, {options.output.stat().st_size} bytes")


if __name__ == "__main__":
    main()
