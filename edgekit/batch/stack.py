"""A focus stack: its images in order, where each was taken, and how sharp each is.

May import what is below batch, and the other modules of batch.
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
from edgekit.common.load_cv2 import cv2
from edgekit.common.names import unknown
from edgekit.common.read_limits import Limits
from edgekit.display.rendering import value_range
from edgekit.errors import EdgekitError, ParameterError, UnreadableError, let_out_of_memory
from edgekit.focus.composite import CLIPPED
from edgekit.focus.measures import MEASURES, planes_of, sharpness
from edgekit.focus.search import Peak, find_peak
from edgekit.io.files import is_tiff, read_bytes
from edgekit.io.pages import read_pages
from edgekit.io.reading import decode_grey

Array = NDArray[Any]
Mask = NDArray[np.bool_]

#: So far around a burnt pixel nothing counts, as a share of the longer side: its light spreads as it blurs.
MARGIN = 1 / 100

#: Where more than this share would be left out, nothing is: the picture is bright as a whole.
MOST_LEFT_OUT = 0.5

#: Widths of the neighbourhoods that what is left out is filled from, as shares of the longer side.
NEIGHBOURHOODS = (1 / 32, 1 / 8, 1 / 2, 2)


class Row(NamedTuple):
    """One image of a stack.

    Attributes
    ----------
    name : str
        The file, with the number of the page after a colon where it has several.
    position : float
        Where it was taken.
    score : float
        The focus measure; NaN where it is undefined or the image cannot be read.
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
    rows : list of Row
        In the order of the images.
    left_out : float
        Share of the picture that was left out, because the sensor was at its limit there in one of the images.
    """

    rows: list[Row]
    left_out: float

    def peak(self) -> Peak:
        """Find the peak; see `edgekit.find_peak`."""
        return find_peak([r.position for r in self.rows], [r.score for r in self.rows])


class _Seen(NamedTuple):
    """What one image gave."""

    name: str
    score: float = math.nan
    burnt: Mask | None = None
    reason: str = ""


def images_of(
    inputs: Sequence[str], pass_over: Callable[[Path], object], results: Results | None = None
) -> tuple[list[Path], bool]:
    """Return the files of a stack in natural order, and whether it is one TIFF file whose pages are the images.

    Raises
    ------
    ParameterError
        If a glob matches nothing.
    """
    order = {text: n for n, text in enumerate(inputs)}
    found = sorted(
        find(inputs, pass_over, results=results), key=lambda pair: (order[pair[0]], natural(str(pair[1].path)))
    )
    paths = list(dict.fromkeys(source.path for _, source in found))
    return paths, len(paths) == 1 and is_tiff(paths[0])


def measure_stack(
    paths: Sequence[Path], pages: bool, measure: str, positions: "Positions", engine: Engine, limits: Limits
) -> Stack:
    """Measure every image of a stack by the same part of the picture.

    Burnt spots have hard edges that grow longer as they blur, and would count as sharp. What is burnt in any image is
    painted over in all, with the mean of what is around.

    Parameters
    ----------
    paths, pages
        As `images_of` gives them.
    measure : str
        A name in `edgekit.MEASURES`.
    positions : Positions
        Where the images were taken.
    engine : Engine
        Decodes and measures.
    limits : Limits
        What may be taken on of each image.

    Raises
    ------
    ParameterError
        If there is no such measure, or the positions do not fit the images.
    UnreadableError, DecodeError
        If the file with the pages cannot be opened.
    """
    limits.check()
    if measure not in MEASURES:
        raise ParameterError(unknown("measure", measure, MEASURES))
    if not pages:
        positions.check([str(path) for path in paths])
    seen, burnt = _gathered(engine.run(partial(_whole, measure=measure), _open(paths, pages, limits), _lost))
    places = positions.of([s.name for s in seen])
    scores = [s.score for s in seen]
    left_out = _left_out(burnt)
    if left_out is not None:
        part = partial(_part, measure=measure, left_out=left_out)
        scores = list(engine.run(part, _open(paths, pages, limits), lambda opened, reason: math.nan))
    rows = [Row(s.name, p, v, _status(s, v), s.reason) for s, p, v in zip(seen, places, scores, strict=True)]
    return Stack(rows, 0.0 if left_out is None else float(left_out.mean()))


def _gathered(found: Iterable[_Seen]) -> tuple[list[_Seen], Mask | None]:
    """Return what the images gave, and what is burnt in any of them; images of another size than the first failed."""
    seen: list[_Seen] = []
    anywhere: Mask | None = None
    for one in found:
        if one.burnt is None:
            seen.append(one)
            continue
        anywhere = np.zeros_like(one.burnt) if anywhere is None else anywhere
        if one.burnt.shape == anywhere.shape:
            anywhere |= one.burnt
            # The masks of a long stack would fill the memory.
            seen.append(one._replace(burnt=None))
        else:
            sizes = [f"{columns}x{rows}" for rows, columns in (anywhere.shape, one.burnt.shape)]
            seen.append(_Seen(one.name, reason=f"{one.name}: expected {sizes[0]} pixels as before; found {sizes[1]}"))
    return seen, anywhere


def _status(seen: _Seen, score: float) -> str:
    return "failed" if seen.reason else "ok" if math.isfinite(score) else "undefined"


def _open(paths: Sequence[Path], pages: bool, limits: Limits) -> Iterator[tuple[str, Callable[[], Array]]]:
    """Give each image's name and how to read it."""
    if not pages:
        for path in paths:
            yield str(path), partial(_read, path, limits)
        return
    for number, page in enumerate(read_pages(paths[0], limits), 1):
        yield f"{paths[0]}:{number}", partial(_page, page)


