"""The focus measure of each image of a stack, and the peak. May import `io` and what is below it."""

import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgekit.batch.engines import Engine
from edgekit.batch.results import Results
from edgekit.batch.sources import find, natural
from edgekit.batch.stack_planes import PlaneStack, read_planes
from edgekit.common.choices import BLUR, unknown_choice
from edgekit.common.read_options import ReadOptions
from edgekit.errors import (
    DtypeError,
    EdgekitError,
    ParameterError,
    ShapeError,
    WorkerError,
    error_message,
    raise_if_out_of_memory,
)
from edgekit.focus.edge_widths import blur_width
from edgekit.focus.field import TilePeaks, fitted_surface
from edgekit.focus.light import mean_level, normalised
from edgekit.focus.measures import MEASURES, sharpness
from edgekit.focus.saturation import Mask, excluded, fill, saturated
from edgekit.focus.search import NO_PEAK, Peak
from edgekit.focus.stack_images import Kind, kind_of
from edgekit.focus.stack_peak import find_peak_in_light

Array = NDArray[Any]


class Request(NamedTuple):
    """What is measured of each image.

    Attributes
    ----------
    measure : str
        A name in `edgekit.MEASURES`, or ``blur``: 1 over the width of the blur in pixels.
    roi : tuple of int, optional
        x, y, width and height of the rectangle that is measured, in pixels.
    tiles : int
        The image is also divided into so many rows and columns of tiles; 0: it is not.
    """

    measure: str
    roi: tuple[int, int, int, int] | None = None
    tiles: int = 0

    def check(self) -> None:
        """Raise `ParameterError` if the measure is unknown."""
        if self.measure not in (BLUR, *MEASURES):
            raise ParameterError(unknown_choice("measure", self.measure, (BLUR, *MEASURES)))

    def region(self, image: Array, name: str) -> Array:
        """Return the rectangle of an image.

        Raises
        ------
        ParameterError
            If it is not within the image.
        """
        rows, columns = image.shape[:2]
        x, y, width, height = self.roi or (0, 0, columns, rows)
        if x + width > columns or y + height > rows or min(width, height) < 1:
            raise ParameterError(
                f"{name}: the region {x},{y},{width},{height} is not within the {columns}x{rows} pixels of the image"
            )
        return image[y : y + height, x : x + width]

    @property
    def contrast(self) -> int:
        """The power of the light that the measure is proportional to."""
        return 0 if self.measure == BLUR else MEASURES[self.measure].contrast

    def score(self, image: Array) -> float:
        """Measure an image."""
        return 1 / blur_width(image).width if self.measure == BLUR else float(sharpness(image, self.measure))

    def tile_scores(self, image: Array) -> tuple[float, ...]:
        """Measure the tiles of an image, row by row."""
        if not self.tiles:
            return ()
        rows, columns = (np.linspace(0, n, self.tiles + 1).astype(int) for n in image.shape[:2])
        return tuple(
            self.score(image[rows[i] : rows[i + 1], columns[j] : columns[j + 1]])
            for i in range(self.tiles)
            for j in range(self.tiles)
        )


class StackImage(NamedTuple):
    """One image of a stack.

    Attributes
    ----------
    name : str
        The file, followed by a colon and the number of the image if it has several.
    position : float
        Where it was taken.
    score : float
        The focus measure; NaN if it is undefined or the image cannot be read.
    status : {"ok", "undefined", "failed"}
    reason : str
        Why it failed.
    level : float
        The mean luminance, of the pixels that are not left out.
    tiles : tuple of float
        The focus measure of each tile, row by row.
    """

    name: str
    position: float
    score: float
    status: str
    reason: str
    level: float = math.nan
    tiles: tuple[float, ...] = ()


class Stack(NamedTuple):
    """A measured stack.

    Attributes
    ----------
    planes : PlaneStack
        What was measured.
    request : Request
        How.
    images : list of StackImage
        In order.
    saturated : float
        Fraction of the pixels that are saturated in one of the images, with a margin. They were filled.
    shape : tuple of int
        Rows and columns of the region that was measured.
    """

    planes: PlaneStack
    request: Request
    images: list[StackImage]
    saturated: float
    shape: tuple[int, int]

    @property
    def power(self) -> int:
        """The power of the light that the measure is proportional to."""
        return self.request.contrast

    def scores(self) -> list[float]:
        """Return the scores as they would be if the light did not change."""
        return normalised([i.score for i in self.images], [i.level for i in self.images], self.power)

    def peak(self) -> Peak:
        """Find the peak; see `edgekit.focus.stack_peak.find_peak_in_light`."""
        return self._peak([image.score for image in self.images])

    def tile_peaks(self) -> TilePeaks:
        """Find the peak of each tile."""
        side = self.request.tiles
        scores = [image.tiles or (math.nan,) * side**2 for image in self.images]
        peaks = []
        for tile in zip(*scores, strict=True):
            try:
                peaks.append(self._peak(tile))
            except ParameterError:  # Too few images have a score.
                peaks.append(NO_PEAK)
        return TilePeaks(tuple(peaks), side, self.shape, fitted_surface(peaks, side))

    def sharpest(self) -> int | None:
        """Return the number of the image nearest to the peak, of the sharpest one if there is no peak."""
        known = [n for n, image in enumerate(self.images) if image.status == "ok"]
        if not known:
            return None
        try:
            at = self.peak().position
        except ParameterError:  # Too few images.
            at = math.nan
        if math.isfinite(at):
            return min(known, key=lambda n: abs(self.images[n].position - at))
        return max(known, key=lambda n: self.images[n].score)

    def _peak(self, scores: Sequence[float]) -> Peak:
        positions = [image.position for image in self.images]
        return find_peak_in_light(positions, scores, [image.level for image in self.images], self.power)


