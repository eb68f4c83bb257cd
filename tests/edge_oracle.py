"""Slow reference implementations for edges, and images with known edges.

Independent of edgekit, which is not imported here.
"""

import math
from collections import deque

import numpy as np
from scipy import ndimage
from skimage.morphology import thin

EIGHT = np.ones((3, 3), bool)


def between(plane, row, column):
    """Return the bilinear interpolation between pixels, with 0 outside of the image."""
    top, left = math.floor(row), math.floor(column)
    total = 0.0
    for i, by_row in ((top, 1 - (row - top)), (top + 1, row - top)):
        for j, by_column in ((left, 1 - (column - left)), (left + 1, column - left)):
            if by_row * by_column and 0 <= i < plane.shape[0] and 0 <= j < plane.shape[1]:
                total += by_row * by_column * plane[i, j]
    return total


def across(strength, gx, gy, nearest=False):
    """Yield for each pixel its position, the strengths behind and ahead, and the step to the point ahead.

    Both points are on the line along (gx, gy), on the border of the square of eight neighbours. Ahead is to
    the right, or down where the line is steeper than 45 degrees.
    """
    for (row, column), _ in np.ndenumerate(strength):
        x, y = gx[row, column], gy[row, column]
        major = x if abs(x) >= abs(y) else y
        dx, dy = (x / major, y / major) if major else (1.0, 0.0)
        if nearest:
            # The nearest of four directions: they change at 22.5 degrees from the axes.
            dx, dy = (np.sign(d) * (abs(d) > math.tan(math.pi / 8)) for d in (dx, dy))
        behind, ahead = (between(strength, row + s * dy, column + s * dx) for s in (-1, 1))
        yield (row, column), behind, ahead, (dx, dy)


def maxima(strength, gx, gy, nearest=False):
    """Return the strength where it is the maximum across the edge; the first of two equal pixels is kept.

    With the nearest of eight neighbours, none of two equal pixels on a diagonal is kept, as in OpenCV.
    """
    kept = np.zeros_like(strength)
    for at, behind, ahead, (dx, dy) in across(strength, gx, gy, nearest):
        here = strength[at]
        first = here > ahead if nearest and dx and dy else here >= ahead
        kept[at] = here if here > behind and first else 0
    return kept


def cubic(plane, row, column):
    """Return the cubic interpolation through 4x4 pixels; the border is repeated."""
    top, left = math.floor(row), math.floor(column)
    total = 0.0
    for i in range(-1, 3):
        for j in range(-1, 3):
            weight = math.prod((row - top - k) / (i - k) for k in range(-1, 3) if k != i)
            weight *= math.prod((column - left - k) / (j - k) for k in range(-1, 3) if k != j)
            y, x = (min(max(n, 0), size - 1) for n, size in zip((top + i, left + j), plane.shape, strict=True))
            total += weight * plane[y, x]
    return total


def automatic(gx, gy):
    """Return both thresholds of `canny` without parameters."""
    magnitude = np.hypot(gx, gy)
    tops = maxima(np.nan_to_num(magnitude), np.nan_to_num(gx), np.nan_to_num(gy))
    # Maxima beside invalid magnitudes are left out.
    near = np.pad(np.isfinite(magnitude), 1, constant_values=True)
    certain = np.lib.stride_tricks.sliding_window_view(near, (3, 3)).all((2, 3))
    tops = tops[(tops > 0) & certain]
    high = min(np.quantile(tops, 0.92), 0.25 * tops.max())
    noise = np.quantile(magnitude[np.isfinite(magnitude)], 0.2) / math.sqrt(-2 * math.log(0.8))
    low = max(0.4 * high, 3 * noise)
    return {"low": low, "high": max(low, high)}


def tops(strength, gx, gy):
    """Return the offset along (gx, gy) of the vertex of the parabola through the logarithms of three strengths.

    The first parabola has samples one pixel apart. The second one is around the top of the first, with samples as far
    apart as the first is wide, from one to three pixels.
    """
    logarithm = np.log(strength)
    found = np.zeros_like(strength)
    for (row, column), here in np.ndenumerate(logarithm):
        length = math.hypot(gx[row, column], gy[row, column])
        x, y = gx[row, column] / length, gy[row, column] / length
        top, step = 0.0, 1.0
        for _ in range(2):
            places = [top - step, top, top + step]
            values = [max(cubic(logarithm, row + t * y, column + t * x), here + math.log(1e-4)) for t in places]
            a, b, _ = np.polyfit([-step, 0, step], values, 2)
            if -2 * a * step**2 <= 1e-3:
                step = 3.0
                continue
            top = min(max(top - b / (2 * a), -math.sqrt(0.5)), math.sqrt(0.5))
            step = min(max(math.sqrt(-1 / (2 * a)), 1.0), 3.0)
        found[row, column] = top
    return found


