"""Reads TIFF, BigTIFF and OME-TIFF files window by window, by tifffile.

May import `common` and what is below it.
"""

import itertools
import math
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.common.extras import install_command
from edgekit.common.read_options import ReadOptions
from edgekit.errors import DecodeError, MissingExtraError, ParameterError
from edgekit.io.conversion import to_gray_as_tiff
from edgekit.io.pixels import Light, Pixels
from edgekit.io.tiff import LOSSLESS, interpret, is_wrong_by_opencv, load_tifffile
from edgekit.io.tiff_series import leading_shape
from edgekit.io.tiff_tags import Tag, copied_tags, stack_metadata, tags_of_result
from edgekit.io.windows import MAX_TILE, Layout, Series, Windows, read_error

Array = NDArray[Any]

#: Uncompressed pixels are read and written in strips of about this many bytes.
STRIP_BYTES = 2**20

#: The number of the compression deflate.
DEFLATE = 8

#: Predictors by the kind of pixels: differences of integers, and of floats.
PREDICTORS = {"u": 2, "i": 2, "f": 3}


def open_tiff(path: Path, read_options: ReadOptions) -> Windows:
    """Open a TIFF file; see `edgekit.io.opening.open_windows`."""
    file = load_tifffile().TiffFile(path)
    try:
        lock = threading.Lock()
        return Windows(
            "TIFF", [_Series(path, one, lock, read_options) for one in file.series], file.close, stack_metadata(file)
        )
    except BaseException:
        file.close()
        raise


