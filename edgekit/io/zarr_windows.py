"""Reads and writes Zarr arrays and groups, such as OME-Zarr, window by window. Needs the extra ``large``.

May import `common` and what is below it.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.common.extras import install_command
from edgekit.errors import DecodeError, MissingExtraError, ParameterError
from edgekit.io.windows import MAX_TILE, Layout, Series, Windows, read_error

Array = NDArray[Any]


def open_zarr(path: Path) -> Windows:
    """Open a Zarr; see `edgekit.io.windows.open_windows`. Of an OME-Zarr pyramid only the full size is read."""
    zarr = _library(path)
    found = zarr.open(path, mode="r")
    attributes = found.attrs.asdict()
    if isinstance(found, zarr.Array):
        arrays, axes = {"": found}, None
    else:
        arrays, axes = _arrays(found, attributes)
    if not arrays:
        raise DecodeError(f"{path}: expected a Zarr with an array; found a group without one")
    metadata = {"attributes": _full_size_only(attributes), "group": not isinstance(found, zarr.Array)}
    return Windows("Zarr", [_Series(path, name, a, axes) for name, a in arrays.items()], lambda: None, metadata)


def _multiscales(attributes: Mapping[str, Any]) -> list[Any]:
    """Return the pyramids of an OME-Zarr. Older versions store them in another place."""
    found: list[Any] = attributes.get("ome", attributes).get("multiscales", [])
    return found


def _arrays(group: Any, attributes: Mapping[str, Any]) -> tuple[dict[str, Any], str | None]:
    """Return the arrays of a group by name, and their axes if the metadata describe them."""
    pyramids = _multiscales(attributes)
    if not pyramids:
        return dict(sorted(group.arrays())), None
    axes = [a["name"] if isinstance(a, dict) else a for a in pyramids[0].get("axes", [])]
    return {p["datasets"][0]["path"]: group[p["datasets"][0]["path"]] for p in pyramids}, "".join(axes).upper() or None


def _full_size_only(attributes: dict[str, Any]) -> dict[str, Any]:
    for pyramid in _multiscales(attributes):
        del pyramid["datasets"][1:]
    return attributes


class _Series(Series):
    """An array of images: gray, or RGB(A) if its last axis has length 3 or 4."""

    def __init__(self, path: Path, name: str, array: Any, axes: str | None) -> None:
        self._path, self.name, self._array = path, name, array
        self.dtype = np.dtype(array.dtype).newbyteorder("=")
        self.colour = axes is None and array.ndim > 2 and array.shape[-1] in (3, 4)
        if array.ndim < 2 or self.dtype.kind not in "buif" or 0 in array.shape:
            raise ParameterError(
                f"{path}: expected an array of numbers with rows and columns; found {array.dtype} of shape "
                f"{array.shape} in {name or 'it'}"
            )
        shape = array.shape[:-1] if self.colour else array.shape
        self.channels = array.shape[-1] if self.colour else None
        *leading, self.rows, self.columns = shape
        self.leading = tuple(leading)
        self.axes = axes[: len(leading)] if axes else "QRTCZ"[-len(leading) :] if leading else ""
        stored = array.shards or array.chunks
        tile = stored[len(leading)], stored[len(leading) + 1]
        if (size := int(np.prod(stored)) * self.dtype.itemsize) > MAX_TILE:
            raise ParameterError(
                f"{path}: its chunks of {stored} take {size / 2**20:.0f} MiB each; to read it by windows, save it with "
                "smaller ones"
            )
        version = array.metadata.zarr_format
        options = {"compressors": array.compressors or None, "zarr_format": version}
        if array.shards is not None:
            options["chunks"] = array.chunks[len(leading) : len(leading) + 2]
        if version == 3 and array.metadata.dimension_names and not self.colour:
            options["dimension_names"] = array.metadata.dimension_names
        self.layout = Layout(tile, False, "Zarr", options)

    def decode_tile(self, plane: int, i: int, j: int) -> Array:
        height, width = self.layout.tile
        leading = np.unravel_index(plane, self.leading) if self.leading else ()
        at = (slice(i * height, (i + 1) * height), slice(j * width, (j + 1) * width))
        try:
            tile: Array = np.asarray(self._array[(*map(int, leading), *at)])
        except Exception as error:
            raise read_error(self._path, error) from error
        return tile.astype(self.dtype, copy=False)


class ZarrWriter:
    """Writes series of images into a folder, as an array or a group like the input.

    Parameters
    ----------
    folder : Path
        An empty folder.
    source : Windows
        The input.
    """

    def __init__(self, folder: Path, source: Windows) -> None:
        zarr = _library(folder)
        self._folder = folder
        single = source.format != "Zarr" and len(source.series) == 1
        attributes = source.attributes.get("attributes", {})
        self._array_options: dict[str, Any] = {}
        if source.format == "Zarr" and not source.attributes["group"]:
            single, self._array_options = True, {"attributes": attributes}
        self._group: Any = None
        if not single:
            version = source.series[0].layout.writer_options.get("zarr_format", 3)
            self._group = zarr.open_group(folder, mode="w-", attributes=attributes, zarr_format=version)
        self._written = 0

    @staticmethod
    def tile(series: Series) -> tuple[int, int]:
        """Return rows and columns of the chunks of a result."""
        return series.layout.tile

    def pack(self, series: Series, window: Array) -> Array:
        """Return the window itself: Zarr compresses it when it is written."""
        return window

    def write(
        self,
        series: Series,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        windows: Iterable[tuple[Any, Array]],
        offset: tuple[int, int] = (0, 0),
    ) -> None:
        """Write the results of a series, each of the shape (rows, columns[, channels]).

        Parameters
        ----------
        windows : iterable of (Place, ndarray)
            In any order.
        """
        options = dict(series.layout.writer_options) if series.layout.format == "Zarr" else {}
        outer, inner = (1,) * len(series.leading), shape[2:]
        tile = tuple(map(min, self.tile(series), shape))
        chunks = options.pop("chunks", None)
        if chunks is not None:
            options["shards"] = (*outer, *self.tile(series), *inner)
        size = {"shape": (*series.leading, *shape), "chunks": (*outer, *(chunks or tile), *inner), "dtype": dtype}
        if self._group is None:
            array = _library(self._folder).create_array(self._folder, **size, **options, **self._array_options)
        else:
            options.pop("zarr_format", None)
            array = self._group.create_array(series.name or str(self._written), **size, **options)
        self._written += 1
        for place, window in windows:
            plane = np.unravel_index(place.plane, series.leading) if series.leading else ()
            at = slice(place.top, place.bottom), slice(place.left, place.right)
            array[(*map(int, plane), *at)] = window


def _library(path: Path) -> Any:
    try:
        import zarr
    except ModuleNotFoundError:
        raise MissingExtraError(f"{path}: a Zarr needs zarr: {install_command('large')}") from None
    return zarr