def flood(weak, strong):
    """Return the weak pixels that are connected to a strong one, also diagonally."""
    found = np.zeros(weak.shape, bool)
    waiting = deque(zip(*np.nonzero(strong), strict=True))
    while waiting:
        row, column = waiting.popleft()
        inside = 0 <= row < weak.shape[0] and 0 <= column < weak.shape[1]
        if not inside or found[row, column] or not weak[row, column]:
            continue
        found[row, column] = True
        waiting.extend((row + i, column + j) for i in (-1, 0, 1) for j in (-1, 0, 1))
    return found


def crossings(response):
    """Return the largest change of sign at each pixel; of two pixels, that closer to 0 has it, or the first."""
    found = np.zeros_like(response)
    for plane, out in ((response, found), (response.T, found.T)):
        for row, values in enumerate(plane):
            for j in range(len(values) - 1):
                a, b = values[j], values[j + 1]
                if min(a, b) < 0 < max(a, b):
                    k = j if abs(a) <= abs(b) else j + 1
                    out[row, k] = max(out[row, k], abs(a - b))
            for j in range(1, len(values) - 1):
                a, b = values[j - 1], values[j + 1]
                if values[j] == 0 and min(a, b) < 0 < max(a, b):
                    out[row, j] = max(out[row, j], abs(a - b) / 2)
    return found


def thinned(edges):
    """Return edges one pixel wide with their strength."""
    return np.where(thin(edges > 0), edges, 0)


def is_thin(edges):
    """Tell whether thinning changes nothing."""
    mask = np.asarray(edges) > 0
    return bool((thin(mask) == mask).all())


def share_near(edges, others):
    """Return the fraction of edges within one pixel of others."""
    return (edges & ndimage.binary_dilation(others, EIGHT)).sum() / max(edges.sum(), 1)


def agreement(a, b):
    """Return the F measure of two masks of edges with a tolerance of one pixel."""
    precision, recall = share_near(a, b), share_near(b, a)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def disc(radius, x, y, size, low=0.0, high=1.0):
    """Return an antialiased disc: each pixel is the mean of 16x16 points."""
    points = (np.arange(16 * size) + 0.5) / 16 - 0.5
    inside = np.hypot(points - x, points[:, None] - y) < radius
    return low + (high - low) * inside.reshape(size, 16, size, 16).mean((1, 3))


def pictures(size=72):
    """Return integer images by name, in which lines meet, end, cross, and are close to each other."""
    y, x = np.mgrid[:size, :size]
    rng = np.random.default_rng(5)
    noise = rng.integers(0, 256, (size, size))
    angle = np.arctan2(y - size / 2 + 0.3, x - size / 2 + 0.2)
    shapes = {
        "noise": noise,
        "smooth noise": 20 * ndimage.gaussian_filter(noise.astype(float), 3),
        "disc": 200 * (np.hypot(x - size / 2, y - size / 2) < size / 3),
        "star": 200 * (np.floor(angle * 8 / np.pi) % 2),
        "stripes": 200 * (x // 3 % 2),
        "slanted stripes": 200 * ((x + 2 * y) // 7 % 2),
        "single pixels": 200 * ((x % 4 == 0) & (y % 4 == 0)),
        "checkerboard": 200 * ((x + y) % 2),
        "large checkerboard": 200 * ((x // 8 + y // 8) % 2),
        "cross": 200 * ((np.abs(x - y) < 2) | (np.abs(x + y - size) < 2)),
    }
    return {name: image.astype(np.uint16) for name, image in shapes.items()}


def soft(size=(40, 52), seed=0):
    """Return shapes with integer levels from 0 to 255; edges are uneven and a few pixels wide."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=size), 6)
    return np.rint(127.5 + 127.5 * np.tanh(10 * noise / noise.std()))
