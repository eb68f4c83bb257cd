"""Where the windows of an image lie, and how far each looks beyond itself. Standard library only."""

import math
from collections.abc import Iterator
from typing import NamedTuple

#: Pixels in a window: few enough for many windows at a time, many enough that calls and halos do not count.
WINDOW = 2**20

#: A window of fewer rows would mostly be halo.
LEAST_ROWS = 64


class Place(NamedTuple):
    """A window of a result: the number of its image, rows ``top .. bottom - 1``, columns ``left .. right - 1``."""

    plane: int
    top: int
    bottom: int
    left: int
    right: int


class Grid(NamedTuple):
    """An image's size, and the size of the windows that it is cut into.

    Examples
    --------
    >>> list(Grid(100, 250, 64, 128).places(0))[:2]
    [Place(plane=0, top=0, bottom=64, left=0, right=128), Place(plane=0, top=0, bottom=64, left=128, right=250)]
    """

    rows: int
    columns: int
    height: int
    width: int

    @property
    def windows(self) -> int:
        """How many windows an image has."""
        return math.ceil(self.rows / self.height) * math.ceil(self.columns / self.width)

    def places(self, plane: int) -> Iterator[Place]:
        """Give the windows of an image, by rows, then by columns."""
        for top in range(0, self.rows, self.height):
            for left in range(0, self.columns, self.width):
                bottom, right = min(top + self.height, self.rows), min(left + self.width, self.columns)
                yield Place(plane, top, bottom, left, right)


def grid_for(rows: int, columns: int, tile: tuple[int, int], window: int = WINDOW) -> Grid:
    """Cut images into windows of about so many pixels, along the borders of tiles.

    Windows of more than one row of tiles are as wide as the image, so that the tiles come in their order.

    Examples
    --------
    >>> grid_for(100, 250, (64, 64), 64 * 128)
    Grid(rows=100, columns=250, height=64, width=128)
    """
    height, width = tile
    fitting = max(1, window // (height * width))
    if width >= columns:
        height *= max(fitting, math.ceil(LEAST_ROWS / height))
        width = columns
    elif height >= LEAST_ROWS:
        width *= fitting
    else:
        height *= math.ceil(LEAST_ROWS / height)
        width = columns
    return Grid(rows, columns, height, width)


def reach(start: int, stop: int, before: int, after: int, size: int, border: str) -> tuple[int, int, slice]:
    """Return from where to where a window looks along an axis, and where it lies in the response to that."""
    if border == "valid":
        return start, stop + before + after, slice(stop - start)
    first, last = start - before, stop + after
    # The border is the image's own, and lies where the image ends; round which it goes on with the other side.
    if border != "wrap":
        first, last = max(first, 0), min(last, size)
    return first, last, slice(start - first, stop - first)
