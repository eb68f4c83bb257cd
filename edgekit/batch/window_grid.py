"""The windows that a large image is cut into, and the halo that each needs. Standard library only.

A window is a part of the result that is computed at a time. A file tile is a part that the file
stores together; a window consists of whole file tiles. The halo of a window is what the filter reads around it.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

#: Pixels of a window: few enough for several windows in memory, many enough that calls and halos take little time.
WINDOW_PIXELS = 2**20

#: A window with fewer rows would mostly consist of its halo.
MIN_ROWS = 64


class Window(NamedTuple):
    """A window of a result: number of the image, rows ``top`` to ``bottom - 1``, columns ``left`` to ``right - 1``."""

    plane: int
    top: int
    bottom: int
    left: int
    right: int


class Grid(NamedTuple):
    """Size of an image, and height and width of its windows.

    Examples
    --------
    >>> list(Grid(100, 250, 64, 128).windows(0))[:2]
    [Window(plane=0, top=0, bottom=64, left=0, right=128), Window(plane=0, top=0, bottom=64, left=128, right=250)]
    """

    rows: int
    columns: int
    height: int
    width: int

    @property
    def window_count(self) -> int:
        """Number of windows of an image."""
        return math.ceil(self.rows / self.height) * math.ceil(self.columns / self.width)

    def windows(self, plane: int) -> Iterator[Window]:
        """Yield the windows of an image, row by row."""
        for top in range(0, self.rows, self.height):
            for left in range(0, self.columns, self.width):
                bottom, right = min(top + self.height, self.rows), min(left + self.width, self.columns)
                yield Window(plane, top, bottom, left, right)


def grid_for(rows: int, columns: int, file_tile: tuple[int, int], window_pixels: int = WINDOW_PIXELS) -> Grid:
    """Return a grid of windows with about this number of pixels, which consist of whole file tiles.

    Windows with more than one row of file tiles are as wide as the image, so that these are written in order.

    Examples
    --------
    >>> grid_for(100, 250, (64, 64), 64 * 128)
    Grid(rows=100, columns=250, height=64, width=128)
    """
    height, width = file_tile
    tiles = max(1, window_pixels // (height * width))
    if width >= columns:
        height *= max(tiles, math.ceil(MIN_ROWS / height))
        width = columns
    elif height >= MIN_ROWS:
        width *= tiles
    else:
        height *= math.ceil(MIN_ROWS / height)
        width = columns
    return Grid(rows, columns, height, width)


def add_halo(start: int, stop: int, before: int, after: int, size: int, border: str) -> tuple[int, int, slice]:
    """Return the range that a window reads along an axis, and the slice of the window in the response to that range.

    Parameters
    ----------
    start, stop : int
        Range of the window in the result.
    before, after : int
        Width of the halo.
    size : int
        Length of the image along the axis.
    border : str
        With ``wrap`` the range may exceed the image, which continues with its other side there.
    """
    if border == "valid":
        return start, stop + before + after, slice(stop - start)
    first, last = start - before, stop + after
    # Where the image ends, the filter itself applies the border.
    if border != "wrap":
        first, last = max(first, 0), min(last, size)
    return first, last, slice(start - first, stop - first)