def files_of(inputs: Sequence[str], on_skipped: Callable[[Path], object], results: Results | None = None) -> list[Path]:
    """Return the files of a stack in natural order.

    Raises
    ------
    ParameterError
        If a glob matches nothing.
    """
    order = {text: n for n, text in enumerate(inputs)}
    found = sorted(
        find(inputs, on_skipped, results=results), key=lambda pair: (order[pair[0]], natural(str(pair[1].path)))
    )
    return list(dict.fromkeys(source.path for _, source in found))


def measure_stack(planes: PlaneStack, request: Request, engine: Engine, read_options: ReadOptions) -> Stack:
    """Measure all images of a stack on the same pixels.

    Pixels that are saturated in one of the images are filled with the mean of their surroundings in all images, since
    the hard edges of saturated regions would count as sharpness.

    Parameters
    ----------
    planes : PlaneStack
        From `edgekit.batch.stack_planes.stacks_of`.
    request : Request
        What is measured.
    engine : Engine
        Decodes and measures.
    read_options : ReadOptions
        Options for reading an image.

    Raises
    ------
    ParameterError
        If the measure is unknown.
    WorkerError
        If workers cannot be started.
    """
    read_options.check()
    request.check()

    def run(mask: Mask | None, *, search: bool) -> Iterable["_Measured"]:
        task = partial(_measure, request=request, mask=mask, search=search)
        return engine.run(task, read_planes(planes.planes, read_options), _give_up)

    union = mask = None
    try:
        measured, union = _combine(run(None, search=True))
        if union is not None and union.any():
            # The first pass found out which images fail, and measured those without saturated pixels.
            mask = excluded(union)
            again = zip(measured, run(mask, search=False), strict=True)
            measured = [second._replace(reason=first.reason or second.reason) for first, second in again]
    except WorkerError:
        raise
    except EdgekitError as error:
        # The file with all images cannot be opened.
        reason = error_message(error, str(planes.planes[0].path))
        measured = [_Measured(plane.name, reason=reason) for plane in planes.planes]
    images = [
        StackImage(one.name, position, one.score, _status(one), one.reason, one.level, one.tiles)
        for one, position in zip(measured, planes.positions, strict=True)
    ]
    rows, columns = union.shape if union is not None else (0, 0)
    return Stack(planes, request, images, 0.0 if mask is None else float(mask.mean()), (rows, columns))


class _Measured(NamedTuple):
    """The result for one image: its focus measure, its saturated pixels and its kind, or why it failed."""

    name: str
    score: float = math.nan
    level: float = math.nan
    tiles: tuple[float, ...] = ()
    saturated: Mask | None = None
    kind: Kind | None = None
    reason: str = ""


def _combine(results: Iterable[_Measured]) -> tuple[list[_Measured], Mask | None]:
    """Return the results, and the pixels that are saturated in any image. Images unlike the first have failed."""
    measured: list[_Measured] = []
    union: Mask | None = None
    first: Kind | None = None
    for one in results:
        if one.saturated is None or one.kind is None:
            measured.append(one)
            continue
        first = first or one.kind
        try:
            first.check(one.kind, one.name)
        except (ShapeError, DtypeError) as error:
            measured.append(_Measured(one.name, reason=str(error)))
            continue
        union = one.saturated if union is None else union | one.saturated
        # The masks of a long stack would need too much memory.
        measured.append(one._replace(saturated=None))
    return measured, union


def _status(measured: _Measured) -> str:
    return "failed" if measured.reason else "ok" if math.isfinite(measured.score) else "undefined"


def _measure(image: tuple[str, Callable[[], Array]], request: Request, mask: Mask | None, search: bool) -> _Measured:
    """Measure an image; or find its saturated pixels, and measure it if it has none. Runs in a worker."""
    name, read = image
    try:
        whole = read()
        array = request.region(whole, name)
        with np.errstate(all="ignore"):
            if mask is not None and mask.shape != array.shape[:2]:
                return _Measured(name)
            level = mean_level(array, mask)
            limits = saturated(array) if search else None
            found = _Measured(name, math.nan, level, (), limits, kind_of(whole))
            if limits is not None and limits.any():
                return found
            shown = array if mask is None else fill(array, mask)
            return found._replace(score=request.score(shown), tiles=request.tile_scores(shown))
    except EdgekitError as error:
        message = str(error)
        named = name in message or Path(name).name in message
        return _Measured(name, reason=message if named else f"{name}: {message}")
    except Exception as error:  # One image must not end the run.
        raise_if_out_of_memory(error)
        return _Measured(name, reason=f"{name}: {type(error).__name__}: {error}")


def _give_up(image: tuple[str, Callable[[], Array]], reason: str) -> _Measured:
    return _Measured(image[0], reason=f"{image[0]}: {reason}")