def _read(path: Path, limits: Limits) -> Array:
    return decode_grey(read_bytes(path), str(path), limits=limits).image


def _page(page: Array | EdgekitError) -> Array:
    if isinstance(page, EdgekitError):
        raise page
    return page


def _whole(opened: tuple[str, Callable[[], Array]], measure: str) -> _Seen:
    """Measure an image, and see where it is burnt."""
    name, read = opened
    try:
        image = read()
        with np.errstate(all="ignore"):
            return _Seen(name, sharpness(image, measure), _burnt(image))
    except EdgekitError as error:
        said = str(error)
        return _Seen(name, reason=said if name in said or Path(name).name in said else f"{name}: {said}")
    except Exception as error:  # One image must not end the run.
        let_out_of_memory(error)
        return _Seen(name, reason=f"{name}: {type(error).__name__}: {error}")


def _lost(opened: tuple[str, Callable[[], Array]], reason: str) -> _Seen:
    return _Seen(opened[0], reason=f"{opened[0]}: {reason}")


def _burnt(image: Array) -> Mask:
    """Mark the pixels that are at the sensor's limit."""
    plane = planes_of(image)
    low, high = value_range(image)
    # Where the range is that of the image itself its brightest pixel is no limit.
    if image.dtype.kind == "f" and high > 1:
        return np.zeros(plane.shape, bool)
    return np.asarray(plane >= low + CLIPPED * (high - low))


def _part(opened: tuple[str, Callable[[], Array]], measure: str, left_out: Mask) -> float:
    """Measure an image with what is left out painted over; NaN where it cannot be read."""
    try:
        plane = planes_of(opened[1]()).astype(np.float64)
        with np.errstate(all="ignore"):
            return float(sharpness(_painted(plane, left_out), measure))
    except Exception:  # The first look said why.
        return math.nan


def _painted(plane: Array, left_out: Mask) -> Array:
    """Fill what is left out with the mean of the nearest that is not."""
    filled, kept = plane.copy(), (~left_out).astype(np.float64)
    missing = left_out
    for share in NEIGHBOURHOODS:
        width = 2 * round(share * max(plane.shape) / 2) + 1
        weight = cv2.blur(kept, (width, width))
        near = missing & (weight > 1e-6)
        filled[near] = cv2.blur(plane * kept, (width, width))[near] / weight[near]
        missing = missing & ~near
        if not missing.any():
            break
    return filled


def _left_out(burnt: Mask | None) -> Mask | None:
    """Return what is burnt, and what is around it; None where that is nothing, or too much."""
    if burnt is None:
        return None
    reach = math.ceil(MARGIN * max(burnt.shape))
    around = cv2.dilate(burnt.astype(np.uint8), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)) > 0
    return around if 0 < around.mean() <= MOST_LEFT_OUT else None


class Positions:
    """Where the images were taken: numbers in their order, or by name; without a file 0, 1, 2 and so on.

    Parameters
    ----------
    path : path, optional
        A text file with a number a line, or comma-separated name and position; lines that are empty or begin with
        ``#`` are passed over, and a heading.

    Raises
    ------
    UnreadableError
        If it cannot be read.
    ParameterError
        If it holds something else.
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
        lines = [row for row in csv.reader(text.splitlines()) if any(row) and not row[0].startswith("#")]
        for n, row in enumerate(lines):
            try:
                number = float(row[-1])
            except ValueError:
                number = math.nan
            if len(row) > 2 or not math.isfinite(number):
                if n == 0 and len(lines) > 1:
                    continue
                raise ParameterError(f"{path}: expected a number, or name,position; found {','.join(row)!r}")
            if len(row) == 2:
                self._by_name[row[0].strip()] = number
            else:
                self._numbers.append(number)
        if self._numbers and self._by_name:
            raise ParameterError(f"{path}: some lines have a name and some have none; give all or none a name")
        if not lines:
            raise ParameterError(f"{path}: holds no positions")

    def check(self, names: Sequence[str]) -> None:
        """Raise if the images do not have one position each."""
        self.of(names)

    def of(self, names: Sequence[str]) -> list[float]:
        """Return the positions of these images.

        Raises
        ------
        ParameterError
            If the images do not have one position each.
        """
        if self._path is None:
            return [float(n) for n in range(len(names))]
        if not self._by_name:
            if len(self._numbers) != len(names):
                raise ParameterError(
                    f"{self._path}: {len(self._numbers)} positions for {len(names)} images; give one a line"
                )
            return self._numbers
        found = [self._by_name.get(name, self._by_name.get(Path(name).name)) for name in names]
        missing = [name for name, position in zip(names, found, strict=True) if position is None]
        if missing:
            raise ParameterError(f"{self._path}: no position for {missing[0]}; add a line {Path(missing[0]).name},…")
        return [position for position in found if position is not None]
