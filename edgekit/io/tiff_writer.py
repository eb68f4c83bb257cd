"""Writes TIFF, BigTIFF, OME-TIFF and ImageJ files window by window, by tifffile.

May import `tiff_windows`, and what that may import.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from edgekit.io.tiff_windows import DEFLATE, PREDICTORS, check_codecs
from edgekit.io.windows import Series, Windows

Array = NDArray[Any]

#: Results with more bytes of pixels need BigTIFF. Its predecessor has 4 GiB, some of them for metadata.
MAX_CLASSIC_TIFF = 2**32 - 2**25

#: The number of the compression PackBits.
_PACKBITS = 32773


class TiffWriter:
    """Writes series of images into a TIFF file, or a BigTIFF file if that is too small for them.

    Parameters
    ----------
    file : binary file
        Open for writing.
    path : Path
        Its name in messages.
    nbytes : int
        The size of all pixels that will be written.
    source : Windows
        The input. The result of an OME-TIFF file is an OME-TIFF file, that of an ImageJ file an ImageJ file if that can
        hold it.
    """

    def __init__(self, file: BinaryIO, path: Path, nbytes: int, source: Windows) -> None:
        self._output, self._path, self._big = file, path, nbytes > MAX_CLASSIC_TIFF
        self._metadata: Mapping[str, Any] = source.attributes
        # Created for the first series: its type decides what the file can be.
        self._file: Any = None

    @staticmethod
    def tile(series: Series) -> tuple[int, int]:
        """Return rows and columns of the tiles of a result."""
        if series.layout.striped:
            return series.layout.tile
        # The sides of TIFF tiles are multiples of 16.
        rows, columns = (16 * math.ceil(n / 16) for n in series.layout.tile)
        return rows, columns

    def pack(self, series: Series, window: Array) -> list[bytes]:
        """Return the compressed tiles of a window of a result. Any number of threads may call it."""
        import tifffile

        height, width = self.tile(series)
        options = _compression(series, window.dtype)
        compression, predictor = options["compression"], options.get("predictor", 1)
        packed = []
        try:
            for tile in _tiles(window.reshape(*window.shape[:2], -1), height, width, whole=not series.layout.striped):
                data = tifffile.TIFF.PREDICTORS[predictor](tile, axis=-2) if predictor > 1 else tile
                if compression > 1:
                    # PackBits works along rows as well.
                    extra = {"axis": -2} if compression == _PACKBITS else {}
                    packed.append(tifffile.TIFF.COMPRESSORS[compression](data, **extra))
                else:
                    packed.append(data.tobytes())
        except Exception as error:
            check_codecs(self._path, error)
            raise
        return packed

    def write(
        self,
        series: Series,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        windows: Iterable[tuple[Any, list[bytes]]],
        offset: tuple[int, int] = (0, 0),
    ) -> None:
        """Write the results of a series, each of the shape (rows, columns[, channels]).

        Parameters
        ----------
        offset : (int, int)
            Columns and rows by which the results begin later than the images.
        windows : iterable of (Place, list of bytes)
            From `pack`, ordered by image, rows and columns. Windows higher than a tile are as wide as the image.
        """
        height, width = self.tile(series)
        options = _compression(series, dtype)
        options |= {"rowsperstrip": min(height, shape[0])} if series.layout.striped else {"tile": (height, width)}
        whole = *series.leading, *shape
        kind, metadata = self._described(series, whole, dtype)
        if self._file is None:
            import tifffile

            self._file = tifffile.TiffWriter(
                self._output, bigtiff=self._big, ome=kind == "ome", imagej=kind == "imagej"
            )
        self._file.write(
            (tile for _, packed in windows for tile in packed),
            shape=whole, dtype=dtype, metadata=metadata,
            photometric="rgb" if shape[2:] == (3,) and series.colour else "minisblack",
            extratags=series.tags(dtype, *offset),
            planarconfig="contig" if len(shape) > 2 else None, **options,
        )  # fmt: skip

    def _described(self, series: Series, shape: tuple[int, ...], dtype: np.dtype[Any]) -> tuple[str, Any]:
        """Return the kind of the file, and the metadata of a series for tifffile."""
        samples = len(shape) - len(series.leading) > 2
        axes = f"{series.axes}YX{'S' * samples}"
        if "ome" in self._metadata:
            metadata = dict(self._metadata["ome"])
            names = metadata.pop("names", ())
            channels = dict(zip(axes, shape, strict=True)).get("C", 1)
            if names and len(names) == channels and not samples:
                metadata["Channel"] = {"Name": list(names)}
            return "ome", {**metadata, "axes": axes}
        # A stack whose axis has no name is one of slices.
        axes = axes.replace("I", "Z")
        if "imagej" in self._metadata and not self._big and _held_by_imagej(axes, shape, dtype):
            return "imagej", {**self._metadata["imagej"], "axes": axes}
        return "", None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()


def _held_by_imagej(axes: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> bool:
    """Tell whether ImageJ can open an array: three types, RGB only of 8 bits, and a fixed order of the axes."""
    ordered = "".join(axis for axis in "TZCYXS" if axis in axes) == axes
    colours = "S" not in axes or (shape[-1] == 3 and dtype == np.uint8)
    return ordered and colours and dtype.name in ("uint8", "uint16", "float32")


def _compression(series: Series, dtype: np.dtype[Any]) -> dict[str, Any]:
    """Return tifffile's options for results of this type: those of the input where they fit."""
    options: dict[str, Any] = (
        dict(series.layout.writer_options) if series.layout.format == "TIFF" else {"compression": DEFLATE}
    )
    if options.get("predictor") != PREDICTORS[dtype.kind]:
        options.pop("predictor", None)
    return options


def _tiles(window: Array, height: int, width: int, *, whole: bool) -> Iterator[Array]:
    """Cut a window into tiles. If they must be `whole`, those at the end of the image are padded with zeros."""
    for i in range(0, window.shape[0], height):
        for j in range(0, window.shape[1], width):
            tile = np.ascontiguousarray(window[i : i + height, j : j + width])
            if whole and tile.shape[:2] != (height, width):
                tile = np.pad(tile, ((0, height - tile.shape[0]), (0, width - tile.shape[1]), (0, 0)))
            yield tile
