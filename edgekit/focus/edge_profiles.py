"""Finds the strongest edges of an image and fits the width of each.

May import `display` and what is below it. The method:

1. The image is halved again and again. Each level is divided into tiles, and in each tile the pixels with the largest
   gradients are taken, at most one in each cell of `CELL` pixels.
2. The gray levels along the gradient of such a pixel are its profile. It is compared with ideal edges, error functions
   of all `WIDTHS` and a few positions, each within a window that is as wide as the edge.
3. The ideal edge with the largest correlation gives the width and the contrast. A pixel whose profile is no edge (a
   line, a texture, noise) correlates with none of them, and is left out.
"""

import math
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgekit.common.load_cv2 import cv2

Array = NDArray[Any]

#: Number of samples of a profile on each side of its centre. They are one pixel apart.
REACH = 10

#: Widths of the ideal edges, as standard deviations in pixels of a level, and their positions.
WIDTHS = np.geomspace(0.3, 3.3, 15)
POSITIONS = np.linspace(-1, 1, 7)

#: Half the window in which an ideal edge is compared: a multiple of its width, and the smallest value in pixels.
WINDOW, SMALLEST_WINDOW = 3.0, 3.0

#: Least squared correlation of a profile with an ideal edge.
LEAST_FIT = 0.95

#: Least contrast of an edge, as a multiple of the standard deviation of the noise.
LEAST_NOISE = 8.0

#: Least share of edges among the pixels that are tried. In white noise 0.2 % fit an edge by chance. Such edges would
#: decide where noise hides those of the picture.
LEAST_SHARE = 0.01

#: Width of a cell in pixels, number of tiles along each side, and largest number of edges of a tile.
CELL, TILES, MOST_EDGES = 8, 8, 16

#: Smallest side of a level in pixels, and largest number of levels.
SMALLEST, LEVELS = 16, 5

#: If a level has more than MOST_PIXELS pixels, one square block of each tile is searched. BLOCK is its side in pixels.
MOST_PIXELS, BLOCK = 1_500_000, 128

#: OpenCV's `remap` takes at most 32,767 pixels along a side. Of a narrow image that is longer the middle is searched.
LONGEST = 32_000

#: Edges are not taken within this number of pixels of a masked one: their profiles would contain it.
MARGIN = 4


class Edges(NamedTuple):
    """Edges of an image; each attribute has one value for each edge.

    Attributes
    ----------
    width : ndarray of float
        The standard deviation of the blur across the edge, in pixels of the image.
    direction : ndarray of float
        The direction of the gradient in radians.
    contrast : ndarray of float
        The difference of the gray levels of both sides.
    x, y : ndarray of float
        Where it is, in pixels of the image.
    tile : ndarray of int
        The tile, counted row by row, `TILES` in each row.
    bound : ndarray of bool
        Whether the width is only a lower bound: the edge is wider than the ideal edges.
    """

    width: Array
    direction: Array
    contrast: Array
    x: Array
    y: Array
    tile: Array
    bound: Array

    def only(self, chosen: Array) -> "Edges":
        """Return some of the edges."""
        return Edges(*(values[chosen] for values in self))


#: No edge at all.
NO_EDGES = Edges(*(np.zeros(0, kind) for kind in (float, float, float, float, float, int, bool)))


class Pyramid:
    """An image at several sizes, in which edges are found.

    Parameters
    ----------
    gray : ndarray of uint8 or float32
        (H, W), all finite.
    avoid : ndarray of bool, optional
        (H, W), True where pixels must not be used.
    least_contrast : float
        Edges with less contrast are left out.
    noise : float
        The standard deviation of white noise. Edges with less than `LEAST_NOISE` times its contrast are left out.
    """

    def __init__(
        self, gray: Array, avoid: Array | None = None, *, least_contrast: float = 0.0, noise: float = 0.0
    ) -> None:
        self._least_contrast, self._noise = least_contrast, noise
        self._levels = [(level, *_gradient(level.image)) for level in _levels(gray, avoid)]

    def edges(self, direction: float | None = None) -> Edges:
        """Return the strongest edges of each tile and level.

        Parameters
        ----------
        direction : float, optional
            In radians. Only derivatives along this direction count, and profiles are taken along it.
        """
        found = [_edges_of_level(*level, direction, self._noise) for level in self._levels]
        parts, tried = [edges for edges, _ in found], sum(count for _, count in found)
        if sum(len(edges.width) for edges in parts) <= LEAST_SHARE * tried:
            return NO_EDGES
        # Only the last level has no coarser one, where wider edges are measured.
        parts = [*(edges.only(~edges.bound) for edges in parts[:-1]), parts[-1]]
        joined = Edges(*map(np.concatenate, zip(*parts, strict=True)))
        return joined.only(joined.contrast >= self._least_contrast)


