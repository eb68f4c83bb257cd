"""The image that is filtered: a photograph in every size and type."""

import functools
import math
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from common.paths import ROOT

Image = npt.NDArray[Any]

PHOTOGRAPH = ROOT / "samples" / "camera.png"

#: The factor from 8 bits to the range of each type.
STRETCH = {"uint8": 1, "uint16": 257, "float32": 1}


@functools.lru_cache(1)
def photograph(megapixels: float, dtype: str = "uint8") -> Image:
    """Return a gray photograph, 4 wide and 3 high."""
    height, width = size(megapixels)
    gray = cv2.imread(str(PHOTOGRAPH), cv2.IMREAD_GRAYSCALE)
    assert gray is not None
    # float32 has fractions, uint16 levels between those of 8 bits.
    grown = cv2.resize(gray.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR) * STRETCH[dtype]
    return grown if dtype == "float32" else np.rint(grown).astype(dtype)


def size(megapixels: float) -> tuple[int, int]:
    """Return height and width."""
    height = round(math.sqrt(megapixels * 1e6 * 3 / 4))
    return height, round(height * 4 / 3)


def reach(dtype: str) -> float:
    """Return the largest level."""
    return 255.0 * STRETCH[dtype]
