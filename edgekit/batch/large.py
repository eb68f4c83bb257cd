"""Images that need not fit into memory: filtered and measured window by window, each with its halo."""

import math
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any, NamedTuple, NoReturn, Protocol, TypeVar

import numpy as np

from edgekit.backends.choice import load
from edgekit.backends.interface import Array
from edgekit.backends.opencv.moments import laplacian_sums
from edgekit.batch.engines import heartbeat
from edgekit.batch.engines.local import Threads
from edgekit.batch.jobs.filtering import FilterJob
from edgekit.batch.jobs.render import PictureJob
from edgekit.batch.jobs.scoring import Scored, ScoreJob
from edgekit.batch.window_grid import WINDOW, Place, grid_for, reach
from edgekit.display.rendering import largest, overlay, to_display
from edgekit.display.value_range import Count, Range, filtered_values, passes, percentiles
from edgekit.errors import ParameterError
from edgekit.filters.apply import apply, plan_for
from edgekit.focus.measures import MEASURES, planes_of
from edgekit.io.windows import Series, Windows

R = TypeVar("R")


#: What can be done where an image is too large to be done as a whole.
MORE = "allow more with --memory and --max-pixels"


def nobody(done: int, total: int) -> None:
    """Be told how many of how many windows are done."""


class Means(NamedTuple):
    """What may be used for an image that is done window by window.

    Attributes
    ----------
    threads : int
        Windows at a time.
    progress : callable
        Told after each window how many of how many are done.
    """

    threads: int = 1
    progress: Callable[[int, int], object] = nobody


USUAL = Means()


class Writer(Protocol):
    """Writes series of images to where they go; see `edgekit.io.tiff_windows.TiffWriter`."""

    @staticmethod
    def tile(series: Series) -> tuple[int, int]:
        """Return rows and columns of what is packed together of a series' results."""

    def pack(self, series: Series, window: Array) -> Any:
        """Pack a window of a series' results; any number of threads may do so."""

    def write(
        self, series: Series, shape: tuple[int, ...], dtype: np.dtype[Any], windows: Iterable[tuple[Place, Any]]
    ) -> None:
        """Write a series' results, of one shape (rows, columns[, channels])."""


class Filtered(NamedTuple):
    """What was filtered: the size of the first image in pixels, and how many values could not be shown.

    White is the response that is shown white in the first image. A file that breaks off is not filtered window by
    window: there is no note on one.
    """

    rows: int
    columns: int
    clipped: int
    white: float | None = None
    note: str = ""


def filter_windows(
    source: Windows,
    job: PictureJob,
    writer: Writer,
    means: Means = USUAL,
    window: int | None = None,
) -> Filtered:
    """Filter every image of a file, in memory that does not grow with them.

    The result is that of filtering each as a whole.

    Parameters
    ----------
    source : Windows
        The file.
    job : PictureJob
        What to do.
    writer : Writer
        Where the results go.
    means : Means
        Threads, and who is told.
    window : int, optional
        About how many pixels each thread filters at a time; `WINDOW` unless given.

    Raises
    ------
    ParameterError
        If what is to be done needs the image as a whole.
    EdgekitError
        If the file is damaged, or the job does not fit its images.
    """
    works = [_Work(one, job, writer.tile(one), window or WINDOW) for one in source.series]
    total, done, clipped = sum(w.windows for w in works), 0, 0

    def each(do: Callable[[Place], Any], at: Iterable[Place]) -> Generator[Any, None, None]:
        nonlocal done
        with closing(_each(do, at, means.threads)) as results:
            for result in results:
                done += 1
                means.progress(done, total)
                yield result

    def taken(made: _Made) -> tuple[Place, Any]:
        nonlocal clipped
        clipped += made.clipped
        return made.place, made.packed

    shown = []
    for work in works:
        shown.append(work.levels(each))
        places = chain.from_iterable(map(work.grid.places, range(work.series.planes)))
        with closing(each(partial(_made, work=work, levels=shown[-1], writer=writer), places)) as results:
            # Type and channels of the result are those of its first window.
            first = next(results)
            shape = work.grid.rows, work.grid.columns, *first.channels
            writer.write(work.series, shape, first.dtype, map(taken, chain([first], results)))
    first_series, first_levels = works[0].series, shown[0][0]
    return Filtered(first_series.rows, first_series.columns, clipped, first_levels.white)


class _Made(NamedTuple):
    """A window of a result, packed."""

    place: Place
    packed: Any
    channels: tuple[int, ...]
    dtype: np.dtype[Any]
    clipped: int


class _Levels(NamedTuple):
    """How an image is shown: the response that is white, and the range of its values where it lies below an overlay."""

    white: float | None = None
    base: Range | None = None


