"""A focus stack: its images in order, their positions, and the focus measure of each.

May import `io` and what is below it.
"""

import csv
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgekit.batch.engines import Engine
from edgekit.batch.results import Results
from edgekit.batch.sources import find, natural
from edgekit.common.choices import unknown_choice
from edgekit.common.read_options import ReadOptions
from edgekit.errors import EdgekitError, ParameterError, UnreadableError, raise_if_out_of_memory
from edgekit.focus.measures import MEASURES, sharpness
from edgekit.focus.saturation import Mask, excluded, fill, saturated
from edgekit.focus.search import Peak, find_peak
from edgekit.io.files import is_tiff, read_bytes
from edgekit.io.pixels import Pixels
from edgekit.io.reduced import decode_gray
from edgekit.io.tiff import read_pages

Array = NDArray[Any]


class StackImage(NamedTuple):
    """One image of a stack.

    Attributes
    ----------
    name : str
        The file, followed by a colon and the number of the page if it has pages.
    position : float
        Where it was taken.
    score : float
        The focus measure; NaN if it is undefined or the image cannot be read.
    status : {"ok", "undefined", "failed"}
    reason : str
        Why it failed.
    """

    name: str
    position: float
    score: float
    status: str
    reason: str


class Stack(NamedTuple):
    """A measured stack.

    Attributes
    ----------
    images : list of StackImage
        In order.
    left_out : float
        Share of the pixels that were excluded, because they are saturated in one of the images.
    """

    images: list[StackImage]
    left_out: float

    def peak(self) -> Peak:
        """Find the peak; see `edgekit.find_peak`."""
        return find_peak([image.position for image in self.images], [image.score for image in self.images])


def images_of(
    inputs: Sequence[str], on_skipped: Callable[[Path], object], results: Results | None = None
) -> tuple[list[Path], bool]:
    """Return the files of a stack in natural order, and whether it is one TIFF file whose pages are the images.

    Raises
    ------
    ParameterError
        If a glob matches nothing.
    """
    order = {text: n for n, text in enumerate(inputs)}
    found = sorted(
        find(inputs, on_skipped, results=results), key=lambda pair: (order[pair[0]], natural(str(pair[1].path)))
    )
    paths = list(dict.fromkeys(source.path for _, source in found))
    return paths, len(paths) == 1 and is_tiff(paths[0])


def measure_stack(
    paths: Sequence[Path], pages: bool, measure: str, positions: "Positions", engine: Engine, read_options: ReadOptions
) -> Stack:
    """Measure all images of a stack on the same pixels.

    Pixels that are saturated in one of the images are filled with the mean of their surroundings in all images, since
    the hard edges of saturated regions would count as sharpness.

    Parameters
    ----------
    paths, pages
        From `images_of`.
    measure : str
        A name in `edgekit.MEASURES`.
    positions : Positions
        Where the images were taken.
    engine : Engine
        Decodes and measures.
    read_options : ReadOptions
        Options for reading an image.

    Raises
    ------
    ParameterError
        If the measure is unknown, or the positions do not fit the images.
    UnreadableError, DecodeError
        If the file with the pages cannot be opened.
    """
    read_options.check()
    if measure not in MEASURES:
        raise ParameterError(unknown_choice("measure", measure, MEASURES))
    if not pages:
        positions.check([str(path) for path in paths])
    measured, mask = _combine(
        engine.run(partial(_measure, measure=measure), _open(paths, pages, read_options), _give_up)
    )
    places = positions.of([one.name for one in measured])
    scores = [one.score for one in measured]
    mask = None if mask is None else excluded(mask)
    if mask is not None:
        task = partial(_measure_filled, measure=measure, mask=mask)
        scores = list(engine.run(task, _open(paths, pages, read_options), lambda image, reason: math.nan))
    images = [
        StackImage(one.name, position, score, _status(one, score), one.reason)
        for one, position, score in zip(measured, places, scores, strict=True)
    ]
    return Stack(images, 0.0 if mask is None else float(mask.mean()))


class _Measured(NamedTuple):
    """The result for one image: its focus measure and its saturated pixels, or why it failed."""

    name: str
    score: float = math.nan
    saturated: Mask | None = None
    reason: str = ""


def _combine(results: Iterable[_Measured]) -> tuple[list[_Measured], Mask | None]:
    """Return the results, and the pixels that are saturated in any image. Images of another size have failed."""
    measured: list[_Measured] = []
    union: Mask | None = None
    for one in results:
        if one.saturated is None:
            measured.append(one)
            continue
        union = np.zeros_like(one.saturated) if union is None else union
        if one.saturated.shape == union.shape:
            union |= one.saturated
            # The masks of a long stack would need too much memory.
            measured.append(one._replace(saturated=None))
        else:
            sizes = [f"{columns}x{rows}" for rows, columns in (union.shape, one.saturated.shape)]
            reason = f"{one.name}: expected {sizes[0]} pixels, as in the first image; found {sizes[1]}"
            measured.append(_Measured(one.name, reason=reason))
    return measured, union


