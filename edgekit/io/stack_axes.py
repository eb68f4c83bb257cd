"""What the axes of a stack are: which one is the depth, how the channels are called, how far its planes are apart.

May import `common` and what is below it.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from edgekit.common.read_options import ReadOptions
from edgekit.errors import ParameterError
from edgekit.io.files import is_tiff, is_zarr
from edgekit.io.ome import OmeImage
from edgekit.io.opening import open_windows
from edgekit.io.stores import StorePath
from edgekit.io.tiff_series import TiffContent, content_of
from edgekit.io.windows import Windows

#: Axes that may be the depth of a stack, if none is called Z: pages without a name.
UNNAMED = "QI"

#: Positions are equally spaced if they differ from this by no more than this part of the step.
EQUAL = 0.01

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
    positions : tuple of float
        Where each plane was taken, in the order of the file; NaN where the file does not state it. Empty if it states
        none.
    unit_of_positions : str
        Their unit; empty if it is not known.
    """

    series: int
    axes: str
    shape: tuple[int, ...]
    channels: tuple[str, ...] = ()
    step: float = 1.0
    unit: str = ""
    positions: tuple[float, ...] = ()
    unit_of_positions: str = ""

    def places(self, planes: Sequence[int]) -> tuple[tuple[float, ...], str]:
        """Return the positions of planes along the depth, and their unit.

        They are multiples of the step, unless the file states a position for each that differs from this.
        """
        multiples = tuple(n * self.step for n in range(len(planes)))
        stated = tuple(self.positions[n] for n in planes) if self.positions else ()
        steps = [b - a for a, b in itertools.pairwise(stated)]
        # Some programs write the same position for all planes.
        if not steps or not (all(s > 0 for s in steps) or all(s < 0 for s in steps)):
            return multiples, self.unit
        equal = all(abs(z - stated[0] - m) <= EQUAL * self.step for z, m in zip(stated, multiples, strict=True))
        return (multiples, self.unit) if equal else (stated, self.unit_of_positions)


def axes_of(path: Path, read_options: ReadOptions, stated: str | None) -> tuple[list[StackAxes], str]:
    """Return the axes of each series of a TIFF file or a Zarr; none if it is another file, or plain pages.

    Parameters
    ----------
    path : Path
        The file.
    read_options : ReadOptions
        As for `edgekit.io.opening.open_windows`.
    stated : str, optional
        The axes before rows and columns, if the user states them.

    Returns
    -------
    axes : list of StackAxes
    note : str
        What cannot be read of the metadata; empty if all is well.

    Raises
    ------
    ParameterError
        If the depth cannot be told from the axes, or `stated` does not fit, or the file is in a store and has axes
        beside its pages.
    EdgekitError
        If it cannot be opened.
    """
    if is_zarr(path) and not isinstance(path, StorePath):
        with open_windows(path, read_options) as windows:
            return [_axes_of_zarr(path, windows, n, stated) for n in range(len(windows.series))], ""
    if not is_tiff(path):
        return [], ""
    content = content_of(path)
    found = [_axes_of_tiff(path, content, n, stated) for n in range(len(content.series))]
    if all(set(f.axes) <= {"Z"} for f in found) and not (content.ome or content.imagej or stated):
        return [], content.note
    if isinstance(path, StorePath):
        # Stores are not read by windows, and a whole file for each stack is too much.
        raise ParameterError(
            f"{path}: a stack with the axes {content.series[0].axes}YX is not read from a store; copy the file to this "
            "machine first"
        )
    return found, content.note


def _axes_of_zarr(path: Path, windows: Windows, number: int, stated: str | None) -> StackAxes:
    series = windows.series[number]
    pyramid = _ngff(windows)
    axes = _depth_named(path, "Q" * len(series.leading) if pyramid is None else series.axes, series.leading, stated)
    if pyramid is None:
        return StackAxes(number, axes, series.leading)
    step, unit = _ngff_step(pyramid, axes.index("Z")) if "Z" in axes else (None, "")
    attributes = windows.attributes["attributes"]
    names = [c.get("label", "") for c in attributes.get("ome", attributes).get("omero", {}).get("channels", [])]
    return StackAxes(number, axes, series.leading, _different(names), *_distance(step, unit))


def _axes_of_tiff(path: Path, content: TiffContent, number: int, stated: str | None) -> StackAxes:
    own, shape = content.series[number].axes, content.series[number].shape
    found = StackAxes(number, _depth_named(path, own, shape, stated), shape)
    if content.imagej:
        unit = content.imagej.get("zunit") or content.imagej.get("unit", "")
        step, unit = _distance(content.imagej.get("spacing"), unit)
        return found._replace(step=step, unit=unit)
    if not content.ome:
        return found
    complete = len(content.ome) == len(content.series)
    image = content.ome[number if complete else 0]
    step, unit = _distance(image.step, image.unit)
    found = found._replace(channels=_different(image.channels), step=step, unit=unit)
    if not complete or not image.positions:
        return found
    return found._replace(
        positions=_positions(image, own, shape), unit_of_positions=_common_name(image.unit_of_positions)
    )


def _positions(image: OmeImage, axes: str, shape: Sequence[int]) -> tuple[float, ...]:
    """Return PositionZ of each plane, in the order of the file."""
    if not set(axes) <= set("ZCT"):
        return ()
    numbers = (dict(zip(axes, index, strict=True)) for index in itertools.product(*map(range, shape)))
    return tuple(image.positions.get((n.get("Z", 0), n.get("C", 0), n.get("T", 0)), math.nan) for n in numbers)


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


def _different(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names of channels; none if two are the same or one is empty."""
    return tuple(names) if len(set(names)) == len(names) and all(names) else ()


def _distance(step: Any, unit: str) -> tuple[float, str]:
    """Return the distance of two planes and its unit; 1 without a unit if the file states no distance."""
    try:
        distance = float(step)
    except (TypeError, ValueError):
        distance = math.nan
    return (distance, _common_name(unit)) if math.isfinite(distance) and distance > 0 else (1.0, "")


def _common_name(unit: str) -> str:
    return "µm" if unit in _MICROMETRES else "" if unit in ("pixel", "pixels") else unit


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