def _made(place: Place, work: "_Work", levels: list[_Levels], writer: Writer) -> _Made:
    array, clipped = work.show(place, levels[place.plane])
    return _Made(place, writer.pack(work.series, array), array.shape[2:], array.dtype, clipped)


def result_bytes(source: Windows, job: PictureJob) -> int:
    """Return about how many bytes the pixels of all results take, not too few."""
    return sum(_result_bytes(one, job) for one in source.series)


def _result_bytes(series: Series, job: PictureJob) -> int:
    channels = 3 if job.overlay or series.colour else series.channels or 1
    wide = (series.dtype.kind in "iu" and series.dtype.itemsize > 2) or series.dtype == np.float64
    size = {"8": 1, "16": 2, "float": 8 if wide else 4}[job.depth]
    return series.planes * series.rows * series.columns * channels * size


def _each(do: Callable[[Place], R], at: Iterable[Place], workers: int) -> Generator[R, None, None]:
    """Give what comes of each window, in their order; to be closed, so that no thread goes on when its file is gone."""

    def lost(place: Place, reason: str) -> NoReturn:
        raise MemoryError(reason)

    beat = heartbeat.get()
    with closing(Threads(workers).run(do, at, lost)) as results:
        for result in results:
            beat()
            yield result


#: Does something to each window of an image.
_Each = Callable[[Callable[[Place], Any], Iterable[Place]], Iterator[Any]]


