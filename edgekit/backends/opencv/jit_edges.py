"""Compiled loops over edges: the pixels that Canny's steps keep, with the same bits as by NumPy and OpenCV.

May import `operators` and what is below it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.backends.opencv.jit_compiler import compiled

Array = NDArray[Any]


@compiled
def _local_maximum(above: Array, here: Array, below: Array, j: int, x: Any, y: Any, sector: Any) -> Any:
    """Return the strength at column j + 1 of the middle row; 0 if a neighbour across the edge exceeds it.

    There are no branches, so that several pixels are computed at once.
    """
    wide, high = abs(x), abs(y)
    steep, falling = high > wide, (x < 0) != (y < 0)
    longer, shorter = (high, wide) if steep else (wide, high)
    diagonal = shorter / (longer if longer > 0 else here.dtype.type(1))
    # Nothing is a maximum across an unknown direction.
    diagonal = x + y if (x != x) | (y != y) else diagonal
    a0, a1, a2 = above[j], above[j + 1], above[j + 2]
    h0, value, h2 = here[j], here[j + 1], here[j + 2]
    b0, b1, b2 = below[j], below[j + 1], below[j + 2]
    behind, ahead = (a1, b1) if steep else (h0, h2)
    far_behind, far_ahead = ((a2, b0) if steep else (b0, a2)) if falling else (a0, b2)
    if sector:
        corner = diagonal > sector
        behind = far_behind if corner else behind
        ahead = far_ahead if corner else ahead
    else:
        corner = False
        behind += (far_behind - behind) * diagonal
        ahead += (far_ahead - ahead) * diagonal
    return value if (value > behind) & ((value > ahead) | ((value == ahead) & (not corner))) else here.dtype.type(0)


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
    last = columns - 1
    zeros = np.zeros(columns, strength.dtype)
    # Three pixels around the first of a row, and around the last.
    ends = np.zeros((3, 6), strength.dtype)
    for i in range(start, start + out.shape[0]):
        above = strength[i - 1] if i > 0 else zeros
        here = strength[i]
        below = strength[i + 1] if i + 1 < rows else zeros
        along_x, along_y, line = gx[i], gy[i], out[i - start]
        for j in range(columns - 2):
            line[j + 1] = _local_maximum(above, here, below, j, along_x[j + 1], along_y[j + 1], sector)
        for n, row in enumerate((above, here, below)):
            ends[n, 1], ends[n, 4] = row[0], row[last]
            if last > 0:
                ends[n, 2], ends[n, 3] = row[1], row[last - 1]
        line[0] = _local_maximum(ends[0], ends[1], ends[2], 0, along_x[0], along_y[0], sector)
        line[last] = _local_maximum(ends[0], ends[1], ends[2], 3, along_x[last], along_y[last], sector)


@compiled
def _places(pixels: Array, least: int) -> Array:
    """Return the places of bytes that are at least `least`, which is above 0, in ascending order."""
    # Most bytes are 0: eight of them are checked at once.
    words = pixels[: pixels.size // 8 * 8].view(np.uint64)
    # Room for those that are left after the last word, and for a place that is overwritten.
    room = 8
    for word in words:
        room += 8 * (word != 0)
    found = np.empty(room, np.int64)
    count = 0
    for n in range(words.size):
        if words[n]:
            for place in range(n * 8, n * 8 + 8):
                # Without a branch: the next place overwrites one that does not count.
                found[count] = place
                count += pixels[place] >= least
    for place in range(words.size * 8, pixels.size):
        found[count] = place
        count += pixels[place] >= least
    return found[:count]


@compiled
def thin(mask: Array, keep: Array) -> None:
    """Thin lines in place, as `edgekit.edges.thinning.thinned_mask`.

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
    left = _places(pixels, 1)
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
    seeds = _places(pixels, 2)
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
