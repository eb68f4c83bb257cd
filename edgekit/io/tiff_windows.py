"""TIFF, BigTIFF and OME-TIFF files, read and written window by window by tifffile. May import errors and `windows`."""

import math
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from edgekit.common.extras import install_command
from edgekit.errors import DecodeError, MissingExtraError, ParameterError
from edgekit.io.channels import to_grey_as_tiff
from edgekit.io.decoders import load_tifffile
from edgekit.io.stated import range_of_page
from edgekit.io.windows import LARGEST_PIECE, Layout, Series, Windows, given_up

Array = NDArray[Any]

#: Pixels that lie unpacked one after the other are read, and written, in strips of so many bytes.
STRIP = 2**20

#: Packings that lose nothing, by tifffile's numbers: none, LZW, deflate (new and old), PackBits, LZMA and Zstandard.
LOSSLESS = (1, 5, 8, 32946, 32773, 34925, 50000)
DEFLATE, PACKBITS = 8, 32773

#: Results of more bytes need the 64-bit offsets of BigTIFF; some are left for what is not pixels.
CLASSIC = 2**32 - 2**25

#: Predictors, by the kind of pixels that they are for: differences of integers, and of floats.
_PREDICTORS = {"u": 2, "i": 2, "f": 3}

#: What of OME's description of the pixels is true of a result as well.
_OME_FACTS = ("PhysicalSizeX", "PhysicalSizeXUnit", "PhysicalSizeY", "PhysicalSizeYUnit", "PhysicalSizeZ",
              "PhysicalSizeZUnit", "TimeIncrement", "TimeIncrementUnit")  # fmt: skip


def open_tiff(path: Path) -> Windows:
    """Open a TIFF file; see `edgekit.io.windows.open_windows`."""
    file = load_tifffile().TiffFile(path)
    try:
        attributes = {"ome": file.is_ome, "facts": _facts(file.ome_metadata)}
        lock = threading.Lock()
        return Windows("TIFF", [_Series(path, one, lock) for one in file.series], file.close, attributes)
    except BaseException:
        file.close()
        raise


def _facts(description: str | None) -> dict[str, str]:
    from xml.etree import ElementTree

    try:
        pixels = next(e for e in ElementTree.fromstring(description or "").iter() if e.tag.endswith("Pixels"))
    except (ElementTree.ParseError, StopIteration):
        return {}
    return {name: pixels.attrib[name] for name in _OME_FACTS if name in pixels.attrib}


class _Part(NamedTuple):
    """Where a piece of an image is."""

    offset: int
    length: int