class _Work:
    """One series with what is to be done to it."""

    def __init__(self, series: Series, job: PictureJob, tile: tuple[int, int], window: int) -> None:
        if not isinstance(job, FilterJob):
            raise ParameterError(f"{job.tag} looks at an image as a whole, and does not go window by window")
        self.series, self._job = series, job
        self._plan = plan_for(job.row, dict(job.parameters), **job.options)
        rows, columns = series.rows, series.columns
        if job.border == "valid":
            # The filter says what is wrong with a size that leaves nothing.
            rows, columns = (max(1, n - taps + 1) for n, taps in zip((rows, columns), self._plan.shape, strict=True))
        self.grid = grid_for(rows, columns, tile, window // (series.channels or 1))
        shown = job.depth != "float"
        self._stretched = shown and job.display == "stretch"
        ranged = shown and not self._stretched and (job.white is None or isinstance(job.white, str))
        extra = () if series.channels is None else (series.channels,)
        sample = self._seen(np.zeros((1, 1, *extra), series.dtype))
        mixed = not series.apart and filtered_values(sample, job.channel) is not sample
        self._channel = job.channel if mixed else "each"
        # Of 8 bits and where the file states it the range is known.
        known = series.stated is not None or series.dtype.itemsize == 1
        sought = {self._channel: ranged, "each": job.overlay or (ranged and not mixed)}
        self._types = {} if known else {c: filtered_values(sample, c).dtype for c, needed in sought.items() if needed}
        self._whole = grid_for(series.rows, series.columns, tile, window // (series.channels or 1))

    @property
    def windows(self) -> int:
        """How many windows are looked at, each as often as that is needed."""
        looked_at = self._whole.windows * sum(map(passes, self._types.values()))
        return self.series.planes * (looked_at + self.grid.windows * (1 + self._stretched))

    def levels(self, each: _Each) -> list[_Levels]:
        """Return for each image how it is shown, which may need a look at all of it first."""
        return [self._levels(plane, each) for plane in range(self.series.planes)]

    def _levels(self, plane: int, each: _Each) -> _Levels:
        job, series = self._job, self.series
        ranges = {channel: self._range(plane, channel, each) for channel in self._types}
        white = None
        if self._stretched:
            white = max(each(self._largest, self.grid.places(plane))) or 1.0
        elif job.depth != "float":
            # Without a range it is that of 8 bits.
            white = job.white_level(np.zeros((1, 1), series.dtype), ranges.get(self._channel, series.stated))
        return _Levels(white, ranges.get("each", series.stated))

    def _range(self, plane: int, channel: str, each: _Each) -> Range:
        def total(count: Count) -> Any:
            return sum(each(partial(self._count, channel=channel, count=count), self._whole.places(plane)))

        return percentiles(self._types[channel], total)

    def _count(self, place: Place, channel: str, count: Count) -> Any:
        window = self._read(place.plane, place.top, place.bottom, place.left, place.right)
        return count(filtered_values(window, channel))

    def show(self, place: Place, levels: _Levels) -> tuple[Array, int]:
        """Make a window of the result, and count what was clipped."""
        image, response = self._respond(place)
        if levels.white is None:
            made, clipped = response, 0
        else:
            mode = "full" if self._stretched else self._job.display
            made, clipped = to_display(response, mode, depth=int(self._job.depth), white=levels.white)
        if self._job.overlay:
            made = overlay(image, made, in_range=levels.base)
        # Files hold no half precision.
        return made.astype(np.float32) if made.dtype == np.float16 else made, clipped

    def _largest(self, place: Place) -> float:
        return largest(self._respond(place)[1].reshape(-1))

    def _respond(self, place: Place) -> tuple[Array, Array]:
        """Return a window of the image, and the response to it."""
        above, below, before, after = self._plan.halo
        top, bottom, rows = reach(place.top, place.bottom, above, below, self.series.rows, self._job.border)
        left, right, columns = reach(place.left, place.right, before, after, self.series.columns, self._job.border)
        image = self._read(place.plane, top, bottom, left, right)
        if self.series.apart:
            response = np.stack([self._filter(image[..., c])[rows, columns] for c in range(image.shape[2])], axis=-1)
        else:
            response = self._filter(image)[rows, columns]
        return image[rows, columns], response

    def _read(self, plane: int, top: int, bottom: int, left: int, right: int) -> Array:
        return self._seen(self.series.read(plane, top, bottom, left, right))

    def _seen(self, image: Array) -> Array:
        """Return a window of the file as the job sees it."""
        if self.series.veiled or (self.series.colour and self._job.grey_will_do):
            return self.series.to_grey(image)
        return image[:, :, :3] if self.series.colour else image

    def _filter(self, image: Array) -> Array:
        job = self._job
        computer = load(job.backend, job.device)
        with computer.without_graph():
            response: Array = computer.give_back(job.respond(computer.lend(np.ascontiguousarray(image), job.device)))
        return response


def score_windows(
    source: Windows,
    job: ScoreJob,
    name: str,
    means: Means = USUAL,
    window: int | None = None,
) -> Scored:
    """Measure the first image of a file, in memory that does not grow with it.

    Parameters
    ----------
    source : Windows
        The file.
    job : ScoreJob
        What to measure. A region of interest is read as a whole, and can be measured in every way.
    name : str
        What messages call the file.
    means, window
        As for `filter_windows`.

    Raises
    ------
    ParameterError
        If a measure needs the image as a whole.
    EdgekitError
        If the file is damaged, or the region lies outside the image.
    """
    series = source.series[0]
    if job.roi is not None:
        x, y, w, h = job.roi
        job.check_region(series.rows, series.columns, name)
        values = replace(job, roi=None).measure(series.to_grey(series.read(0, y, y + h, x, x + w)), name).values
        return Scored(series.columns, series.rows, values)
    whole = [m for m in job.measures if m not in MEASURES or MEASURES[m].by_moments is None]
    if whole:
        able = " and ".join(m for m, row in MEASURES.items() if row.by_moments is not None)
        raise ParameterError(
            f"{name}: {', '.join(whole)} needs the image in memory as a whole, and it is too large for that; measure "
            f"{able}, or a part of it with --roi, or {MORE}"
        )
    grid = grid_for(series.rows, series.columns, series.layout.tile, (window or WINDOW) // (series.channels or 1))
    sums = []
    with np.errstate(all="ignore"):
        with closing(_each(partial(_laplacian_sums, series), grid.places(0), means.threads)) as pairs:
            for done, pair in enumerate(pairs, 1):
                sums.append(pair)
                means.progress(done, grid.windows)
        # Rounded once. Across a reflected border the Laplacian sums to next to nothing: no digits cancel in what
        # the measures make of these.
        mean, square = (_sum(part) / (series.rows * series.columns) for part in zip(*sums, strict=True))
        by_moments = [MEASURES[m].by_moments for m in job.measures]
        values = tuple(float(f(mean, square)) for f in by_moments if f is not None)  # All are there: `whole` is empty.
    return Scored(series.columns, series.rows, tuple(v if math.isfinite(v) else math.nan for v in values))


def _sum(parts: tuple[float, ...]) -> float:
    return math.fsum(parts) if all(map(math.isfinite, parts)) else math.nan


def _laplacian_sums(series: Series, place: Place) -> tuple[float, float]:
    """Return the sums of a window's Laplacian and of its squares; those of 8 bits are exact."""
    top, bottom, rows = reach(place.top, place.bottom, 1, 1, series.rows, "reflect")
    left, right, columns = reach(place.left, place.right, 1, 1, series.columns, "reflect")
    image = series.to_grey(series.read(0, top, bottom, left, right))
    if image.dtype == np.uint8 and image.ndim == 2:
        return laplacian_sums(image, rows, columns)
    image = planes_of(image)
    with np.errstate(all="ignore"):
        response = np.asarray(apply(image, "laplacian", {})[rows, columns], np.float64)
        return float(response.sum()), float(np.vdot(response, response))


def whole(series: Series) -> Array:
    """Return a file's first image as a whole, in grey where the readers of whole files give that."""
    return series.to_grey(series.read(0, 0, series.rows, 0, series.columns))
