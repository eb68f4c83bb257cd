"""The planes of focus stacks: sorted by channel, time and position, and in the order of their depth.

May import `io` and what is below it.
"""

import contextlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray

from edgekit.batch.stack_names import grouped
from edgekit.common.read_options import ReadOptions
from edgekit.errors import DecodeError, EdgekitError, ParameterError
from edgekit.io.files import is_tiff, is_zarr, read_bytes
from edgekit.io.opening import open_windows
from edgekit.io.pixels import Pixels
from edgekit.io.reading import decode
from edgekit.io.reduced import decode_gray
from edgekit.io.stack_axes import StackAxes, axes_of
from edgekit.io.tiff import read_pages
from edgekit.io.tiff_series import content_of

Array = NDArray[Any]

#: Stacks that a message lists.
MOST_LISTED = 12


class Plane(NamedTuple):
    """One image of a stack.

    Attributes
    ----------
    name : str
        The file, followed by a colon and the number of the image if it has several.
    path : Path
        The file.
    series, number : int or None
        Where it is in a file with several images: the series and the plane, counted from 0. None for the number: the
        file has only this image. None for the series: the number is that of a page of a TIFF file.
    """

    name: str
    path: Path
    series: int | None = None
    number: int | None = None


class PlaneStack(NamedTuple):
    """The planes of one focus stack.

    Attributes
    ----------
    label : tuple of (str, str)
        Its channel, time and position, such as ``(("c", "DAPI"), ("t", "2"))``; empty if there is only one stack.
    planes : list of Plane
        In the order of their depth.
    positions : tuple of float
        Where each was taken.
    unit : str
        The unit of the positions; empty if it is not known.
    note : str
        What the file or the names do not state; empty if all is well.
    """

    label: tuple[tuple[str, str], ...]
    planes: list[Plane]
    positions: tuple[float, ...]
    unit: str = ""
    note: str = ""

    @property
    def name(self) -> str:
        """The label as a text, such as ``c=DAPI, t=2``."""
        return ", ".join(f"{axis}={value}" for axis, value in self.label)

    def named(self, message: str) -> str:
        """Return a message that begins with the name, if there is one."""
        return f"{self.name}: {message}" if self.name else message


def stacks_of(
    paths: Sequence[Path],
    read_options: ReadOptions,
    *,
    axes: str | None = None,
    pattern: str | None = None,
    select: Sequence[tuple[str, str]] = (),
    on_skipped: Callable[[Path], object] = lambda path: None,
) -> list[PlaneStack]:
    """Return the stacks of a file with several images, or of several files.

    Parameters
    ----------
    paths : sequence of Path
        The files in order.
    read_options : ReadOptions
        Options for reading an image.
    axes : str, optional
        The axes of the file before rows and columns, such as ``TCZ``. Default: those that the file states.
    pattern : str, optional
        Where the names of the files have their indices, such as ``{c}_{t}_{z}.tif``.
    select : sequence of (str, str)
        Only these channels, times and positions, by axis and name or index.
    on_skipped : callable
        Called with each file that does not match the pattern.

    Raises
    ------
    ParameterError
        If the depth cannot be told, the pattern does not fit, or nothing is selected.
    """
    stacks = _of_file(paths[0], read_options, axes) if len(paths) == 1 and pattern is None else None
    if stacks is None:
        if axes is not None:
            raise ParameterError("axes are those of one TIFF file or Zarr; for several files use a pattern")
        stacks = [
            PlaneStack(each.label, [Plane(str(path), path) for path in each.paths], each.positions, note=each.note)
            for each in grouped(paths, pattern, on_skipped)
        ]
    return _selected(stacks, select)


def _of_file(path: Path, read_options: ReadOptions, stated: str | None) -> list[PlaneStack] | None:
    """Return the stacks of a file; None if it has a single image."""
    described, note = axes_of(path, read_options, stated)
    if described:
        several = len(described) > 1
        return [stack._replace(note=note) for one in described for stack in _of_series(path, one, several)]
    if not is_tiff(path) or is_zarr(path):
        return None
    planes = [Plane(f"{path}:{n}", path, None, page) for n, page in enumerate(content_of(path).pages, 1)]
    return [PlaneStack((), planes, tuple(map(float, range(len(planes)))), note=note)]


def _of_series(path: Path, found: StackAxes, several: bool) -> Iterator[PlaneStack]:
    """Yield a stack for each index of the axes other than the depth."""
    others = [n for n, letter in enumerate(found.axes) if letter != "Z"]
    for index in itertools.product(*(range(found.shape[n]) for n in others)):
        at = dict(zip(others, index, strict=True))
        label = [("s", str(found.series))] if several else []
        for n, value in at.items():
            if found.shape[n] > 1:
                letter = found.axes[n].lower()
                named = letter == "c" and len(found.channels) == found.shape[n]
                label.append((letter, found.channels[value] if named else str(value)))
        numbers = []
        for z in range(found.shape[found.axes.index("Z")] if "Z" in found.axes else 1):
            number = 0
            for n, length in enumerate(found.shape):
                number = number * length + at.get(n, z)
            numbers.append(number)
        planes = [Plane(f"{path}:{n + 1}", path, found.series, n) for n in numbers]
        yield PlaneStack(tuple(label), planes, *found.places(numbers))


