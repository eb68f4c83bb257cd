"""How large and how small the pixels of arrays are."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def extent(window: Array) -> tuple[float, bool]:
    largest = max(float(window.max()), -float(window.min()))
    if largest < math.inf:
        return largest, True
    return float(np.abs(window).max(initial=0, where=np.isfinite(window))), False


def some_tiny(window: Array, below: float) -> bool:
    if window.min() >= below:
        return False
    return bool(np.count_nonzero(np.abs(window) < below) > window.size - np.count_nonzero(window))


def some_not_finite(array: Array) -> bool:
    return not extent(array)[1]
