"""Images read window by window, so that they need not fit into memory. May import errors and channels."""

import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import DecodeError, EdgekitError, UnreadableError, let_out_of_memory
from edgekit.io.channels import to_grey

Array = NDArray[Any]

#: Bytes of decoded pieces that are kept for the windows below and beside.
CACHE = 2**27

#: A piece of more bytes than this does not count as one: it has to be decoded at once.
LARGEST_PIECE = 2**28


class Layout(NamedTuple):
    """How the pixels of an image lie in its file.

    Attributes
    ----------
    tile : tuple of int
        Rows and columns that are packed together.
    striped : bool
        Whether those are as wide as the image.
    form : str
        The name of the file's format.
    packing : mapping
        What a writer of that format is told to pack pixels the same way.
    """

    tile: tuple[int, int]
    striped: bool
    form: str
    packing: Mapping[str, Any]


class Series(ABC):
    """Images of one size and type, of which a window is read at a time; any number of threads may read.

    Attributes
    ----------
    name : str
        In the file; empty where it has none.
    leading : tuple of int
        The axes before rows and columns, such as time and depth.
    axes : str
        A letter for each of these, as tifffile has them.
    rows, columns : int
        The size of one image.
    channels : int or None
        None where the images have no axis for them.
    colour : bool
        Whether the channels are red, green, blue and perhaps opacity.
    veiled : bool
        Whether the channels are grey and opacity.
    dtype : dtype
        Of the pixels, in this machine's order of bytes.
    layout : Layout
        How they lie in the file.
    stated : (float, float) or None
        The range that the file states for the values.
    """

    name: str = ""
    leading: tuple[int, ...]
    axes: str
    rows: int
    columns: int
    channels: int | None
    colour: bool
    veiled: bool = False
    dtype: np.dtype[Any]
    layout: Layout
    stated: tuple[float, float] | None = None
    cache: "Cache"

    @abstractmethod
    def piece(self, plane: int, i: int, j: int) -> Array:
        """Decode what is packed together in row `i` and column `j` of an image's pieces; it may reach beyond it."""

    @property
    def planes(self) -> int:
        """How many images there are."""
        return int(np.prod(self.leading, dtype=np.int64))

    @property
    def nbytes(self) -> int:
        """How much memory one image takes."""
        return self.rows * self.columns * (self.channels or 1) * self.dtype.itemsize

    @property
    def apart(self) -> bool:
        """Whether the channels are images of their own."""
        return self.channels is not None and not self.colour and not self.veiled

    def to_grey(self, image: Array) -> Array:
        """Return a window in grey, as readers of whole files do; types that they do not convert keep their colour."""
        return to_grey(image) if self.colour else image if image.ndim == 2 else image[:, :, 0]

    def read(self, plane: int, top: int, bottom: int, left: int, right: int) -> Array:
        """Return a window: rows ``top .. bottom - 1``, columns ``left .. right - 1``; beyond an end the other begins.

        Raises
        ------
        DecodeError, UnreadableError
            If the file is damaged there.
        """
        extra = () if self.channels is None else (self.channels,)
        window = np.empty((bottom - top, right - left, *extra), self.dtype)
        height, width = self.layout.tile
        for at_row, i, rows in _parts(top, bottom, height, self.rows):
            for at_column, j, columns in _parts(left, right, width, self.columns):
                piece = self.cache.get((id(self), plane, i, j), partial(self.piece, plane, i, j))
                window[at_row, at_column] = piece[rows, columns]
        return window


def _parts(start: int, stop: int, length: int, size: int) -> Iterator[tuple[slice, int, slice]]:
    """Cut positions along an axis at its pieces: where they go, which piece, and where they are in it."""
    at = start
    while at < stop:
        index, within = divmod(at % size, length)
        count = min(stop - at, length - within, size - at % size)
        yield slice(at - start, at - start + count), index, slice(within, within + count)
        at += count


class Cache:
    """Keeps what was decoded last.

    Parameters
    ----------
    most : int
        In bytes.
    """

    def __init__(self, most: int = CACHE) -> None:
        self._most, self._bytes = most, 0
        self._kept: OrderedDict[Hashable, Array] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Array]) -> Array:
        """Return what was made under a key, or make it; two threads may both do so."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = make()
        with self._lock:
            if key not in self._kept:
                self._kept[key] = made
                self._bytes += made.nbytes
                while self._bytes > self._most and len(self._kept) > 1:
                    self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return made


class Windows:
    """A file whose images are read window by window.

    Attributes
    ----------
    series : sequence of Series
        All of its images, in their order.
    form : str
        The name of the format.
    attributes : mapping
        What the file says of itself that its results should say as well, for a writer of the same format.
    """

    def __init__(
        self, form: str, series: Sequence[Series], close: Callable[[], None], attributes: Mapping[str, Any]
    ) -> None:
        self.form, self.series, self.attributes = form, series, attributes
        self._close = close
        cache = Cache()
        for one in series:
            one.cache = cache

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()


def given_up(path: Path, error: Exception) -> EdgekitError:
    """Return the error for a file that a library gave up on, which raises whatever it likes.

    Raises
    ------
    MemoryError
        If it only lacked memory.
    """
    let_out_of_memory(error)
    if isinstance(error, EdgekitError):
        return error
    if isinstance(error, OSError):
        return UnreadableError(f"{path}: cannot be read: {error.strerror or error}")
    return DecodeError(f"{path}: cannot be decoded: {error}. Copy or export it again")
