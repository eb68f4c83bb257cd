"""Compiled loops over edges: the pixels that Canny's steps keep, with the same bits as by NumPy and OpenCV.

May import `operators` and what is below it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.backends.opencv.jit_compiler import compiled

Array = NDArray[Any]


@compiled
def local_maxima(strength: Array, gx: Array, gy: Array, sector: Any, start: int, out: Array) -> None:
    """Keep strengths that no neighbour across the edge exceeds, as `edgekit.edges.thinning.suppress`.

    Parameters
    ----------
    strength, gx, gy : ndarray
        (H, W), of one type of floats.
    sector : float
        Tangent above which a direction is diagonal, of the same type; 0 to interpolate between two neighbours.
    start : int
        The first row to compute.
    out : ndarray
        The rows from `start` on.
    """
    rows, columns = strength.shape
    zeros = np.zeros(columns, strength.dtype)
    zero, one = zeros.dtype.type(0), zeros.dtype.type(1)
    for i in range(start, start + out.shape[0]):
        above = strength[i - 1] if i > 0 else zeros
        here = strength[i]
        below = strength[i + 1] if i + 1 < rows else zeros
        line = out[i - start]
        for j in range(columns):
            value, x, y = here[j], gx[i, j], gy[i, j]
            line[j] = zero
            if value == 0 or value != value:
                continue
            wide, high = abs(x), abs(y)
            flat = high > wide
            longer, shorter = (high, wide) if flat else (wide, high)
            diagonal = shorter / (longer if longer > 0 else one)
            if x != x or y != y:
                diagonal = x + y
            left, right = j - 1, j + 1
            # The corner behind, and the one ahead.
            falling = (x < 0) != (y < 0)
            if flat:
                behind, ahead = above[j], below[j]
                corner, other = (right, left) if falling else (left, right)
                far_behind = above[corner] if 0 <= corner < columns else zero
                far_ahead = below[other] if 0 <= other < columns else zero
            else:
                behind = here[left] if j > 0 else zero
                ahead = here[right] if right < columns else zero
                far_behind = (below[left] if falling else above[left]) if j > 0 else zero
                far_ahead = (above[right] if falling else below[right]) if right < columns else zero
            if not sector:
                behind += (far_behind - behind) * diagonal
                ahead += (far_ahead - ahead) * diagonal
            elif diagonal > sector:
                behind, ahead = far_behind, far_ahead
            if value > behind and (value > ahead or (value == ahead and not (sector and diagonal > sector))):
                line[j] = value


@compiled
def thin(mask: Array, keep: Array) -> None:
    """Thin lines in place, as `edgekit.edges.thinning.thinned`.

    Parameters
    ----------
    mask : ndarray of uint8
        (H + 2, W + 2), 1 at the pixels of lines. The border is 0.
    keep : ndarray of uint8
        (2, 256), 0 where a pixel with these neighbours is removed. Bit n of the index is the neighbour at n times 45
        degrees, counter-clockwise from the right.
    """
    width = mask.shape[1]
    pixels = mask.reshape(-1)
    left = np.flatnonzero(pixels)
    removed = np.empty_like(left)
    changed = True
    while changed:
        changed = False
        for side in range(2):
            kept = gone = 0
            for place in left:
                code = (
                    pixels[place + 1]
                    | pixels[place - width + 1] << 1
                    | pixels[place - width] << 2
                    | pixels[place - width - 1] << 3
                    | pixels[place - 1] << 4
                    | pixels[place + width - 1] << 5
                    | pixels[place + width] << 6
                    | pixels[place + width + 1] << 7
                )
                if keep[side, code]:
                    left[kept] = place
                    kept += 1
                else:
                    removed[gone] = place
                    gone += 1
            for place in removed[:gone]:
                pixels[place] = 0
            left = left[:kept]
            changed |= gone > 0


@compiled
def connected(levels: Array) -> None:
    """Replace 1 by 2 wherever it is connected to a 2, also diagonally, in place.

    Parameters
    ----------
    levels : ndarray of uint8
        (H + 2, W + 2): 0, 1 or 2. The border is 0.
    """
    width = levels.shape[1]
    pixels = levels.reshape(-1)
    seeds = np.flatnonzero(pixels == 2)
    waiting = np.empty(np.count_nonzero(pixels), seeds.dtype)
    count = seeds.size
    waiting[:count] = seeds
    while count:
        count -= 1
        place = waiting[count]
        for line in (place - width, place, place + width):
            for neighbour in range(line - 1, line + 2):
                if pixels[neighbour] == 1:
                    pixels[neighbour] = 2
                    waiting[count] = neighbour
                    count += 1
