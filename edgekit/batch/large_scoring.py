"""Measures images that need not fit in memory, window by window. May import `io` and what is below it."""

import math
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from edgekit.backends.interface import Array
from edgekit.batch.jobs.scoring import Scored, ScoreJob
from edgekit.batch.large import ALLOW_MORE, ONE_THREAD, WindowOptions, map_windows
from edgekit.batch.large_files import opened_windows
from edgekit.batch.window_grid import WINDOW_PIXELS, Window, add_halo, grid_for
from edgekit.common.choices import SCORE
from edgekit.common.read_options import ReadOptions
from edgekit.errors import ParameterError
from edgekit.focus.measures import maps_of, value_of
from edgekit.focus.moments import Map
from edgekit.focus.windowed import Found, halo_of, merged_windows, moments_of_window
from edgekit.io.windows import Series, Windows


def score_file(path: Path, job: ScoreJob, options: WindowOptions = ONE_THREAD) -> Scored | None:
    """Measure a file window by window if necessary; None if it should be measured as a whole.

    Parameters
    ----------
    path : Path
        The file.
    job : ScoreJob
        What to measure.
    options : WindowOptions
        Threads and progress.

    Raises
    ------
    ParameterError
        If the image is too large for a measure.
    EdgekitError
        If the file is damaged, or the region of interest is outside the image.
    """
    with opened_windows(path, job.read_options) as opened:
        if opened is None:
            return None
        source, large = opened
        if not (large or source.format == "Zarr"):
            return None
        if not large:
            return job.measure(_whole(source.series[0]), str(path))
        return score_windows(source, job, str(path), options)


def check_whole(path: Path, read_options: ReadOptions) -> None:
    """Raise if sharpness maps and thumbnails of a file cannot be made, because they need the whole image.

    Raises
    ------
    ParameterError
        If it is too large, or a Zarr.
    """
    with opened_windows(path, read_options) as opened:
        if opened is not None and (opened[1] or opened[0].format == "Zarr"):
            raise ParameterError(
                f"{path}: --map and --report need the whole image in memory, and cannot read a Zarr; leave them out, "
                f"or {ALLOW_MORE}"
            )


def score_windows(
    source: Windows,
    job: ScoreJob,
    name: str,
    options: WindowOptions = ONE_THREAD,
    window_pixels: int | None = None,
) -> Scored:
    """Measure the first image of a file, in memory that does not grow with its size.

    Parameters
    ----------
    source : Windows
        The file.
    job : ScoreJob
        What to measure. A region of interest is read as a whole, so that all measures are possible.
    name : str
        Name of the file in messages.
    options, window_pixels
        As for `filter_windows`.

    Raises
    ------
    ParameterError
        If a measure needs the whole image.
    EdgekitError
        If the file is damaged, or the region is outside the image.
    """
    series = source.series[0]
    if job.roi is not None:
        x, y, w, h = job.roi
        job.check_region(series.rows, series.columns, name)
        scored = replace(job, roi=None).measure(series.to_gray(series.read(0, y, y + h, x, x + w)), name)
        reason = "; ".join(filter(None, (scored.reason, series.note)))
        return scored._replace(width=series.columns, height=series.rows, reason=reason)
    if SCORE in job.measures:
        raise ParameterError(
            f"{name}: the score needs the whole image in memory, and it is too large for that; choose other measures "
            f"with --measure, score a part of it with --roi, or {ALLOW_MORE}"
        )
    pixels = (window_pixels or WINDOW_PIXELS) // (series.channels or 1)
    grid = grid_for(series.rows, series.columns, series.layout.tile, pixels)
    found = []
    with closing(
        map_windows(partial(_moments, series, maps_of(job.measures)), grid.windows(0), options.threads)
    ) as results:
        for done, result in enumerate(results, 1):
            found.append(result)
            options.on_window(done, grid.window_count)
    with np.errstate(all="ignore"):
        whole = merged_windows(found)
        values = [float(value_of(name, whole)) for name in job.measures]
    values = [value if math.isfinite(value) else math.nan for value in values]
    return Scored(series.columns, series.rows, tuple(values), len(values), series.note)


def _moments(series: Series, maps: Sequence[Map], window: Window) -> Found:
    vertical, horizontal = halo_of(maps, window.top), halo_of(maps, window.left)
    top, bottom, rows = add_halo(window.top, window.bottom, *vertical, series.rows, "reflect")
    left, right, columns = add_halo(window.left, window.right, *horizontal, series.columns, "reflect")
    image = series.to_gray(series.read(0, top, bottom, left, right))
    with np.errstate(all="ignore"):
        return moments_of_window(image, rows, columns, maps)


def _whole(series: Series) -> Array:
    """Return the first image of a series, in gray if the decoders of whole files return gray."""
    return series.to_gray(series.read(0, 0, series.rows, 0, series.columns))
