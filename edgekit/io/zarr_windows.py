"""Zarr arrays and groups of them, OME-Zarr among them. May import errors and `windows`; needs the extra ``large``."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.common.extras import install_command
from edgekit.errors import DecodeError, MissingExtraError, ParameterError
from edgekit.io.windows import LARGEST_PIECE, Layout, Series, Windows, given_up

Array = NDArray[Any]


def open_zarr(path: Path) -> Windows:
    """Open a Zarr; see `edgekit.io.windows.open_windows`. Of an OME-Zarr pyramid the whole size counts."""
    zarr = _library(path)
    found = zarr.open(path, mode="r")
    attributes = found.attrs.asdict()
    if isinstance(found, zarr.Array):
        arrays, axes = {"": found}, None
    else:
        arrays, axes = _arrays(found, attributes)
    if not arrays:
        raise DecodeError(f"{path}: expected a Zarr with an array; found a group without one")
    kept = {"attributes": _whole_size_only(attributes), "group": not isinstance(found, zarr.Array)}
    return Windows("Zarr", [_Series(path, name, a, axes) for name, a in arrays.items()], lambda: None, kept)


def _multiscales(attributes: Mapping[str, Any]) -> list[Any]:
    """Return the pyramids of an OME-Zarr; its versions have them in two places."""
    found: list[Any] = attributes.get("ome", attributes).get("multiscales", [])
    return found


def _arrays(group: Any, attributes: Mapping[str, Any]) -> tuple[dict[str, Any], str | None]:
    """Return a group's arrays by name, and their axes where they are described."""
    pyramids = _multiscales(attributes)
    if not pyramids:
        return dict(sorted(group.arrays())), None
    axes = [a["name"] if isinstance(a, dict) else a for a in pyramids[0].get("axes", [])]
    return {p["datasets"][0]["path"]: group[p["datasets"][0]["path"]] for p in pyramids}, "".join(axes).upper() or None


def _whole_size_only(attributes: dict[str, Any]) -> dict[str, Any]:
    for pyramid in _multiscales(attributes):
        del pyramid["datasets"][1:]
    return attributes


class _Series(Series):
    """An array: images along its last axes, or images of colour where the last one has three or four places."""

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
        if (size := int(np.prod(stored)) * self.dtype.itemsize) > LARGEST_PIECE:
            raise ParameterError(
                f"{path}: its chunks of {stored} take {size / 2**20:.0f} MiB each; to read it by windows, write it "
                "anew in smaller ones"
            )
        version = array.metadata.zarr_format
        packing = {"compressors": array.compressors or None, "zarr_format": version}
        if array.shards is not None:
            packing["chunks"] = array.chunks[len(leading) : len(leading) + 2]
        if version == 3 and array.metadata.dimension_names and not self.colour:
            packing["dimension_names"] = array.metadata.dimension_names
        self.layout = Layout(tile, False, "Zarr", packing)

    def piece(self, plane: int, i: int, j: int) -> Array:
        height, width = self.layout.tile
        place = np.unravel_index(plane, self.leading) if self.leading else ()
        at = (slice(i * height, (i + 1) * height), slice(j * width, (j + 1) * width))
        try:
            made: Array = np.asarray(self._array[(*map(int, place), *at)])
        except Exception as error:
            raise given_up(self._path, error) from error
        return made.astype(self.dtype, copy=False)


class ZarrWriter:
    """Writes series of images into a folder, as an array or a group like that which they are of.

    Parameters
    ----------
    folder : Path
        Empty.
    source : Windows
        What the results are of.
    """

    def __init__(self, folder: Path, source: Windows) -> None:
        zarr = _library(folder)
        self._folder = folder
        alone = source.form != "Zarr" and len(source.series) == 1
        attributes = source.attributes.get("attributes", {})
        self._whole: dict[str, Any] = {}
        if source.form == "Zarr" and not source.attributes["group"]:
            alone, self._whole = True, {"attributes": attributes}
        self._group: Any = None
        if not alone:
            version = source.series[0].layout.packing.get("zarr_format", 3)
            self._group = zarr.open_group(folder, mode="w-", attributes=attributes, zarr_format=version)
        self._written = 0

    @staticmethod
    def tile(series: Series) -> tuple[int, int]:
        """Return rows and columns of what is packed together of a series' results."""
        return series.layout.tile

    def pack(self, series: Series, window: Array) -> Array:
        """Return a window of a series' results as `write` takes it: Zarr packs it itself."""
        return window

    def write(
        self, series: Series, shape: tuple[int, ...], dtype: np.dtype[Any], windows: Iterable[tuple[Any, Array]]
    ) -> None:
        """Write a series' results, of one shape (rows, columns[, channels]).

        Parameters
        ----------
        windows : iterable of (Place, ndarray)
            In any order.
        """
        packing = dict(series.layout.packing) if series.layout.form == "Zarr" else {}
        outer, inner = (1,) * len(series.leading), shape[2:]
        tile = tuple(map(min, self.tile(series), shape))
        chunks = packing.pop("chunks", None)
        if chunks is not None:
            packing["shards"] = (*outer, *self.tile(series), *inner)
        size = {"shape": (*series.leading, *shape), "chunks": (*outer, *(chunks or tile), *inner), "dtype": dtype}
        if self._group is None:
            array = _library(self._folder).create_array(self._folder, **size, **packing, **self._whole)
        else:
            packing.pop("zarr_format", None)
            array = self._group.create_array(series.name or str(self._written), **size, **packing)
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
