"""Filters images that need not fit in memory, window by window.

May import `io` and what is below it.
"""

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from functools import partial
from itertools import chain
from typing import Any, NamedTuple, NoReturn, Protocol, TypeVar

import numpy as np

from edgekit.backends.choice import load
from edgekit.backends.interface import Array
from edgekit.batch.engines import heartbeat
from edgekit.batch.engines.local import Threads
from edgekit.batch.jobs.filtering import FilterJob
from edgekit.batch.jobs.render import RenderedFile, RenderJob
from edgekit.batch.window_grid import WINDOW_PIXELS, Window, add_halo, grid_for
from edgekit.display.overlays import overlay
from edgekit.display.rendering import largest, to_display
from edgekit.display.value_range import Count, Range, filtered_values, passes, percentiles
from edgekit.errors import ParameterError
from edgekit.filters.apply import specification
from edgekit.filters.inputs import from_numpy_image, to_numpy_image
from edgekit.io.pixels import with_nodata
from edgekit.io.windows import Series, Windows

R = TypeVar("R")

#: What to do about an image that is too large.
ALLOW_MORE = "allow more with --memory and --max-pixels"


def ignore_progress(done: int, total: int) -> None:
    """Do nothing after a window."""


class WindowOptions(NamedTuple):
    """How an image is processed window by window.

    Attributes
    ----------
    threads : int
        Windows at a time.
    on_window : callable
        Called after each window with the number of windows that are done and of all.
    """

    threads: int = 1
    on_window: Callable[[int, int], object] = ignore_progress


ONE_THREAD = WindowOptions()


class Writer(Protocol):
    """Writes series of images; see `edgekit.io.tiff_writer.TiffWriter`."""

    @staticmethod
    def tile(series: Series) -> tuple[int, int]:
        """Return rows and columns of the tiles of a series' results."""

    def pack(self, series: Series, window: Array) -> Any:
        """Pack a window of a series' results. May be called from several threads."""

    def write(
        self,
        series: Series,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        windows: Iterable[tuple[Window, Any]],
        offset: tuple[int, int] = (0, 0),
    ) -> None:
        """Write a series' results, of one shape (rows, columns[, channels])."""


def filter_windows(
    source: Windows,
    job: RenderJob,
    writer: Writer,
    options: WindowOptions = ONE_THREAD,
    window_pixels: int | None = None,
) -> RenderedFile:
    """Filter all images of a file, in memory that does not grow with their size.

    The result is the same as for whole images.

    Parameters
    ----------
    source : Windows
        The file.
    job : RenderJob
        What to do.
    writer : Writer
        Writes the results.
    options : WindowOptions
        Threads and progress.
    window_pixels : int, optional
        Approximate number of pixels of a window. Default: `WINDOW_PIXELS`.

    Raises
    ------
    ParameterError
        If the job needs whole images.
    EdgekitError
        If the file is damaged, or the job does not fit its images.
    """
    filters = [_SeriesFilter(one, job, writer.tile(one), window_pixels or WINDOW_PIXELS) for one in source.series]
    total, done, clipped = sum(f.windows for f in filters), 0, 0

    def each(function: Callable[[Window], Any], windows: Iterable[Window]) -> Generator[Any, None, None]:
        nonlocal done
        with closing(map_windows(function, windows, options.threads)) as results:
            for result in results:
                done += 1
                options.on_window(done, total)
                yield result

    def counted(filtered: _Filtered) -> tuple[Window, Any]:
        nonlocal clipped
        clipped += filtered.clipped
        return filtered.window, filtered.packed

    levels = []
    for one in filters:
        levels.append(one.levels(each))
        windows = chain.from_iterable(map(one.grid.windows, range(one.series.planes)))
        with closing(each(partial(one.filter, levels=levels[-1], writer=writer), windows)) as results:
            # The first window decides the type and the channels of the result.
            first = next(results)
            shape = one.grid.rows, one.grid.columns, *first.channels
            writer.write(one.series, shape, first.dtype, map(counted, chain([first], results)), one.offset)
    series = filters[0].series
    # There is no note about truncated files, since they are not filtered window by window.
    return RenderedFile(series.rows, series.columns, clipped, levels[0][0].white, series.note)


class _Filtered(NamedTuple):
    """A filtered window, packed."""

    window: Window
    packed: Any
    channels: tuple[int, ...]
    dtype: np.dtype[Any]
    clipped: int


class _Levels(NamedTuple):
    """How an image is shown: the response that is white, and the value range of the image below an overlay."""

    white: float | None = None
    base: Range | None = None


def result_bytes(source: Windows, job: RenderJob) -> int:
    """Return the approximate number of bytes of all results' pixels, not fewer."""
    return sum(_result_bytes(one, job) for one in source.series)


def _result_bytes(series: Series, job: RenderJob) -> int:
    channels = max(3 if job.overlay else 1, series.channels or 1)
    wide = (series.dtype.kind in "iu" and series.dtype.itemsize > 2) or series.dtype == np.float64
    size = {"8": 1, "16": 2, "float": 8 if wide else 4}[job.depth]
    return series.planes * series.rows * series.columns * channels * size


def map_windows(function: Callable[[Window], R], windows: Iterable[Window], threads: int) -> Generator[R, None, None]:
    """Yield the results of a function in the order of the windows.

    Must be closed, so that no thread reads a file that is closed already.
    """

    def give_up(window: Window, reason: str) -> NoReturn:
        raise MemoryError(reason)

    beat = heartbeat.get()
    with closing(Threads(threads).run(function, windows, give_up)) as results:
        for result in results:
            beat()
            yield result


#: Applies a function to windows and yields the results.
_Map = Callable[[Callable[[Window], Any], Iterable[Window]], Iterator[Any]]


