"""Images that are read window by window, so that they need not fit into memory.

`tiff_windows` and `zarr_windows` implement this for their formats; `opening` chooses one of them.

May import `common` and what is below it.
"""

import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DecodeError, EdgekitError, UnreadableError, raise_if_out_of_memory
from edgekit.io.pixels import Pixels, Spacing
from edgekit.io.tiff_tags import Tag

Array = NDArray[Any]

#: Bytes of decoded tiles that are kept for the next windows.
CACHE_SIZE = 2**27

#: The largest tile in bytes. Larger ones cannot be read window by window: a tile is decoded as a whole.
MAX_TILE = 2**28


class Layout(NamedTuple):
    """How the pixels of an image are stored in its file.

    Attributes
    ----------
    tile : tuple of int
        Rows and columns of a tile, the part of an image that is compressed by itself.
    striped : bool
        Whether tiles are as wide as the image.
    format : str
        The name of the file format.
    writer_options : mapping
        Arguments for a writer of this format, such as the compression.
    """

    tile: tuple[int, int]
    striped: bool
    format: str
    writer_options: Mapping[str, Any]


class Series(ABC):
    """Images of the same size and type in one file. Any number of threads may read windows of them.

    Attributes
    ----------
    name : str
        The name in the file, if it has one.
    leading : tuple of int
        The lengths of the axes before rows and columns, such as time and depth.
    axes : str
        One letter for each leading axis, as in tifffile.
    rows, columns : int
        The size of one image.
    channels : int or None
        None if the images have no axis for channels.
    colour : bool
        Whether the first three channels are red, green and blue.
    dtype : dtype
        The type of the pixels, in native byte order.
    layout : Layout
        How they are stored.
    stated_range : (float, float) or None
        The range of values that the file states.
    nodata : float or None
        The value of pixels that were not measured. They are NaN.
    spacing : Spacing or None
        The size of a pixel.
    note : str
        What was left out or converted.
    """

    name: str = ""
    leading: tuple[int, ...]
    axes: str
    rows: int
    columns: int
    channels: int | None
    colour: bool
    dtype: np.dtype[Any]
    layout: Layout
    stated_range: tuple[float, float] | None = None
    nodata: float | None = None
    spacing: Spacing | None = None
    note: str = ""
    cache: "Cache"

    @abstractmethod
    def decode_tile(self, plane: int, i: int, j: int) -> Array:
        """Decode the tile in row `i` and column `j` of the tiles of an image. It may be larger than the image."""

    def has(self, plane: int) -> bool:
        """Tell whether an image that the file states is in it. Others are read as zeros."""
        return True

    @property
    def planes(self) -> int:
        """The number of images."""
        return int(np.prod(self.leading, dtype=np.int64))

    @property
    def nbytes(self) -> int:
        """The size of one image in bytes."""
        return self.rows * self.columns * (self.channels or 1) * self.dtype.itemsize

    @property
    def separate_channels(self) -> bool:
        """Whether each channel is an image of its own."""
        return self.channels is not None and not self.colour

    def tags(self, dtype: np.dtype[Any], left: int, top: int) -> list[Tag]:
        """Return the tags of a TIFF file with results of this type, which begin so many columns and rows later."""
        return []

    def to_gray(self, image: Array) -> Array:
        """Return a window in gray, as `read_image` does for whole files."""
        return Pixels(image, rgb=self.colour).gray().array

    def read(self, plane: int, top: int, bottom: int, left: int, right: int) -> Array:
        """Return a window: rows ``top .. bottom - 1``, columns ``left .. right - 1``. Positions wrap around.

        Raises
        ------
        DecodeError, UnreadableError
            If the file is damaged there.
        """
        extra = () if self.channels is None else (self.channels,)
        window = np.empty((bottom - top, right - left, *extra), self.dtype)
        height, width = self.layout.tile
        for window_rows, i, tile_rows in _overlaps(top, bottom, height, self.rows):
            for window_columns, j, tile_columns in _overlaps(left, right, width, self.columns):
                tile = self.cache.get((id(self), plane, i, j), partial(self.decode_tile, plane, i, j))
                window[window_rows, window_columns] = tile[tile_rows, tile_columns]
        return window


def _overlaps(start: int, stop: int, length: int, size: int) -> Iterator[tuple[slice, int, slice]]:
    """Give the tiles that overlap a range along one axis: positions in the range, tile number, positions in the tile.

    Parameters
    ----------
    start, stop : int
        The range, which wraps around.
    length, size : int
        The length of a tile, and of the axis.
    """
    at = start
    while at < stop:
        index, within = divmod(at % size, length)
        count = min(stop - at, length - within, size - at % size)
        yield slice(at - start, at - start + count), index, slice(within, within + count)
        at += count


class Cache:
    """The arrays that were used last.

    Parameters
    ----------
    max_bytes : int
        The size of all arrays together.
    """

    def __init__(self, max_bytes: int = CACHE_SIZE) -> None:
        self._max_bytes, self._bytes = max_bytes, 0
        self._arrays: OrderedDict[Hashable, Array] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Array]) -> Array:
        """Return the array of a key, or make it. Two threads may make the same array at the same time."""
        with self._lock:
            if key in self._arrays:
                self._arrays.move_to_end(key)
                return self._arrays[key]
        array = make()
        with self._lock:
            if key not in self._arrays:
                self._arrays[key] = array
                self._bytes += array.nbytes
                while self._bytes > self._max_bytes and len(self._arrays) > 1:
                    self._bytes -= self._arrays.popitem(last=False)[1].nbytes
        return array


class Windows:
    """A file whose images are read window by window.

    Attributes
    ----------
    format : str
        The name of the format.
    series : sequence of Series
        All images, in the order of the file.
    attributes : mapping
        Metadata that results should have as well, for a writer of the same format.
    """

    def __init__(
        self, format: str, series: Sequence[Series], close: Callable[[], None], attributes: Mapping[str, Any]
    ) -> None:
        self.format, self.series, self.attributes = format, series, attributes
        self._close = close
        cache = Cache()
        for one in series:
            one.cache = cache

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()


def read_error(path: Path, error: Exception) -> EdgekitError:
    """Return edgekit's error for an exception of a library, which may raise anything on damaged files.

    Raises
    ------
    MemoryError
        If the library ran out of memory.
    """
    raise_if_out_of_memory(error)
    if isinstance(error, EdgekitError):
        return error
    if isinstance(error, OSError):
        return UnreadableError(f"{path}: cannot be read: {error.strerror or error}")
    return DecodeError(f"{path}: cannot be decoded: {error}. Copy or export it again")