def _selected(stacks: list[PlaneStack], select: Sequence[tuple[str, str]]) -> list[PlaneStack]:
    """Return the stacks that are selected.

    Raises
    ------
    ParameterError
        If an axis or a value is not there; the message lists those that are.
    """
    if not stacks:
        return []
    wanted: dict[str, set[str]] = {}
    for axis, value in select:
        values = [v for v in dict.fromkeys(dict(stack.label).get(axis, "") for stack in stacks) if v]
        if not values:
            present = list(dict.fromkeys(a for stack in stacks for a, _ in stack.label))
            said = f"choose one of {', '.join(present)}" if present else "there is only one stack"
            raise ParameterError(f"--select {axis}={value}: the stack has no axis {axis} with several values; {said}")
        by_index = values[int(value)] if value.isdecimal() and int(value) < len(values) else None
        if value not in values and by_index is None:
            raise ParameterError(f"--select {axis}={value}: choose one of {', '.join(values)}")
        wanted.setdefault(axis, set()).add(value if value in values else str(by_index))
    found = [s for s in stacks if all(dict(s.label).get(axis, "") in values for axis, values in wanted.items())]
    if not found:
        asked = ",".join(f"{axis}={value}" for axis, value in select)
        raise ParameterError(f"--select {asked}: no stack has all of these; there are {_listed(stacks)}")
    return found


def _listed(stacks: Sequence[PlaneStack]) -> str:
    """Return the names of stacks for a message."""
    more = f"; and {len(stacks) - MOST_LISTED} more" if len(stacks) > MOST_LISTED else ""
    return "; ".join(stack.name for stack in stacks[:MOST_LISTED]) + more


def read_planes(
    planes: Sequence[Plane], read_options: ReadOptions, *, colour: bool = False
) -> Iterator[tuple[str, Callable[[], Array]]]:
    """Yield the name of each plane, and a function that returns it.

    Parameters
    ----------
    planes : sequence of Plane
        Of one stack.
    read_options : ReadOptions
        Options for reading an image.
    colour : bool
        Whether colours are kept. Otherwise the images are gray.

    Raises
    ------
    UnreadableError, DecodeError
        If the file with all planes cannot be opened.
    """
    first = planes[0]
    if first.number is None:
        for plane in planes:
            yield plane.name, partial(_read_file, plane.path, read_options, colour)
    elif first.series is None:
        yield from _pages(planes, [plane.number for plane in planes], read_options, colour)
    else:
        with contextlib.ExitStack() as opened:
            try:
                windows = opened.enter_context(open_windows(first.path, read_options))
            except EdgekitError:
                if is_zarr(first.path):
                    raise
            else:
                series = windows.series[first.series]
                for plane in planes:
                    yield plane.name, partial(_given, _window(series, plane, read_options, colour))
                return
        # What cannot be read by windows, such as turned images, can be read page by page.
        pages = content_of(first.path).series[first.series].pages
        yield from _pages(planes, [pages[plane.number or 0] for plane in planes], read_options, colour)


def _pages(
    planes: Sequence[Plane], numbers: Iterable[int | None], read_options: ReadOptions, colour: bool
) -> Iterator[tuple[str, Callable[[], Array]]]:
    pages = read_pages(planes[0].path, read_options, numbers)
    for plane, page in zip(planes, pages, strict=True):
        yield plane.name, partial(_page, page, read_options, colour)


def _read_file(path: Path, read_options: ReadOptions, colour: bool) -> Array:
    data = read_bytes(path)
    decoded = (
        decode(data, str(path), read_options=read_options)
        if colour
        else decode_gray(data, str(path), read_options=read_options)
    )
    if decoded.others:
        raise DecodeError(f"{path}: {decoded.others}, but one of several files; measure a file with several by itself")
    return decoded.image


def _page(page: Pixels | EdgekitError, read_options: ReadOptions, colour: bool) -> Array:
    if isinstance(page, EdgekitError):
        raise page
    laid = page.over(read_options.background)
    return laid.array if colour else laid.gray().array


def _window(series: Any, plane: Plane, read_options: ReadOptions, colour: bool) -> Array | EdgekitError:
    """Return a plane of a series, or the error if it is damaged or too large."""
    try:
        if not series.has(plane.number):
            raise DecodeError(f"{plane.name}: stated, but not in the file. Copy or export it again")
        read_options.check_size((series.columns, series.rows), plane.name)
        image: Array = series.read(plane.number, 0, series.rows, 0, series.columns)
    except EdgekitError as error:
        return error
    return image if colour else series.to_gray(image)


def _given(image: Array | EdgekitError) -> Array:
    if isinstance(image, EdgekitError):
        raise image
    return image
