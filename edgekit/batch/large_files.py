"""Decides which files are processed window by window, by the memory that is free, and processes them.

May import `io` and what is below it.
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from edgekit.batch.jobs.filtering import FilterJob
from edgekit.batch.jobs.render import RenderedFile, RenderJob
from edgekit.batch.large import (
    ALLOW_MORE,
    ONE_THREAD,
    WindowOptions,
    Writer,
    filter_windows,
    result_bytes,
)
from edgekit.common.read_options import ReadOptions
from edgekit.errors import EdgekitError, ParameterError
from edgekit.io.files import is_zarr
from edgekit.io.opening import WINDOW_ENDINGS, has_windows, open_windows
from edgekit.io.stores import StorePath
from edgekit.io.windows import Series, Windows
from edgekit.io.writing import Draft, open_draft, open_draft_folder

#: Bytes for each pixel that are needed to filter a whole image, besides the file, the image and a copy of it.
WORKING = 8

#: Root of the system's files; tests use another.
SYSTEM = Path("/")


def filter_file(
    path: Path, job: RenderJob, output: Path, options: WindowOptions = ONE_THREAD
) -> tuple[RenderedFile, Draft] | None:
    """Filter a file window by window if necessary; None if it should be filtered as a whole.

    It is necessary if the file does not fit in memory, and if the output can hold its several images, or the metadata
    of OME or ImageJ.

    Parameters
    ----------
    path, output : Path
        Input and output; the result is a draft of the output.
    job : RenderJob
        What to do.
    options : WindowOptions
        Threads and progress.

    Raises
    ------
    ParameterError
        If the image is too large, and the job or the output cannot be processed window by window.
    EdgekitError
        If the file is damaged, or the output cannot be written.
    """
    with opened_windows(path, job.read_options) as opened:
        if opened is None:
            return None
        source, large = opened
        able = (
            isinstance(job, FilterJob) and output.suffix.lower() in WINDOW_ENDINGS and not isinstance(output, StorePath)
        )
        series = source.series[0]
        several = len(source.series) > 1 or series.planes > 1 or series.separate_channels
        kept = able and (several or source.attributes)
        if not (large or source.format == "Zarr" or output.suffix.lower() == ".zarr" or kept):
            return None
        if not able:
            raise ParameterError(f"{path}: {_why_unable(source, job)}")
        with _writing(output, source, job) as (writer, made):
            return filter_windows(source, job, writer, options), made


@contextmanager
def opened_windows(path: Path, read_options: ReadOptions) -> Iterator[tuple[Windows, bool] | None]:
    """Open a file if it can be read window by window, and tell whether its first image is too large for memory."""
    if not has_windows(path):
        yield None
        return
    available = allowance()
    try:
        source = open_windows(path, read_options)
    except EdgekitError:
        # The decoders of whole files may read a small file, or say what is wrong with it.
        if is_zarr(path) or path.stat().st_size > available:
            raise
        yield None
        return
    with source:
        first = source.series[0]
        yield source, needed(first) > available or first.rows * first.columns > read_options.max_pixels


def _why_unable(source: Windows, job: RenderJob) -> str:
    """Return why a file cannot be processed window by window, and what to do."""
    series = source.series[0]
    size = f"{series.columns:,} x {series.rows:,} pixels"
    if isinstance(job, FilterJob):
        formats = ", ".join(WINDOW_ENDINGS)
        return (
            f"{size} are filtered window by window, and written as {formats}; choose such an output with -o, or use "
            "--format tif"
        )
    if source.format == "Zarr":
        return f"{job.tag} needs the whole image in memory, and a Zarr is read window by window; convert it to TIFF"
    need = f"{needed(series) / 2**30:.1f} GiB"
    return f"{job.tag} needs the whole image in memory, and {size} need {need}; reduce the image, or {ALLOW_MORE}"


@contextmanager
def _writing(output: Path, source: Windows, job: RenderJob) -> Iterator[tuple[Writer, Draft]]:
    if output.suffix.lower() == ".zarr":
        from edgekit.io.zarr_windows import ZarrWriter

        with open_draft_folder(output) as (folder, made):
            yield ZarrWriter(folder, source), made
        return
    from edgekit.io.tiff_writer import TiffWriter

    with open_draft(output) as (file, made), TiffWriter(file, output, result_bytes(source, job), source) as tiff:
        yield tiff, made


def allowance() -> int:
    """Return the bytes that one image may need: the limit of this process, or half of the free memory."""
    if sys.platform != "win32":
        import resource

        limit = resource.getrlimit(resource.RLIMIT_DATA)[0]
        if limit != resource.RLIM_INFINITY:
            return limit
    return free_memory() // 2


def needed(series: Series) -> int:
    """Return the approximate number of bytes that are needed to filter one image of a series as a whole."""
    return 3 * series.nbytes + WORKING * series.rows * series.columns


def free_memory(system: Path = SYSTEM) -> int:
    """Return the bytes that this process can get: the free memory of the machine, or of its container if less."""
    return min([_machine_memory(system), *_control_group_memory(system)])


def _machine_memory(system: Path) -> int:
    meminfo = system / "proc/meminfo"
    if meminfo.exists():
        return _read_table(meminfo)["MemAvailable:"] * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 2**32


class _GroupFiles(NamedTuple):
    """The files of a control group that describe its memory, and the entry of its ``memory.stat``."""

    limit: str
    used: str
    cache: str


_VERSION_1 = _GroupFiles("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
_VERSION_2 = _GroupFiles("memory.max", "memory.current", "inactive_file")


def _control_group_memory(system: Path) -> Iterator[int]:
    """Yield the free bytes of each control group of this process, from the innermost on.

    The used memory of a group includes the file cache. The inactive part of the cache is returned when memory is short,
    and counts as free, as in ``docker stats`` and Kubernetes.
    """
    groups = system / "proc/self/cgroup"
    for line in groups.read_text(encoding="utf-8").splitlines() if groups.exists() else ():
        _, controllers, path = line.split(":", 2)
        root, names = system / "sys/fs/cgroup", _VERSION_2
        if controllers:
            root, names = root / "memory", _VERSION_1
            if "memory" not in controllers.split(","):
                continue
        # In a container the path may be the one outside of it. Then only the root exists, which is the container's.
        inner = root / path.lstrip("/")
        for group in (inner, *inner.parents):
            # A group without a limit has the text "max", or no such file.
            with contextlib.suppress(OSError, ValueError):
                limit, used = (int((group / name).read_text(encoding="ascii")) for name in (names.limit, names.used))
                cache = _read_table(group / "memory.stat").get(names.cache, 0)
                yield max(0, limit - (used - cache))
            if group == root:
                break


def _read_table(path: Path) -> dict[str, int]:
    """Return the content of a file whose lines begin with a name and a number."""
    return {name: int(value) for name, value, *_ in map(str.split, path.read_text(encoding="ascii").splitlines())}