class _Series(Series):
    """A series of tifffile's: pages of one size and type."""

    def __init__(self, path: Path, series: Any, lock: threading.Lock) -> None:
        self._path, self._lock = path, lock
        self._page = page = series.keyframe
        _check(path, page)
        self.dtype = page.dtype.newbyteorder("=")
        self._samples_apart = page.axes == "SYX"
        self.stated = range_of_page(page) if self.dtype.itemsize > 1 else None
        self.rows, self.columns = page.imagelength, page.imagewidth
        self.channels = page.samplesperpixel if "S" in page.axes else None
        self.colour = self.channels is not None and page.photometric in (2, 6)
        opacity = tuple(page.extrasamples)[:1]
        self.veiled = self.channels == 2 and opacity in ((1,), (2,))
        # OpenCV gives colours of 8 bits as they look on black.
        self._on_black = self.channels == 4 and self.colour and opacity == (2,) and self.dtype == np.uint8
        self._inverted = page.photometric == 0 and self.dtype.kind in "bu"
        inner = len(page.shape)
        shape = series.shape
        while shape[-inner:] != page.shape and shape[-1:] == (1,):
            # An axis of one place that tifffile found no name for.
            shape = shape[:-1]
        self.leading = tuple(shape[: len(shape) - inner])
        self.axes = series.axes[: len(self.leading)]
        self._pages = list(series.pages)
        # ImageJ describes one page where many follow, one after the other.
        self._begin = series.dataoffset if len(self._pages) != self.planes else None
        if self._begin is None and len(self._pages) != self.planes:
            raise DecodeError(f"{path}: {self.planes} images are announced, {len(self._pages)} found. Export it again")
        self._bare = self._begin is not None or (page.compression == 1 and not page.is_tiled and page.is_contiguous)
        self.layout = self._lies(page)
        self._check_length()
        size = math.prod(self.layout.tile) * self.dtype.itemsize * (self.channels or 1)
        if size > LARGEST_PIECE:
            rows, columns = self.layout.tile
            raise ParameterError(
                f"{path}: its pixels are packed {rows} rows of {columns} at a time, which take {size / 2**20:.0f} MiB "
                "each; to read it by windows, write it anew in tiles"
            )

    def _check_length(self) -> None:
        """Raise if the file cannot hold what its header claims: nothing is begun on a claim."""
        page = self._page
        if self._bare:
            begin, count = (page.dataoffsets[0], 1) if self._begin is None else (self._begin, self.planes)
            held = page.parent.filehandle.size >= begin + count * self.nbytes
        else:
            down, across = (math.ceil(n / m) for n, m in zip((self.rows, self.columns), self.layout.tile, strict=True))
            held = len(page.databytecounts) >= down * across * (self.channels or 1 if self._samples_apart else 1)
        if not held:
            raise DecodeError(
                f"{self._path}: claims {self.columns:,} x {self.rows:,} pixels, which it does not hold. Copy or export "
                "it again"
            )

    def _lies(self, page: Any) -> Layout:
        line = self.columns * (1 if self._samples_apart else self.channels or 1) * self.dtype.itemsize
        if page.is_tiled:
            tile = page.tilelength, page.tilewidth
        else:
            height = max(1, STRIP // line) if self._bare else page.rowsperstrip
            tile = min(height, self.rows), self.columns
        packing: dict[str, Any] = {"compression": page.compression if page.compression in LOSSLESS else DEFLATE}
        if page.predictor in _PREDICTORS.values():
            packing["predictor"] = int(page.predictor)
        if "XResolution" in page.tags and "YResolution" in page.tags:
            packing |= {"resolution": page.resolution, "resolutionunit": page.resolutionunit}
        return Layout(tile, not page.is_tiled, "TIFF", packing)

    def piece(self, plane: int, i: int, j: int) -> Array:
        try:
            if self._bare:
                made = self._unpacked(plane, i)
            elif self._samples_apart:
                made = np.stack([self._decoded(plane, s, i, j)[..., 0] for s in range(self.channels or 1)], axis=-1)
            else:
                made = self._decoded(plane, 0, i, j)
                made = made[..., 0] if self.channels is None else made
        except Exception as error:
            _check_codecs(self._path, error)
            raise given_up(self._path, error) from error
        if self._on_black:
            made = made.copy()
            made[..., :3] = (made[..., :3].astype(np.uint16) * made[..., 3:] + 127) // 255
        return ~made if self._inverted else made

    def to_grey(self, image: Array) -> Array:
        # What OpenCV cannot decode is turned grey by other means.
        beyond = self._samples_apart and self.dtype.itemsize > 1
        return to_grey_as_tiff(image) if self.colour and not beyond else super().to_grey(image)

    def _decoded(self, plane: int, sample: int, i: int, j: int) -> Array:
        page, keyframe = self._pages[plane], self._page
        height, width = self.layout.tile
        across, down = math.ceil(self.columns / width), math.ceil(self.rows / height)
        index = (sample * down + i) * across + j
        channels = 1 if self._samples_apart else self.channels or 1
        data = None
        # Pages that are all zero, and pieces without bytes, are not in the file.
        if page is not None and page.databytecounts[index]:
            data = self._bytes(page, _Part(page.dataoffsets[index], page.databytecounts[index]))
        if data is None:
            return np.full((height, width, channels), keyframe.nodata, self.dtype)
        tables = {"jpegtables": page.jpegtables} if keyframe.jpegtables is not None else {}
        piece, _, shape = keyframe.decode(data, index, **tables)
        if piece is None:
            raise ValueError(f"the piece in row {i} and column {j} is empty")
        made: Array = piece.reshape(-1, piece.shape[-2], channels) if keyframe.is_tiled else piece.reshape(*shape[1:])
        return made.astype(self.dtype, copy=False)

    def _unpacked(self, plane: int, i: int) -> Array:
        """Return some rows of what lies unpacked in the file."""
        height, size = self.layout.tile[0], self.rows * self.columns * self.dtype.itemsize
        page = self._pages[plane] if self._begin is None else self._pages[0]
        if page is None:
            channels = () if self.channels is None else (self.channels,)
            return np.zeros((height, self.columns, *channels), self.dtype)
        begin = page.dataoffsets[0] if self._begin is None else self._begin + plane * size * (self.channels or 1)
        count = min(height, self.rows - i * height)
        together = 1 if self._samples_apart else self.channels or 1
        line = self.columns * together * self.dtype.itemsize
        parts = [
            np.frombuffer(
                self._bytes(page, _Part(begin + s * size + i * height * line, count * line)),
                self.dtype.newbyteorder(self._page.parent.byteorder),
            )
            for s in range(self.channels or 1 if self._samples_apart else 1)
        ]
        if self._samples_apart:
            made = np.stack(parts, axis=-1).reshape(count, self.columns, len(parts))
        else:
            made = parts[0].reshape(count, self.columns, *(() if self.channels is None else (self.channels,)))
        return made.astype(self.dtype, copy=False)

    def _bytes(self, page: Any, part: _Part) -> bytes:
        # OME-TIFF spreads a series over several files.
        file = page.parent.filehandle
        with self._lock:
            if file.closed:
                file.open()
            file.seek(part.offset)
            data: bytes = file.read(part.length)
        if len(data) < part.length:
            raise ValueError(f"cut off: {len(data)} of {part.length} bytes at {part.offset}")
        return data


def _check(path: Path, page: Any) -> None:
    """Raise unless a page's pixels are plain numbers that are upright."""
    found = None
    if page.photometric not in (0, 1, 2) and not (page.photometric == 6 and page.compression in (7, 33003, 34712)):
        found = f"the photometric interpretation {getattr(page.photometric, 'name', page.photometric)}"
    elif page.dtype is None or page.dtype.itemsize * 8 != page.bitspersample or page.dtype.kind not in "uif":
        found = f"pixels of {page.bitspersample} bits, {page.dtype or 'of no known type'}"
    elif page.axes not in ("YX", "YXS", "SYX"):
        found = f"the axes {page.axes} in one page"
    elif page.tags.valueof("Orientation", 1) != 1:
        found = f"the orientation {page.tags.valueof('Orientation')}"
    if found is not None:
        raise ParameterError(
            f"{path}: expected grey or RGB numbers of 8 bits or more, upright, to be read by windows; found {found}. "
            "Write it anew that way"
        )


def _check_codecs(path: Path, error: Exception) -> None:
    """Raise if the error is that of a missing library."""
    if "imagecodecs" in str(error):
        raise MissingExtraError(
            f"{path}: its pixels are packed in a way that needs imagecodecs: {install_command('large')}"
        ) from error


class TiffWriter:
    """Writes series of images into a TIFF file, BigTIFF where it may be that large; each as a series of its own.

    Parameters
    ----------
    file : binary file
        Open for writing.
    path : Path
        What messages call it.
    nbytes : int
        Of all pixels that will be written.
    source : Windows
        What the results are of: of OME-TIFF comes OME-TIFF.
    """

    def __init__(self, file: BinaryIO, path: Path, nbytes: int, source: Windows) -> None:
        import tifffile

        self._path = path
        self._facts: Mapping[str, Any] | None = source.attributes["facts"] if source.attributes.get("ome") else None
        self._file = tifffile.TiffWriter(file, bigtiff=nbytes > CLASSIC, ome=self._facts is not None)

    @staticmethod
    def tile(series: Series) -> tuple[int, int]:
        """Return rows and columns of what is packed together of a series' results."""
        if series.layout.striped:
            return series.layout.tile
        # TIFF has tiles of multiples of 16.
        rows, columns = (16 * math.ceil(n / 16) for n in series.layout.tile)
        return rows, columns

    def pack(self, series: Series, window: Array) -> list[bytes]:
        """Pack the tiles of a window of a series' results; any number of threads may do so."""
        import tifffile

        height, width = self.tile(series)
        how = _packing(series, window.dtype)
        compression, predictor = how["compression"], how.get("predictor", 1)
        packed = []
        try:
            for tile in _tiles(window.reshape(*window.shape[:2], -1), height, width, whole=not series.layout.striped):
                data = tifffile.TIFF.PREDICTORS[predictor](tile, axis=-2) if predictor > 1 else tile
                if compression > 1:
                    # PackBits, too, works along rows.
                    extra = {"axis": -2} if compression == PACKBITS else {}
                    packed.append(tifffile.TIFF.COMPRESSORS[compression](data, **extra))
                else:
                    packed.append(data.tobytes())
        except Exception as error:
            _check_codecs(self._path, error)
            raise
        return packed

    def write(
        self, series: Series, shape: tuple[int, ...], dtype: np.dtype[Any], windows: Iterable[tuple[Any, list[bytes]]]
    ) -> None:
        """Write a series' results, of one shape (rows, columns[, channels]).

        Parameters
        ----------
        windows : iterable of (Place, list of bytes)
            Packed, by image, then by rows, then by columns; as high as one or more tiles. If more, they are as wide
            as the image.
        """
        height, width = self.tile(series)
        how = _packing(series, dtype)
        how |= {"rowsperstrip": min(height, shape[0])} if series.layout.striped else {"tile": (height, width)}
        metadata = None
        if self._facts is not None:
            metadata = {**self._facts, "axes": f"{series.axes}YX{'S' * (len(shape) > 2)}"}
        self._file.write(
            (tile for _, packed in windows for tile in packed),
            shape=(*series.leading, *shape), dtype=dtype, metadata=metadata,
            photometric="rgb" if shape[2:] == (3,) and series.colour else "minisblack",
            planarconfig="contig" if len(shape) > 2 else None, **how,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def _packing(series: Series, dtype: np.dtype[Any]) -> dict[str, Any]:
    """Return how a series' results of some type are packed, in tifffile's words."""
    how: dict[str, Any] = dict(series.layout.packing) if series.layout.form == "TIFF" else {"compression": DEFLATE}
    if how.get("predictor") != _PREDICTORS[dtype.kind]:
        how.pop("predictor", None)
    return how


def _tiles(window: Array, height: int, width: int, *, whole: bool) -> Iterator[Array]:
    """Cut a window into tiles; at the end of the image they are filled up with zeros if they must be `whole`."""
    for i in range(0, window.shape[0], height):
        for j in range(0, window.shape[1], width):
            tile = np.ascontiguousarray(window[i : i + height, j : j + width])
            if whole and tile.shape[:2] != (height, width):
                tile = np.pad(tile, ((0, height - tile.shape[0]), (0, width - tile.shape[1]), (0, 0)))
            yield tile