class _Level(NamedTuple):
    """A reduced image, and how many pixels of the image its pixels have along each side."""

    image: Array
    avoid: Array | None
    scale: int
    corners: Array | None = None
    """Of the blocks, in (y, x) of the level, if the image is composed of blocks."""


def _levels(gray: Array, avoid: Array | None) -> Iterator[_Level]:
    """Yield the image, and the image at half, a quarter, ... of its size."""
    levels: list[_Level] = []
    image, hidden = gray, None if avoid is None else avoid.astype(np.uint8)
    while min(image.shape) >= SMALLEST and len(levels) < LEVELS:
        near = None if hidden is None else cv2.dilate(hidden, np.ones((2 * MARGIN + 1,) * 2, np.uint8)) > 0
        levels.append(_Level(image, near, 2 ** len(levels)))
        image = halved(image)
        hidden = None if hidden is None else (halved(hidden.astype(np.float32)) > 0).astype(np.uint8)
    for level in levels:
        small = next((other for other in levels if other.image.size <= MOST_PIXELS), levels[-1])
        # Each tile needs a cell of the small level, and a block of the large one.
        large = level is not small and level.image.size > MOST_PIXELS
        if large and min(level.image.shape) >= BLOCK and min(small.image.shape) >= CELL * TILES:
            yield _blocks(level, small)
        else:
            yield _middle(level)