class _SeriesFilter:
    """Filters one series of images of a file, window by window."""

    def __init__(self, series: Series, job: RenderJob, file_tile: tuple[int, int], window_pixels: int) -> None:
        if not isinstance(job, FilterJob):
            raise ParameterError(f"{job.tag} needs the whole image in memory, and cannot be done window by window")
        job = job.placed(series.spacing)
        self.series, self._job = series, job
        options = job.options
        self._spec = specification(job.row, dict(job.parameters), options.pop("angle"), options)
        rows, columns = series.rows, series.columns
        if job.border == "valid":
            # If nothing remains, the filter raises the error.
            rows, columns = (max(1, n - k + 1) for n, k in zip((rows, columns), self._spec.shape, strict=True))
        self.grid = grid_for(rows, columns, file_tile, window_pixels // (series.channels or 1))
        self._input_grid = grid_for(series.rows, series.columns, file_tile, window_pixels // (series.channels or 1))
        rendered = job.depth != "float"
        self._stretched = rendered and job.display == "stretch"
        needs_range = rendered and not self._stretched and (job.white is None or isinstance(job.white, str))
        extra = () if series.channels is None else (series.channels,)
        sample = self._as_decoded(np.zeros((1, 1, *extra), series.dtype))
        mixed = not series.separate_channels and filtered_values(sample, job.channel) is not sample
        self._channel = job.channel if mixed else "each"
        # The range is known for 8 bits, and if the file states it.
        known = series.stated_range is not None or series.dtype.itemsize == 1
        needed = {self._channel: needs_range, "each": job.overlay or (needs_range and not mixed)}
        self._types = (
            {} if known else {c: filtered_values(sample, c).dtype for c, is_needed in needed.items() if is_needed}
        )

    @property
    def offset(self) -> tuple[int, int]:
        """Columns and rows by which the results begin later than the images."""
        return self._job.offset

    @property
    def windows(self) -> int:
        """Number of windows that are processed, each counted as often as it is read."""
        for_ranges = self._input_grid.window_count * sum(map(passes, self._types.values()))
        return self.series.planes * (for_ranges + self.grid.window_count * (1 + self._stretched))

    def levels(self, each: _Map) -> list[_Levels]:
        """Return how each image is shown. This may need one or more passes over all windows."""
        return [self._levels(plane, each) for plane in range(self.series.planes)]

    def _levels(self, plane: int, each: _Map) -> _Levels:
        job, series = self._job, self.series
        ranges = {channel: self._range(plane, channel, each) for channel in self._types}
        white = None
        if self._stretched:
            white = max(each(self._largest, self.grid.windows(plane))) or 1.0
        elif job.depth != "float":
            # Without a range, that of 8 bits is used.
            white = job.white_level(np.zeros((1, 1), series.dtype), ranges.get(self._channel, series.stated_range))
        return _Levels(white, ranges.get("each", series.stated_range))

    def _range(self, plane: int, channel: str, each: _Map) -> Range:
        def total(count: Count) -> Any:
            return sum(each(partial(self._count, channel=channel, count=count), self._input_grid.windows(plane)))

        return percentiles(self._types[channel], total)

    def _count(self, window: Window, channel: str, count: Count) -> Any:
        image = self._read(window.plane, window.top, window.bottom, window.left, window.right)
        return count(filtered_values(image, channel))

    def filter(self, window: Window, levels: list[_Levels], writer: Writer) -> _Filtered:
        """Return a window of the result, packed."""
        array, clipped = self._show(window, levels[window.plane])
        array = with_nodata(array, self.series.nodata)
        return _Filtered(window, writer.pack(self.series, array), array.shape[2:], array.dtype, clipped)

    def _show(self, window: Window, levels: _Levels) -> tuple[Array, int]:
        """Return a window of the result, and the number of clipped values."""
        image, response = self._respond(window)
        if levels.white is None:
            shown, clipped = response, 0
        else:
            mode = "full" if self._stretched else self._job.display
            shown, clipped = to_display(response, mode, depth=self._job.bits, white=levels.white)
        if self._job.overlay:
            shown = overlay(image, shown, in_range=levels.base)
        # File formats have no half precision.
        return shown.astype(np.float32) if shown.dtype == np.float16 else shown, clipped

    def _largest(self, window: Window) -> float:
        return largest(self._respond(window)[1].reshape(-1))

    def _respond(self, window: Window) -> tuple[Array, Array]:
        """Return a window of the image, and the response to it."""
        series, border = self.series, self._job.border
        above, below, before, after = self._spec.halo
        top, bottom, rows = add_halo(window.top, window.bottom, above, below, series.rows, border)
        left, right, columns = add_halo(window.left, window.right, before, after, series.columns, border)
        image = self._read(window.plane, top, bottom, left, right)
        if series.separate_channels:
            response = np.stack([self._filter(image[..., c])[rows, columns] for c in range(image.shape[2])], axis=-1)
        else:
            response = self._filter(image)[rows, columns]
        return image[rows, columns], response

    def _read(self, plane: int, top: int, bottom: int, left: int, right: int) -> Array:
        return self._as_decoded(self.series.read(plane, top, bottom, left, right))

    def _as_decoded(self, image: Array) -> Array:
        """Return a window of the file with the channels that the decoder of whole files gives."""
        if self.series.colour and self._job.decodes_to_gray:
            return self.series.to_gray(image)
        return image[:, :, :3] if self.series.colour and not self._job.uses_bands else image

    def _filter(self, image: Array) -> Array:
        job = self._job
        backend = load(job.backend, job.device)
        pixels = from_numpy_image(np.ascontiguousarray(image), backend, job.device)
        return to_numpy_image(job.respond(pixels), backend)