class _Series(Series):
    """A series of tifffile: pages of the same size and type."""

    def __init__(self, path: Path, series: Any, lock: threading.Lock, read_options: ReadOptions) -> None:
        self._path, self._lock = path, lock
        self._page = page = series.keyframe
        _check(path, page)
        # What is stored, and what it means.
        self._type = page.dtype.newbyteorder("=")
        self._planar = page.axes == "SYX"
        self._samples = page.samplesperpixel if "S" in page.axes else None
        self.rows, self.columns = page.imagelength, page.imagewidth
        extra = () if self._samples is None else (self._samples,)
        meaning = interpret(page, np.zeros((1, 1, *extra), self._type))
        self._background = read_options.background
        self.nodata = meaning.nodata if read_options.nodata is None else read_options.nodata
        self.spacing = meaning.spacing
        laid = f"transparent: laid over the background ({read_options.background})" if meaning.opacity else ""
        empty = "" if self.nodata is None else f"pixels with the value {self.nodata:g} have no data"
        self.note = "; ".join(filter(None, (laid, empty)))
        shown = meaning.over("white").measured(self.nodata, as_floats=True)
        self.dtype, self.colour, self.stated_range = shown.array.dtype, shown.rgb, shown.range
        self.channels = shown.array.shape[2] if shown.array.ndim == 3 else None
        self._whole_by_opencv = not is_wrong_by_opencv(page)
        self.leading = leading_shape(series)
        self.axes = series.axes[: len(self.leading)]
        self._choosing, self._chosen = threading.Lock(), dict[int, str]()
        self._pages = list(series.pages)
        # ImageJ describes only the first page; the others follow it without a gap.
        self._start = series.dataoffset if len(self._pages) != self.planes else None
        if self._start is None and len(self._pages) != self.planes:
            raise DecodeError(f"{path}: {self.planes} images are stated, {len(self._pages)} found. Export it again")
        self._uncompressed = self._start is not None or (
            page.compression == 1 and not page.is_tiled and page.is_contiguous and page.fillorder == 1
        )
        self.layout = self._layout(page)
        self._check_length()
        size = math.prod(self.layout.tile) * self._type.itemsize * (self._samples or 1)
        if size > MAX_TILE:
            rows, columns = self.layout.tile
            raise ParameterError(
                f"{path}: its tiles of {rows} x {columns} pixels take {size / 2**20:.0f} MiB each; to read it by "
                "windows, save it with smaller tiles"
            )

    def _check_length(self) -> None:
        """Raise if the file is too short for what its header states."""
        page = self._page
        if self._uncompressed:
            start, count = (page.dataoffsets[0], 1) if self._start is None else (self._start, self.planes)
            stored = self.rows * self.columns * (self._samples or 1) * self._type.itemsize
            held = page.parent.filehandle.size >= start + count * stored
        else:
            down, across = (math.ceil(n / m) for n, m in zip((self.rows, self.columns), self.layout.tile, strict=True))
            held = len(page.databytecounts) >= down * across * (self._samples or 1 if self._planar else 1)
        if not held:
            raise DecodeError(
                f"{self._path}: claims {self.columns:,} x {self.rows:,} pixels, but the file is too short for that. "
                "Copy or export it again"
            )

    def _layout(self, page: Any) -> Layout:
        line = self.columns * (1 if self._planar else self._samples or 1) * self._type.itemsize
        if page.is_tiled:
            tile = page.tilelength, page.tilewidth
        else:
            height = max(1, STRIP_BYTES // line) if self._uncompressed else page.rowsperstrip
            tile = min(height, self.rows), self.columns
        options: dict[str, Any] = {"compression": page.compression if page.compression in LOSSLESS else DEFLATE}
        if page.predictor in PREDICTORS.values():
            options["predictor"] = int(page.predictor)
        if "XResolution" in page.tags and "YResolution" in page.tags:
            options |= {"resolution": page.resolution, "resolutionunit": page.resolutionunit}
        return Layout(tile, not page.is_tiled, "TIFF", options)

    def has(self, plane: int) -> bool:
        return self._start is not None or self._pages[plane] is not None

    def decode_tile(self, plane: int, i: int, j: int) -> Array:
        pixels = self._pixels(plane, i, j)
        laid = pixels.over(self._background_of(plane)) if pixels.opacity else pixels
        return laid.measured(self.nodata, as_floats=True).array

    def _background_of(self, plane: int) -> str:
        background = self._background
        if background == "auto":
            with self._choosing:
                if plane not in self._chosen:
                    self._chosen[plane] = self._choose(plane)
            background = self._chosen[plane]
        return background

    def _choose(self, plane: int) -> str:
        """Choose the background by all tiles of an image, as for a whole image."""
        down, across = (math.ceil(n / m) for n, m in zip((self.rows, self.columns), self.layout.tile, strict=True))
        height, width = self.layout.tile
        total = Light(0.0, 0.0)
        for i, j in itertools.product(range(down), range(across)):
            pixels = self._pixels(plane, i, j)
            # Tiles may be larger than the image.
            inside = pixels.array[: self.rows - i * height, : self.columns - j * width]
            total = total.plus(replace(pixels, array=inside).light())
        return total.background

    def _pixels(self, plane: int, i: int, j: int) -> Pixels:
        """Return what a tile means."""
        try:
            if self._uncompressed:
                tile = self._strip(plane, i)
            elif self._planar:
                tile = np.stack([self._decode(plane, s, i, j)[..., 0] for s in range(self._samples or 1)], axis=-1)
            else:
                tile = self._decode(plane, 0, i, j)
                tile = tile[..., 0] if self._samples is None else tile
        except Exception as error:
            check_codecs(self._path, error)
            raise read_error(self._path, error) from error
        return interpret(self._page, tile)

    def tags(self, dtype: np.dtype[Any], left: int, top: int) -> list[Tag]:
        return tags_of_result(copied_tags(self._page, left, top), dtype, self.nodata)

    def to_gray(self, image: Array) -> Array:
        return to_gray_as_tiff(image) if self.colour and self._whole_by_opencv else super().to_gray(image)

    def _decode(self, plane: int, sample: int, i: int, j: int) -> Array:
        page, keyframe = self._pages[plane], self._page
        height, width = self.layout.tile
        across, down = math.ceil(self.columns / width), math.ceil(self.rows / height)
        index = (sample * down + i) * across + j
        channels = 1 if self._planar else self._samples or 1
        data = None
        # Pages of zeros, and empty tiles, need not be in the file.
        if page is not None and page.databytecounts[index]:
            data = self._read(page, page.dataoffsets[index], page.databytecounts[index])
        if data is None:
            return np.full((height, width, channels), keyframe.nodata, self._type)
        tables = {"jpegtables": page.jpegtables} if keyframe.jpegtables is not None else {}
        decoded, _, shape = keyframe.decode(data, index, **tables)
        if decoded is None:
            raise ValueError(f"the tile in row {i} and column {j} is empty")
        tile: Array
        tile = decoded.reshape(-1, decoded.shape[-2], channels) if keyframe.is_tiled else decoded.reshape(*shape[1:])
        return tile.astype(self._type, copy=False)

    def _strip(self, plane: int, i: int) -> Array:
        """Return a strip of uncompressed rows."""
        height, size = self.layout.tile[0], self.rows * self.columns * self._type.itemsize
        page = self._pages[plane] if self._start is None else self._pages[0]
        if page is None:
            samples = () if self._samples is None else (self._samples,)
            return np.zeros((height, self.columns, *samples), self._type)
        start = page.dataoffsets[0] if self._start is None else self._start + plane * size * (self._samples or 1)
        count = min(height, self.rows - i * height)
        together = 1 if self._planar else self._samples or 1
        line = self.columns * together * self._type.itemsize
        parts = [
            np.frombuffer(
                self._read(page, start + s * size + i * height * line, count * line),
                self._type.newbyteorder(self._page.parent.byteorder),
            )
            for s in range(self._samples or 1 if self._planar else 1)
        ]
        if self._planar:
            strip = np.stack(parts, axis=-1).reshape(count, self.columns, len(parts))
        else:
            strip = parts[0].reshape(count, self.columns, *(() if self._samples is None else (self._samples,)))
        return strip.astype(self._type, copy=False)

    def _read(self, page: Any, offset: int, length: int) -> bytes:
        # The pages of an OME-TIFF series may be in several files.
        file = page.parent.filehandle
        with self._lock:
            if file.closed:
                file.open()
            file.seek(offset)
            data: bytes = file.read(length)
        if len(data) < length:
            raise ValueError(f"truncated: {len(data)} of {length} bytes at {offset}")
        return data


def _check(path: Path, page: Any) -> None:
    """Raise if a page is not upright, or its pixels are not plain numbers."""
    found = None
    if page.photometric not in (0, 1, 2, 3, 5) and not (
        page.photometric == 6 and page.compression in (7, 33003, 34712)
    ):
        found = f"the photometric interpretation {getattr(page.photometric, 'name', page.photometric)}"
    elif page.dtype is None or page.dtype.itemsize * 8 != page.bitspersample or page.dtype.kind not in "uif":
        found = f"pixels of {page.bitspersample} bits, {page.dtype or 'of no known type'}"
    elif page.axes not in ("YX", "YXS", "SYX"):
        found = f"a page with the axes {page.axes}"
    elif page.tags.valueof("Orientation", 1) != 1:
        found = f"the orientation {page.tags.valueof('Orientation')}"
    if found is not None:
        raise ParameterError(
            f"{path}: expected gray or RGB numbers of 8 bits or more, upright, to be read by windows; found {found}. "
            "Save it that way"
        )


def check_codecs(path: Path, error: Exception) -> None:
    """Raise if the error means that imagecodecs is missing.

    Raises
    ------
    MissingExtraError
        If it does.
    """
    if "imagecodecs" in str(error):
        raise MissingExtraError(f"{path}: its compression needs imagecodecs: {install_command('large')}") from error