def _status(measured: _Measured, score: float) -> str:
    return "failed" if measured.reason else "ok" if math.isfinite(score) else "undefined"


def _open(paths: Sequence[Path], pages: bool, read_options: ReadOptions) -> Iterator[tuple[str, Callable[[], Array]]]:
    """Yield the name of each image, and a function that reads it."""
    if not pages:
        for path in paths:
            yield str(path), partial(_read, path, read_options)
        return
    for number, page in enumerate(read_pages(paths[0], read_options), 1):
        yield f"{paths[0]}:{number}", partial(_page, page, read_options)


def _read(path: Path, read_options: ReadOptions) -> Array:
    return decode_gray(read_bytes(path), str(path), read_options=read_options).image


def _page(page: Pixels | EdgekitError, read_options: ReadOptions) -> Array:
    if isinstance(page, EdgekitError):
        raise page
    return page.over(read_options.background).gray().array


def _measure(image: tuple[str, Callable[[], Array]], measure: str) -> _Measured:
    """Measure an image, and find its saturated pixels; in a worker."""
    name, read = image
    try:
        array = read()
        with np.errstate(all="ignore"):
            return _Measured(name, sharpness(array, measure), saturated(array))
    except EdgekitError as error:
        message = str(error)
        named = name in message or Path(name).name in message
        return _Measured(name, reason=message if named else f"{name}: {message}")
    except Exception as error:  # One image must not end the run.
        raise_if_out_of_memory(error)
        return _Measured(name, reason=f"{name}: {type(error).__name__}: {error}")


def _give_up(image: tuple[str, Callable[[], Array]], reason: str) -> _Measured:
    return _Measured(image[0], reason=f"{image[0]}: {reason}")


def _measure_filled(image: tuple[str, Callable[[], Array]], measure: str, mask: Mask) -> float:
    """Measure an image with the masked pixels filled; NaN if it cannot be read. In a worker."""
    try:
        with np.errstate(all="ignore"):
            return float(sharpness(fill(image[1](), mask), measure))
    except Exception:  # The first pass reported the reason.
        return math.nan


class Positions:
    """The positions of the images: numbers in order, or by file name. Without a file they are 0, 1, 2 and so on.

    Parameters
    ----------
    path : path, optional
        A text file with a number in each line, or a name and a number separated by a comma. Empty lines, lines that
        begin with ``#`` and a header are skipped.

    Raises
    ------
    UnreadableError
        If it cannot be read.
    ParameterError
        If it contains something else.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self._path = path
        self._numbers: list[float] = []
        self._by_name: dict[str, float] = {}
        if path is not None:
            self._fill(Path(path))

    def _fill(self, path: Path) -> None:
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise UnreadableError(f"{path}: cannot be read: {error}") from error
        lines = [cells for cells in csv.reader(text.splitlines()) if any(cells) and not cells[0].startswith("#")]
        for n, cells in enumerate(lines):
            try:
                number = float(cells[-1])
            except ValueError:
                number = math.nan
            if len(cells) > 2 or not math.isfinite(number):
                if n == 0 and len(lines) > 1:
                    continue
                raise ParameterError(f"{path}: expected a number, or name,position; found {','.join(cells)!r}")
            if len(cells) == 2:
                self._by_name[cells[0].strip()] = number
            else:
                self._numbers.append(number)
        if self._numbers and self._by_name:
            raise ParameterError(f"{path}: some lines have a name and some do not; give all of them a name, or none")
        if not lines:
            raise ParameterError(f"{path}: contains no positions")

    def check(self, names: Sequence[str]) -> None:
        """Raise if an image has no position, or the numbers of images and positions differ."""
        self.of(names)

    def of(self, names: Sequence[str]) -> list[float]:
        """Return the positions of these images.

        Raises
        ------
        ParameterError
            If an image has no position, or the numbers of images and positions differ.
        """
        if self._path is None:
            return [float(n) for n in range(len(names))]
        if not self._by_name:
            if len(self._numbers) != len(names):
                raise ParameterError(
                    f"{self._path}: {len(self._numbers)} positions for {len(names)} images; write one in each line"
                )
            return self._numbers
        found = [self._by_name.get(name, self._by_name.get(Path(name).name)) for name in names]
        missing = [name for name, position in zip(names, found, strict=True) if position is None]
        if missing:
            raise ParameterError(f"{self._path}: no position for {missing[0]}; add a line {Path(missing[0]).name},…")
        return [position for position in found if position is not None]