def _middle(level: _Level) -> _Level:
    """Return a level whose sides are not longer than `cv2.remap` accepts."""
    if max(level.image.shape) <= LONGEST:
        return level
    part = tuple(slice(max(0, (n - LONGEST) // 2), max(0, (n - LONGEST) // 2) + LONGEST) for n in level.image.shape)
    avoid = None if level.avoid is None else level.avoid[part]
    return level._replace(image=np.ascontiguousarray(level.image[part]), avoid=avoid)


def halved(image: Array) -> Array:
    """Return an image at half its size: the mean of each square of two by two pixels."""
    rows, columns = (n // 2 for n in image.shape)
    return cv2.resize(image[: 2 * rows, : 2 * columns], (columns, rows), interpolation=cv2.INTER_AREA)


def _blocks(level: _Level, small: _Level) -> _Level:
    """Return a level composed of one block of each tile: that with the largest gradients in the smaller level."""
    strongest = _cells(_squared(*_gradient(small.image), small.avoid))
    energy = cv2.blur(strongest, (3, 3))
    rows, columns = energy.shape
    factor = small.scale // level.scale * CELL
    corners = np.zeros((TILES * TILES, 2), int)
    for n in range(TILES * TILES):
        top, left = n // TILES * rows // TILES, n % TILES * columns // TILES
        bottom, right = (n // TILES + 1) * rows // TILES, (n % TILES + 1) * columns // TILES
        part = energy[top:bottom, left:right]
        y, x = np.unravel_index(int(part.argmax()), part.shape)
        corners[n] = ((top + y) * factor + factor // 2 - BLOCK // 2, (left + x) * factor + factor // 2 - BLOCK // 2)
    corners = corners.clip(0, np.subtract(level.image.shape, BLOCK))
    image, avoid = (None if a is None else _composed(a, corners) for a in (level.image, level.avoid))
    assert image is not None
    return _Level(image, avoid, level.scale, corners)


def _composed(image: Array, corners: Array) -> Array:
    parts = np.stack([image[y : y + BLOCK, x : x + BLOCK] for y, x in corners])
    side = TILES * BLOCK
    return parts.reshape(TILES, TILES, BLOCK, BLOCK).swapaxes(1, 2).reshape(side, side)


def _gradient(image: Array) -> tuple[Array, Array]:
    return cv2.Scharr(image, cv2.CV_32F, 1, 0), cv2.Scharr(image, cv2.CV_32F, 0, 1)


def _squared(gx: Array, gy: Array, avoid: Array | None) -> Array:
    """Return the squared gradient; 0 for pixels that must not be used."""
    squared = cv2.multiply(gx, gx)
    cv2.add(squared, cv2.multiply(gy, gy), squared)
    return squared if avoid is None else np.where(avoid, np.float32(0), squared)


def _cells(squared: Array) -> Array:
    """Return the largest value of each cell."""
    rows, columns = (n // CELL for n in squared.shape)
    largest = cv2.dilate(squared, np.ones((CELL, CELL), np.uint8), anchor=(0, 0))
    return largest[: rows * CELL : CELL, : columns * CELL : CELL]


def _edges_of_level(level: _Level, gx: Array, gy: Array, direction: float | None, noise: float) -> tuple[Edges, int]:
    """Return the edges of a level with this gradient, and how many pixels were tried."""
    if direction is not None:
        # Twice the same component: the order of the squares is what matters.
        gx = gy = cv2.addWeighted(gx, math.cos(direction), gy, math.sin(direction), 0)
    squared = _squared(gx, gy, level.avoid)
    strongest = _cells(squared)
    if level.corners is not None:
        # Profiles from the outer cells of a block would end in the next block.
        outer = np.tile(np.arange(BLOCK // CELL) % (BLOCK // CELL - 1) == 0, TILES)
        strongest = np.where(outer[:, None] | outer, np.float32(0), strongest)
    tile, row, column = _largest_of_each_tile(strongest)
    if not len(tile):
        return NO_EDGES, 0
    y, x = _places(squared, row, column)
    if direction is None:
        angle = np.arctan2(gy[y, x], gx[y, x])
    else:
        angle = np.where(gx[y, x] > 0, direction, direction + math.pi).astype(np.float32)
    fitted = _fit(_profiles(level.image, x, y, angle))
    if level.corners is not None:
        y, x = y % BLOCK + level.corners[tile, 0], x % BLOCK + level.corners[tile, 1]
    scale = level.scale
    edges = Edges(
        fitted.width * scale, angle.astype(float), fitted.contrast, (x + 0.5) * scale, (y + 0.5) * scale, tile,
        fitted.bound,
    )  # fmt: skip
    # Averaging halves white noise from level to level.
    good = fitted.good & (fitted.contrast >= LEAST_NOISE * noise / scale)
    # Narrower edges than the ideal ones are measured on the finer level.
    return edges.only(good & ~fitted.narrowest if scale > 1 else good), len(tile)


def _largest_of_each_tile(values: Array) -> tuple[Array, Array, Array]:
    """Return tile, row and column of the `MOST_EDGES` largest positive values of each tile."""
    high, wide = (-(-n // TILES) for n in values.shape)
    padded = np.zeros((TILES * high, TILES * wide), np.float32)
    padded[: values.shape[0], : values.shape[1]] = values
    tiles = padded.reshape(TILES, high, TILES, wide).swapaxes(1, 2).reshape(TILES * TILES, high * wide)
    most = min(MOST_EDGES, high * wide)
    places = np.argpartition(tiles, high * wide - most, axis=1)[:, -most:]
    tile, n = np.nonzero(np.take_along_axis(tiles, places, 1) > 0)
    row, column = np.divmod(places[tile, n], wide)
    return tile, tile // TILES * high + row, tile % TILES * wide + column


def _places(squared: Array, row: Array, column: Array) -> tuple[Array, Array]:
    """Return y and x of the largest value of each cell."""
    rows, columns = (n // CELL for n in squared.shape)
    cells = squared[: rows * CELL, : columns * CELL].reshape(rows, CELL, columns, CELL)
    place = cells[row, :, column].reshape(len(row), -1).argmax(1)
    return row * CELL + place // CELL, column * CELL + place % CELL


def _profiles(image: Array, x: Array, y: Array, angle: Array) -> Array:
    """Return the gray levels (edges, samples) along an angle, the mean of three lines one pixel apart."""
    steps = np.arange(-REACH, REACH + 1, dtype=np.float32)
    cosine, sine = np.cos(angle)[:, None], np.sin(angle)[:, None]
    along_x, along_y = x[:, None] + steps * cosine, y[:, None] + steps * sine

    def line(side: int) -> Array:
        places = (along_x - side * sine).astype(np.float32), (along_y + side * cosine).astype(np.float32)
        return cv2.remap(image, *places, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)

    lines = [line(side) for side in (-1, 0, 1)]
    total: Array = cv2.add(cv2.add(lines[0], lines[1], dtype=cv2.CV_32F), lines[2], dtype=cv2.CV_32F)
    return total * np.float32(1 / 3)


class _Fit(NamedTuple):
    width: Array
    contrast: Array
    good: Array
    narrowest: Array
    bound: Array


class _Ideal(NamedTuple):
    """The ideal edges: profiles of mean 0 and norm 1 within their windows.

    A profile is a sum of an odd and an even part, which are held for the samples on one side of its centre. The profile
    at the opposite position is the odd part minus the even part.
    """

    odd: Array
    """(samples, positions · widths), of the positions from 0 on."""
    even: Array
    """The same, of the positions above 0: the profile at 0 is odd."""
    windows: Array
    """(samples, windows), each window once."""
    of_width: Array
    """The window of each width."""
    samples: Array
    """By width: the number of samples in its window."""
    swing: Array
    """By position and width: the contrast of an edge whose profile has the norm 1."""


@cache
def _ideal() -> _Ideal:
    steps = np.arange(-REACH, REACH + 1)
    windows = np.array([np.abs(steps) <= max(SMALLEST_WINDOW, WINDOW * width) for width in WIDTHS], float)
    profiles, swing = [], []
    for position in POSITIONS:
        for width, window in zip(WIDTHS, windows, strict=True):
            edge = np.array([math.erf((step - position) / (width * math.sqrt(2))) for step in steps])
            edge = (edge - (edge * window).sum() / window.sum()) * window
            norm = math.sqrt((edge**2).sum())
            profiles.append(edge / norm)
            swing.append(2 / norm)
    centre = len(POSITIONS) // 2
    half = np.array(profiles, np.float32)[centre * len(WIDTHS) :]
    after, before = half[:, REACH + 1 :], half[:, REACH - 1 :: -1]
    different, of_width = np.unique(windows[:, REACH + 1 :].astype(np.float32), axis=0, return_inverse=True)
    return _Ideal(
        odd=((after - before) / 2).T.copy(),
        even=((after + before) / 2)[len(WIDTHS) :].T.copy(),
        windows=different.T.copy(),
        of_width=of_width,
        samples=windows.sum(1),
        swing=np.reshape(swing, (len(POSITIONS), len(WIDTHS))),
    )


def _product(rows: Array, columns: Array) -> Array:
    """Return a product of matrices, the same for any number of threads, which that of BLAS is not."""
    product: Array = np.einsum("ij,jk->ik", rows, columns)
    return product


def _fit(profiles: Array) -> _Fit:
    """Compare each profile with all ideal edges."""
    ideal = _ideal()
    centred = profiles - profiles[:, REACH : REACH + 1]
    after, before = centred[:, REACH + 1 :], centred[:, REACH - 1 :: -1]
    both = after + before
    total, squares = _product(both, ideal.windows), _product(after * after + before * before, ideal.windows)
    energy = squares[:, ideal.of_width] - total[:, ideal.of_width] ** 2 / np.float32(ideal.samples)
    shape = len(profiles), -1, len(WIDTHS)
    odd = _product(after - before, ideal.odd).reshape(shape)
    even = _product(both, ideal.even).reshape(shape)
    # Of two opposite positions, the one where the even part adds to the odd one.
    either = odd.copy()
    either[:, 1:] += np.abs(even)
    largest = either.max(1)
    fits = np.where(largest > 0, largest * largest / np.maximum(energy, np.float32(1e-12)), 0)
    best, n = fits.argmax(1), np.arange(len(profiles))
    odd, even = odd[n, :, best], even[n, :, best]
    # From the first position to the last.
    position = np.hstack([(odd[:, 1:] - even)[:, ::-1], odd[:, :1], odd[:, 1:] + even]).argmax(1)
    # The maximum of the parabola through the best width and its neighbours.
    middle = best.clip(1, len(WIDTHS) - 2)
    before, at, after = fits[n, middle - 1], fits[n, middle], fits[n, middle + 1]
    curve = 2 * at - before - after
    shift = np.where(curve > 1e-9, (after - before) / (2 * np.where(curve > 1e-9, curve, 1)), 0).clip(-1, 1)
    exponent = np.where(best == middle, middle + shift, best)
    width = WIDTHS[0] * (WIDTHS[1] / WIDTHS[0]) ** exponent
    inside = (position > 0) & (position < len(POSITIONS) - 1)
    return _Fit(
        width,
        (largest[n, best] * ideal.swing[position, best]).astype(float),
        (fits[n, best] > LEAST_FIT) & inside,
        best == 0,
        best == len(WIDTHS) - 1,
    )
