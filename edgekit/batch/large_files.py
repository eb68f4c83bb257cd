"""Which files are done window by window, and doing that to whole files."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgekit.batch.jobs.filtering import FilterJob
from edgekit.batch.jobs.render import PictureJob
from edgekit.batch.jobs.scoring import Scored, ScoreJob
from edgekit.batch.large import MORE, USUAL, Filtered, Means, Writer, filter_windows, result_bytes, score_windows, whole
from edgekit.batch.memory import free
from edgekit.common.read_limits import Limits
from edgekit.errors import EdgekitError, ParameterError
from edgekit.io.files import is_zarr
from edgekit.io.opening import has_windows, open_windows
from edgekit.io.stores import StorePath
from edgekit.io.windows import Series, Windows
from edgekit.io.writing import Draft, drafting, drafting_folder

#: Endings of files that are written window by window.
ENDINGS = (".tif", ".tiff", ".zarr")

#: Bytes that work on a whole image takes for each of its pixels, besides the file, the image and a copy of it.
WORKING = 8


def allowance() -> int:
    """Return how many bytes the work on one image may take: all that this process may, or half of what is free."""
    if sys.platform != "win32":
        import resource

        own = resource.getrlimit(resource.RLIMIT_DATA)[0]
        if own != resource.RLIM_INFINITY:
            return own
    return free() // 2


def needed(series: Series) -> int:
    """Return about how many bytes it takes to filter one image of a series as a whole."""
    return 3 * series.nbytes + WORKING * series.rows * series.columns


@contextmanager
def _opened(path: Path, limits: Limits) -> Iterator[tuple[Windows, bool] | None]:
    """Open a file if it can be read window by window, and tell whether its first image must be."""
    if not has_windows(path):
        yield None
        return
    most = allowance()
    try:
        source = open_windows(path)
    except EdgekitError:
        # What is smaller the readers of whole files may read, and else say what is wrong with it.
        if is_zarr(path) or path.stat().st_size > most:
            raise
        yield None
        return
    with source:
        first = source.series[0]
        yield source, needed(first) > most or first.rows * first.columns > limits.max_pixels


def filter_file(path: Path, job: PictureJob, output: Path, means: Means = USUAL) -> tuple[Filtered, Draft] | None:
    """Filter a file window by window if that is the way; None where it should be filtered as a whole.

    So are files that do not fit into memory, and those of several images that the output can hold all.

    Parameters
    ----------
    path, output : Path
        Input and output; what is made is a draft of the output.
    job : PictureJob
        What to do.
    means : Means
        What may be used.

    Raises
    ------
    ParameterError
        If the image is too large and the job or the output not made for that.
    EdgekitError
        If the file is damaged, or the output cannot be written.
    """
    with _opened(path, job.limits) as opened:
        if opened is None:
            return None
        source, large = opened
        able = isinstance(job, FilterJob) and output.suffix.lower() in ENDINGS and not isinstance(output, StorePath)
        series = source.series[0]
        several = len(source.series) > 1 or series.planes > 1 or series.apart
        if not (large or source.form == "Zarr" or output.suffix.lower() == ".zarr" or (able and several)):
            return None
        if not able:
            raise ParameterError(f"{path}: {_unable(source, job)}")
        with _writing(output, source, job) as (writer, made):
            return filter_windows(source, job, writer, means), made


def _unable(source: Windows, job: PictureJob) -> str:
    """Say why a file cannot be done window by window, and what to do."""
    series = source.series[0]
    size = f"{series.columns:,} x {series.rows:,} pixels"
    if isinstance(job, FilterJob):
        into = ", ".join(ENDINGS)
        return f"{size} are filtered window by window, into {into}; name such an output with -o, or take --format tif"
    if source.form == "Zarr":
        return f"{job.tag} looks at an image as a whole, and a Zarr is read by windows; write it as TIFF"
    need = f"{needed(series) / 2**30:.1f} GiB"
    return f"{job.tag} looks at an image as a whole, and {size} need {need}; reduce it, or {MORE}"


@contextmanager
def _writing(output: Path, source: Windows, job: PictureJob) -> Iterator[tuple[Writer, Draft]]:
    if output.suffix.lower() == ".zarr":
        from edgekit.io.zarr_windows import ZarrWriter

        with drafting_folder(output) as (folder, made):
            yield ZarrWriter(folder, source), made
        return
    from edgekit.io.tiff_windows import TiffWriter

    with drafting(output) as (file, made), TiffWriter(file, output, result_bytes(source, job), source) as tiff:
        yield tiff, made


def check_whole(path: Path, limits: Limits) -> None:
    """Raise if pictures of where an image is sharp cannot be drawn, because they need it as a whole.

    Raises
    ------
    ParameterError
        If it is too large, or a Zarr.
    """
    with _opened(path, limits) as opened:
        if opened is not None and (opened[1] or opened[0].form == "Zarr"):
            raise ParameterError(
                f"{path}: pictures of where it is sharp need an image as a whole, and not as a Zarr; leave out --map "
                f"and --report, or {MORE}"
            )


def score_file(path: Path, job: ScoreJob, means: Means = USUAL) -> Scored | None:
    """Measure a file window by window if that is the way; None where it should be measured as a whole.

    Parameters
    ----------
    path : Path
        The file.
    job : ScoreJob
        What to measure.
    means : Means
        What may be used.

    Raises
    ------
    ParameterError
        If the image is too large for a measure.
    EdgekitError
        If the file is damaged, or the region of interest lies outside.
    """
    with _opened(path, job.limits) as opened:
        if opened is None:
            return None
        source, large = opened
        if not (large or source.form == "Zarr"):
            return None
        if not large:
            return job.measure(whole(source.series[0]), str(path))
        return score_windows(source, job, str(path), means)
