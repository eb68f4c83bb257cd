"""What the axes of a stack are: which one is the depth, how the channels are called, how far its planes are apart.

May import `common` and what is below it.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from edgekit.common.read_options import ReadOptions
from edgekit.errors import EdgekitError, ParameterError
from edgekit.io.files import is_tiff, is_zarr, read_bytes
from edgekit.io.opening import open_windows
from edgekit.io.stores import StorePath
from edgekit.io.tiff import stack_axes
from edgekit.io.windows import Series, Windows

#: Axes that may be the depth of a stack, if none is called Z: pages without a name.
UNNAMED = "QI"

#: Names of micrometres in files.
_MICROMETRES = ("micron", "micrometer", "micrometre", "um", "\\u00B5m", "\u03bcm")


class StackAxes(NamedTuple):
    """The axes of a series of planes.

    Attributes
    ----------
    series : int
        The number of the series in the file.
    axes : str
        A letter for each axis before rows and columns. Z is the depth.
    shape : tuple of int
        Their lengths.
    channels : tuple of str
        The names of the channels; empty if the file gives none, or if two are the same.
    step : float
        The distance of two planes along the depth.
    unit : str
        Its unit; empty if it is not known.
    """

    series: int
    axes: str
    shape: tuple[int, ...]
    channels: tuple[str, ...] = ()
    step: float = 1.0
    unit: str = ""


def axes_of(path: Path, read_options: ReadOptions, stated: str | None) -> list[StackAxes]:
    """Return the axes of each series of a TIFF file or a Zarr; none if it is another file, or plain pages.

    Parameters
    ----------
    path : Path
        The file.
    read_options : ReadOptions
        As for `edgekit.io.opening.open_windows`.
    stated : str, optional
        The axes before rows and columns, if the user states them.

    Raises
    ------
    ParameterError
        If the depth cannot be told from the axes, or `stated` does not fit, or the file is in a store and has axes
        beside its pages.
    EdgekitError
        If a Zarr cannot be opened. A damaged TIFF file is taken for plain pages.
    """
    zarr = is_zarr(path)
    if not (zarr or is_tiff(path)):
        return []
    if isinstance(path, StorePath):
        _check_pages_only(path, stated)
        return []
    try:
        with open_windows(path, read_options) as windows:
            found = [_axes_of_series(path, windows, n, one, stated) for n, one in enumerate(windows.series)]
            plain = not zarr and not stated and not windows.attributes and all(len(f.axes) <= 1 for f in found)
    except ParameterError:
        raise
    except EdgekitError:
        if zarr or stated:
            raise
        return []
    return [] if plain and all(set(f.axes) <= {"Z"} for f in found) else found


def _check_pages_only(path: StorePath, stated: str | None) -> None:
    """Raise if a TIFF file in a store has other axes than its pages: stores are not read by windows."""
    axes = stack_axes(read_bytes(path)).removesuffix("S").removesuffix("YX")
    if stated is not None or len(axes) > 1 or not set(axes) <= {"Z", *UNNAMED}:
        raise ParameterError(
            f"{path}: its axes {axes}YX can be told apart only in a file on this machine; copy it from the store first"
        )


def _axes_of_series(path: Path, windows: Windows, number: int, series: Series, stated: str | None) -> StackAxes:
    shape = series.leading
    known = windows.format != "Zarr" or _ngff(windows) is not None
    axes = _depth_named(path, series.axes if known else "Q" * len(shape), shape, stated)
    names, step, unit = _described(windows, axes)
    return StackAxes(number, axes, shape, names, step, unit)


def _depth_named(path: Path, axes: str, shape: Sequence[int], stated: str | None) -> str:
    """Return the axes with Z for the depth.

    Raises
    ------
    ParameterError
        If it cannot be told, or the stated axes do not fit.
    """
    sizes = " x ".join(map(str, shape))
    if stated is not None:
        letters = stated.upper().removesuffix("S").removesuffix("YX")
        if len(letters) != len(shape) or len(set(letters)) < len(letters) or "Z" not in letters:
            raise ParameterError(
                f"{path}: --axes {stated} does not fit its {sizes or 'single'} images: it needs one letter for each of "
                f"{len(shape)} axes before rows and columns, each once, and Z for the depth"
            )
        return letters
    if "Z" in axes or not axes:
        return axes
    unnamed = [n for n, letter in enumerate(axes) if letter in UNNAMED and shape[n] > 1]
    if len(unnamed) == 1:
        at = unnamed[0]
        return f"{axes[:at]}Z{axes[at + 1 :]}"
    if math.prod(shape) == 1:
        return axes
    raise ParameterError(
        f"{path}: its axes {axes}YX ({sizes} images) do not tell which one is the depth; choose one: "
        + ", ".join(f"--axes {choice}" for choice in _choices(axes, shape))
    )


def _choices(axes: str, shape: Sequence[int]) -> list[str]:
    """Return what the axes may be, for a message: each axis as the depth, the others named."""
    choices = []
    for depth, count in enumerate(shape):
        if count > 1:
            free = iter("TCSRPABDEFGH")
            named = [letter if letter not in UNNAMED else "" for letter in axes]
            named[depth] = "Z"
            choices.append("".join(letter or next(f for f in free if f not in named) for letter in named))
    return choices


def _ngff(windows: Windows) -> Mapping[str, Any] | None:
    """Return the first pyramid of an OME-Zarr."""
    attributes = windows.attributes.get("attributes", {})
    pyramids = attributes.get("ome", attributes).get("multiscales") or [None]
    pyramid: Mapping[str, Any] | None = pyramids[0]
    return pyramid if pyramid and pyramid.get("axes") else None


def _described(windows: Windows, axes: str) -> tuple[tuple[str, ...], float, str]:
    """Return the names of the channels, and the distance of two planes with its unit."""
    names: Sequence[str] = ()
    step: Any = None
    unit = ""
    if "ome" in windows.attributes:
        stated = windows.attributes["ome"]
        names, step = stated.get("names", ()), stated.get("PhysicalSizeZ")
        unit = stated.get("PhysicalSizeZUnit", "µm")  # The default of OME.
    elif "imagej" in windows.attributes:
        stated = windows.attributes["imagej"]
        step, unit = stated.get("spacing"), stated.get("zunit") or stated.get("unit", "")
    elif (pyramid := _ngff(windows)) is not None and "Z" in axes:
        step, unit = _ngff_step(pyramid, axes.index("Z"))
        attributes = windows.attributes["attributes"]
        names = [c.get("label", "") for c in attributes.get("ome", attributes).get("omero", {}).get("channels", [])]
    try:
        distance = float(step)
    except (TypeError, ValueError):
        distance = math.nan
    if not (math.isfinite(distance) and distance > 0):
        distance, unit = 1.0, ""
    unit = "µm" if unit in _MICROMETRES else "" if unit in ("pixel", "pixels") else unit
    unique = tuple(names) if len(set(names)) == len(names) and all(names) else ()
    return unique, distance, unit


def _ngff_step(pyramid: Mapping[str, Any], axis: int) -> tuple[float | None, str]:
    """Return the distance of two planes, and its unit, of a pyramid of OME-Zarr."""
    described = pyramid["axes"][axis]
    unit = described.get("unit", "") if isinstance(described, Mapping) else ""
    transformations = [
        *pyramid["datasets"][0].get("coordinateTransformations", []),
        *pyramid.get("coordinateTransformations", []),
    ]
    scales = [t["scale"][axis] for t in transformations if t.get("type") == "scale" and len(t.get("scale", ())) > axis]
    return (math.prod(map(float, scales)) if scales else None), unit
