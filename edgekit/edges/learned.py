"""The probability of a boundary by the trained network. May import `backends` and what is below it."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.backends.choice import backend_of
from edgekit.backends.interface import Array
from edgekit.edges.network import UNIT, network
from edgekit.edges.resampling import at_size, padded

#: The weights, in half precision. `scripts/learning/export_edges.py` writes them.
WEIGHTS = Path(__file__).with_name("boundary_network.npz")

#: Sizes of the image whose results are averaged.
SCALES = (0.5, 1.0, 1.5)

#: The network saw square roots of gray levels, from -2 for black to 2 for white.
BLACK, RANGE = -2.0, 4.0


def logits(roots: Sequence[Array], half: float, scales: Sequence[float]) -> Array:
    """Return the logarithm of the odds of a boundary, not calibrated, (rows, columns).

    Parameters
    ----------
    roots : sequence of array
        Square roots of the gray levels: red, green and blue. Of other numbers of planes the mean is used.
    half : float
        Half a gray level, which was added before the root.
    scales : sequence of float
        Sizes of the image whose results are averaged.
    """
    rows, columns = roots[0].shape
    backend = backend_of(roots[0])
    if len(roots) != 3:
        roots = [sum(roots[1:], roots[0]) / len(roots)] * 3
    white = (1 + half) ** 0.5 - half**0.5
    image = [plane * (RANGE / white) + BLACK for plane in roots]
    total: Any = 0
    for scale in scales:
        high, wide = (max(1, round(n * scale)) for n in (rows, columns))
        planes = backend.xp.stack([padded(at_size(plane, high, wide), UNIT) for plane in image])
        found = backend.run_network(network, _weights(), planes)
        total = total + at_size(found[:high, :wide], rows, columns)
    return total / len(scales)


@cache
def _weights() -> dict[str, Array]:
    """Return the kernels and biases by the names of the layers, in single precision."""
    with np.load(WEIGHTS) as stored:
        return {name: stored[name].astype(np.float32) for name in stored.files}
