"""The planes of focus stacks: sorted by channel, time and position, and in the order of their depth.

May import `io` and what is below it.
"""

import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray

from edgekit.batch.sources import natural
from edgekit.common.read_options import ReadOptions
from edgekit.errors import DecodeError, EdgekitError, ParameterError
from edgekit.io.files import is_tiff, is_zarr, read_bytes
from edgekit.io.opening import open_windows
from edgekit.io.pixels import Pixels
from edgekit.io.reading import decode
from edgekit.io.reduced import decode_gray
from edgekit.io.stack_axes import StackAxes, axes_of
from edgekit.io.tiff import read_pages

Array = NDArray[Any]

#: The axes that a stack may have beside its depth, by their letters on the command line, and what messages call them.
AXES = {"c": "channel", "t": "time", "s": "position"}

#: The words before an index in a file name, by axis.
WORDS = {"z": ("z", "slice"), "c": ("c", "ch", "channel"), "t": ("t", "time"), "s": ("s", "pos", "position")}

_INDEX = re.compile(
    r"(?<![a-z])(?:" + "|".join(f"(?P<{axis}>{'|'.join(words)})" for axis, words in WORDS.items()) + r")[ =-]?(\d+)",
    re.IGNORECASE,
)

#: What each part of a pattern for file names stands for.
_PARTS = {"z": r"(?P<z>-?\d+)", "t": r"(?P<t>\d+)", "s": r"(?P<s>[^/\\]+?)", "c": r"(?P<c>[^/\\]+?)", "*": ".*"}


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
        file has only this image. None for the series: the number is that of a TIFF page.
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
        In the order of their depth. One for all pages of a TIFF file, which are counted when they are read.
    step : float
        The distance of two planes.
    unit : str
        Its unit; empty if it is not known.
    """

    label: tuple[tuple[str, str], ...]
    planes: list[Plane]
    step: float = 1.0
    unit: str = ""

    @property
    def counted_when_read(self) -> bool:
        """Whether the planes are all pages of a TIFF file, of which only one is listed."""
        return bool(self.planes) and self.planes[0].series is None and self.planes[0].number is not None

    @property
    def name(self) -> str:
        """The label as a text, such as ``c=DAPI, t=2``."""
        return ", ".join(f"{axis}={value}" for axis, value in self.label)


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
        stacks = _of_files(paths, pattern, on_skipped)
    return _selected(stacks, select)


def _of_file(path: Path, read_options: ReadOptions, stated: str | None) -> list[PlaneStack] | None:
    """Return the stacks of a file; None if it has a single image."""
    described = axes_of(path, read_options, stated)
    if described:
        several = len(described) > 1
        return [stack for one in described for stack in _of_series(path, one, several)]
    if not is_tiff(path) or is_zarr(path):
        return None
    return [PlaneStack((), [Plane(str(path), path, None, 0)])]


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
        yield PlaneStack(tuple(label), planes, found.step, found.unit)


def _of_files(paths: Sequence[Path], pattern: str | None, on_skipped: Callable[[Path], object]) -> list[PlaneStack]:
    """Return the stacks of files by the indices in their names; all in one stack if the names have no other index."""
    found = [(path, _by_words(path) if pattern is None else _by_pattern(path, pattern)) for path in paths]
    if pattern is not None:
        for path, index in found:
            if index is None:
                on_skipped(path)
        if paths and all(index is None for _, index in found):
            raise ParameterError(f"no name fits the pattern {pattern}; one of them is {paths[0].name}")
    indices = [(path, index) for path, index in found if index is not None]
    varying = [a for a in AXES if len({index.get(a) for _, index in indices}) > 1]
    complete = pattern is not None or (
        len(indices) == len(paths) and all("z" in index and set(varying) <= index.keys() for _, index in indices)
    )
    if not complete or not (varying or pattern):
        if pattern is None and varying and len({_depth_of(i) for _, i in indices}) > 1:
            raise ParameterError(
                f"some of the names have an index of the {' and the '.join(AXES[a] for a in varying)}, and some such "
                f"as {_unlike(found, varying).name} do not; state where the indices are with --pattern, or leave files "
                "out"
            )
        return [PlaneStack((), [Plane(str(path), path) for path in paths])] if paths else []
    groups: dict[tuple[tuple[str, str], ...], dict[float, Path]] = {}
    for path, index in indices:
        label = tuple((axis, index[axis]) for axis in varying)
        group = groups.setdefault(label, {})
        depth = _depth_of(index)
        if depth in group:
            raise ParameterError(
                f"{group[depth].name} and {path.name} have the same indices; state where the indices are with "
                "--pattern, such as {c}_{t}_{z}.tif"
            )
        group[depth] = path
    ordered = sorted(groups.items(), key=lambda item: [natural(value) for _, value in item[0]])
    return [PlaneStack(label, [Plane(str(group[z]), group[z]) for z in sorted(group)]) for label, group in ordered]


def _depth_of(index: Mapping[str, str]) -> float:
    return float(index.get("z", 0))


def _unlike(found: Sequence[tuple[Path, Mapping[str, str] | None]], varying: Sequence[str]) -> Path:
    """Return a file without some of the indices."""
    return next(path for path, index in found if index is None or "z" not in index or not set(varying) <= index.keys())


def _by_words(path: Path) -> dict[str, str] | None:
    """Return the indices that follow words such as z and channel in a name."""
    index: dict[str, str] = {}
    for match in _INDEX.finditer(path.stem):
        axis = next(name for name, word in match.groupdict().items() if word)
        index[axis] = str(int(match[len(WORDS) + 1]))
    return index or None


def _by_pattern(path: Path, pattern: str) -> dict[str, str] | None:
    """Return the indices in a name, at the places that the pattern states; None if it does not fit."""
    pieces = re.split(r"(\{[a-z]\}|\*)", pattern)
    names = [piece[1:-1] for piece in pieces if piece.startswith("{")]
    unknown = [name for name in names if name not in WORDS]
    if unknown or "z" not in names or len(set(names)) < len(names):
        raise ParameterError(
            f"--pattern {pattern} must contain {{z}} and may contain {{c}}, {{t}} and {{s}}, each once, for depth, "
            "channel, time and position; * is any text"
        )
    parts = [
        _PARTS[piece.strip("{}")] if piece == "*" or piece.startswith("{") else re.escape(piece) for piece in pieces
    ]
    match = re.fullmatch("".join(parts), path.name)
    if match is None:
        return None
    return {a: str(int(v)) if v.lstrip("-").isdecimal() else v for a, v in match.groupdict().items()}


def _selected(stacks: list[PlaneStack], select: Sequence[tuple[str, str]]) -> list[PlaneStack]:
    """Return the stacks that are selected.

    Raises
    ------
    ParameterError
        If an axis or a value is not there; the message lists those that are.
    """
    wanted: dict[str, set[str]] = {}
    for axis, value in select:
        values = list(dict.fromkeys(dict(stack.label).get(axis, "") for stack in stacks))
        if values == [""] or not values:
            present = list(dict.fromkeys(a for stack in stacks for a, _ in stack.label))
            said = f"choose one of {', '.join(present)}" if present else "there is only one stack"
            raise ParameterError(f"--select {axis}={value}: the stack has no axis {axis} with several values; {said}")
        by_index = values[int(value)] if value.isdecimal() and int(value) < len(values) else None
        if value not in values and by_index is None:
            raise ParameterError(f"--select {axis}={value}: choose one of {', '.join(values)}")
        wanted.setdefault(axis, set()).add(value if value in values else str(by_index))
    return [s for s in stacks if all(dict(s.label).get(axis, "") in values for axis, values in wanted.items())]


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
        for number, page in enumerate(read_pages(first.path, read_options), 1):
            yield f"{first.path}:{number}", partial(_page, page, read_options, colour)
    else:
        with open_windows(first.path, read_options) as windows:
            series = windows.series[first.series]
            for plane in planes:
                yield plane.name, partial(_given, _window(series, plane, read_options, colour))


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
        read_options.check_size((series.columns, series.rows), plane.name)
        image: Array = series.read(plane.number, 0, series.rows, 0, series.columns)
    except EdgekitError as error:
        return error
    return image if colour else series.to_gray(image)


def _given(image: Array | EdgekitError) -> Array:
    if isinstance(image, EdgekitError):
        raise image
    return image
