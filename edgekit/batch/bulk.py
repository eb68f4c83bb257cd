"""Many files from Python: the same rows as those of the command line.

May import `io` and what is below it.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from typing import Any, Literal, TypeVar

from edgekit.batch.bulk_options import (
    Paths,
    angles,
    check_choices,
    check_counts,
    inputs_of,
    number_or_text,
    optional_number,
    region,
    text,
    texts,
)
from edgekit.batch.bulk_rows import Rows
from edgekit.batch.engines.choice import choose_engine
from edgekit.batch.jobs.filtering import FilterJob
from edgekit.batch.jobs.render import DEPTHS
from edgekit.batch.jobs.scoring import ScoreJob
from edgekit.batch.output_log import NAME, OutputLog
from edgekit.batch.outputs import assign
from edgekit.batch.progress import Progress, is_notebook, is_terminal
from edgekit.batch.rendering import COLUMNS, RenderWork
from edgekit.batch.results import Results
from edgekit.batch.rows import ScoreTable
from edgekit.batch.runner import Outcome, Status, Tally, run
from edgekit.batch.score_cache import ScoreCache
from edgekit.batch.scoring import score_sources, threshold_of
from edgekit.batch.sources import collect
from edgekit.batch.state_paths import find_logs, state_of_store
from edgekit.common.choices import JUDGED_AT, check_choice, check_flag
from edgekit.common.read_options import MAX_PIXELS, ReadOptions
from edgekit.display.rendering import MODES, Mode
from edgekit.errors import ParameterError
from edgekit.focus.blur_score import At
from edgekit.io.stores import StorePath, path_of
from edgekit.io.urls import is_url
from edgekit.operators.borders import BORDERS, Border
from edgekit.operators.filter_spec import (
    ANGLE_REFERENCES,
    CHANNELS,
    ROTATIONS,
    SCALES,
    TONES,
    AngleOf,
    Channel,
    Rotate,
    Scale,
    Tone,
)
from edgekit.operators.spacing import Spacing, pixel_spacing
from edgekit.operators.table import find

OutcomeT = TypeVar("OutcomeT", bound=Outcome)


def score_files(
    paths: Paths,
    *,
    measures: Sequence[str] = ("score",),
    threshold: float | Literal["auto", "relative"] | None = None,
    roi: tuple[int, int, int, int] | None = None,
    at: At = "view",
    page: int | None = None,
    every: int = 1,
    rate: float | None = None,
    recursive: bool = False,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    max_pixels: int = MAX_PIXELS,
    truncated: Literal["refuse", "keep"] = "refuse",
    background: str = "auto",
    raw: Literal["half", "full", "preview"] = "half",
    nodata: float | None = None,
    workers: int | None = None,
    timeout: float | None = None,
    memory: int | None = None,
    engine: Literal["local", "ray"] = "local",
    address: str | None = None,
    record: str | os.PathLike[str] | None = None,
    force: bool = False,
    progress: bool = True,
) -> Rows:
    """Measure how sharp many image files are: the rows of ``edgekit score``.

    Parameters
    ----------
    paths : path, or iterable of paths
        An image, a video, a folder, a glob or a URL; or the paths of files, such as a column of a table. The rows are
        in the order of the paths, those of a folder in the order of the names. A path that occurs again is left out.
    measures : sequence of str
        ``score``, or names in `edgekit.MEASURES`.
    threshold : float, {"auto", "relative"}, optional
        Images whose first measure is below it are blurred. ``auto``: the gap between two groups of scores.
        ``relative``: half the median. Default: 0.5 for ``score``, none for other measures.
    roi : (int, int, int, int), optional
        x, y, width and height of the part to measure, in pixels.
    at : {"view", "full"}
        Judge the score at viewing size, 1024 pixels on the longer side, or at full size.
    page : int, optional
        Read only this image of files with several, from 1 on.
    every : int
        Read every Nth frame of a video.
    rate : float, optional
        Read at most this number of frames per second of a video.
    recursive : bool
        Also read the folders inside a folder.
    include, exclude : sequence of str
        Patterns for the names of the files of a folder.
    max_pixels : int
        Refuse images with more pixels.
    truncated : {"refuse", "keep"}
        Refuse truncated files, or keep the part that can be decoded.
    background : str
        What transparent images are laid over: ``auto``, ``white``, ``black`` or a colour such as ``#8080ff``.
    raw : {"half", "full", "preview"}
        How raw photographs of cameras are read.
    nodata : float, optional
        The value of pixels that were not measured.
    workers : int, optional
        Images at a time. Default: one for each processor, at least 16 for URLs.
    timeout : float, optional
        Seconds for each image.
    memory : int, optional
        Bytes for each image (Linux only).
    engine : {"local", "ray"}
        This machine, or a Ray cluster.
    address : str, optional
        The address of the Ray cluster.
    record : path, optional
        A file that keeps each row as soon as it is measured. A run that was interrupted is resumed by the same call,
        and files that are unchanged are not measured again.
    force : bool
        Measure all images, also those in the record.
    progress : bool
        Show a progress bar in a terminal or a notebook.

    Returns
    -------
    Rows
        A sequence of dicts, which `Rows.to_pandas`, `Rows.to_arrow` and `Rows.to_polars` convert. A file that could
        not be read has a row with the status ``failed`` and the reason.

    Raises
    ------
    ParameterError
        If an option is invalid, or `paths` is neither a path nor paths.
    OutputError
        If the record cannot be used.
    MissingExtraError
        If Ray is not installed.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> ek.write_image("checkers.png", np.uint8(255 * (np.indices((64, 64)) // 8).sum(0) % 510))
    >>> rows = ek.score_files(["checkers.png", "none.png"], measures=["tenengrad"], progress=False)
    >>> [(row["path"], row["status"]) for row in rows]
    [('checkers.png', 'ok'), ('none.png', 'failed')]
    """
    inputs = inputs_of(paths)
    check_counts(page=page, every=every, workers=workers, memory=memory)
    check_choice("at", at, JUDGED_AT)
    for name, flag in (("recursive", recursive), ("force", force), ("progress", progress)):
        check_flag(name, flag)
    options = ReadOptions(max_pixels, truncated, background, raw, optional_number("nodata", nodata))
    speed, timeout = optional_number("rate", rate), optional_number("timeout", timeout)
    job = ScoreJob(texts("measures", measures), region(roi), 0 if every is None else every, speed, at, options)
    job.check()
    if not (isinstance(threshold, str) and threshold in ("auto", "relative")):
        threshold = optional_number("threshold", threshold)
    patterns: dict[str, Any] = {"include": texts("include", include), "exclude": texts("exclude", exclude)}
    state = None if record is None else path_of(record)
    state = state_of_store(state) if isinstance(state, StorePath) else state
    with ExitStack() as opened:
        bar = opened.enter_context(_bar(progress))
        results = opened.enter_context(Results((), find_logs))
        found = collect(inputs, recursive=recursive, videos=True, results=results, on_read=bar.listed, **patterns)
        chosen, items = choose_engine(
            found.sources, engine=engine, address=address, workers=workers, timeout=timeout, memory=memory,
            has_urls=any(map(is_url, inputs)),
        )  # fmt: skip
        cache = opened.enter_context(ScoreCache(state, job.key))
        rows = list(_watched(score_sources(items, job, cache, chosen, force=force, page=page), bar))
        level = threshold_of(threshold, job, cache)
    table = ScoreTable(job.columns, level.value, any(row.time is not None for row in rows))
    return Rows(table.columns, map(table.record, rows), level.value)


def filter_files(
    paths: Paths,
    output: str | os.PathLike[str],
    *,
    operator: str = "sobel",
    angle: float | Sequence[float] | None = None,
    size: int | None = None,
    sigma: float | None = None,
    sigma2: float | None = None,
    stencil: Literal[4, 8, "isotropic"] | None = None,
    angle_of: AngleOf = "gradient",
    rotate: Rotate = "steer",
    scale: Scale = "unit",
    spacing: Spacing | Literal["auto"] = 1.0,
    border: Border = "reflect",
    channel: Channel = "luminance",
    tone: Tone = "linear",
    display: Mode = "full",
    white: float | str | None = None,
    overlay: bool = False,
    depth: Literal["8", "16", "float"] = "8",
    format: Literal["png", "jpg", "tif", "webp", "npy"] | None = None,
    page: int | None = None,
    recursive: bool = False,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    max_pixels: int = MAX_PIXELS,
    truncated: Literal["refuse", "keep"] = "refuse",
    background: str = "auto",
    raw: Literal["half", "full", "preview"] = "half",
    nodata: float | None = None,
    workers: int | None = None,
    timeout: float | None = None,
    memory: int | None = None,
    engine: Literal["local", "ray"] = "local",
    address: str | None = None,
    force: bool = False,
    progress: bool = True,
) -> Rows:
    """Filter many image files into a folder, as ``edgekit sobel FOLDER -o OUTPUT`` and the other commands do.

    A run that was interrupted is resumed by the same call: results that are up to date are not computed again.

    Parameters
    ----------
    paths : path, or iterable of paths
        As for `edgekit.score_files`, without videos.
    output : path
        The folder for the results, which mirrors the tree of the inputs; or its URL.
    operator : str
        A name such as ``sobel`` or ``laplacian``; see ``edgekit kernels``.
    angle : float or sequence of float, optional
        Direction of the gradient in degrees; several give several results. Default: the magnitude.
    size, sigma, sigma2, stencil : optional
        Parameters of the operator, as for its function, such as `edgekit.sobel`.
    angle_of, rotate, scale, spacing, border, channel, tone : optional
        As for `edgekit.sobel`. With ``spacing="auto"`` it is the size of a pixel that the file states.
    display : {"full", "stretch", "signed"}
        How the response is shown; see `edgekit.to_display`.
    white : float or str, optional
        The response that is shown white, or a percentage of the response to an ideal step, such as ``"50%"``.
    overlay : bool
        Draw the response in colour over the image.
    depth : {"8", "16", "float"}
        Bits of the results; ``float`` keeps the signed response unchanged.
    format : {"png", "jpg", "tif", "webp", "npy"}, optional
        File format. Default: png, or tif with depth ``float``.
    page : int, optional
        Read only this image of files with several, from 1 on.
    recursive : bool
        Also read the folders inside a folder.
    include, exclude : sequence of str
        Patterns for the names of the files of a folder.
    max_pixels, truncated, background, raw, nodata : optional
        As for `edgekit.score_files`.
    workers, timeout, memory, engine, address : optional
        As for `edgekit.score_files`.
    force : bool
        Compute results again that are up to date, and replace files that edgekit did not write.
    progress : bool
        Show a progress bar in a terminal or a notebook.

    Returns
    -------
    Rows
        A dict for each result: input, output, status, reason and so on.

    Raises
    ------
    ParameterError
        If an option is invalid, or two results would have one name.
    OutputError
        If another run writes to the folder.
    MissingExtraError
        If Ray is not installed.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> ek.write_image("checkers.png", np.uint8(255 * (np.indices((64, 64)) // 8).sum(0) % 510))
    >>> rows = ek.filter_files("checkers.png", "edges", operator="scharr", angle=45, progress=False)
    >>> rows[0]["output"], rows[0]["status"]
    ('edges/checkers.scharr-45.png', 'done')
    """
    inputs, root = inputs_of(paths), path_of(output)
    check_counts(page=page, workers=workers, memory=memory)
    for name, flag in (("overlay", overlay), ("recursive", recursive), ("force", force), ("progress", progress)):
        check_flag(name, flag)
    check_choices(
        angle_of=(angle_of, ANGLE_REFERENCES), rotate=(rotate, ROTATIONS), scale=(scale, SCALES),
        border=(border, BORDERS), channel=(channel, CHANNELS), tone=(tone, TONES), display=(display, MODES),
        depth=(depth, DEPTHS),
    )  # fmt: skip
    spacing = "auto" if isinstance(spacing, str) and spacing == "auto" else pixel_spacing(spacing)
    white = number_or_text("white", white, "a number, or a percentage such as '50%'")
    options = ReadOptions(max_pixels, truncated, background, raw, optional_number("nodata", nodata))
    timeout = optional_number("timeout", timeout)
    given = {"size": size, "sigma": sigma, "sigma2": sigma2, "stencil": stencil}
    ending = format if format is not None else "tif" if depth == "float" else "png"
    check_choice("format", ending, ("png", "jpg", "tif", "webp", "npy"))
    shared: dict[str, Any] = {
        "angle_of": angle_of, "rotate": rotate, "scale": scale, "spacing": spacing, "border": border,
        "channel": channel, "tone": tone, "display": display, "white": white, "overlay": overlay, "depth": depth,
    }  # fmt: skip
    parameters = tuple(
        (name, number_or_text(name, value, "a number")) for name, value in given.items() if value is not None
    )
    known = find(text("operator", operator)).parameters
    for name, _ in parameters:
        if name not in known:
            raise ParameterError(f"operator {operator} does not take {name}; it takes {', '.join(known) or 'none'}")
    shared |= {"ending": f".{ending}", "read_options": options}
    jobs = [FilterJob(operator, parameters, angle=one, **shared) for one in angles(angle)]
    for job in jobs:
        job.check()
    patterns: dict[str, Any] = {"include": texts("include", include), "exclude": texts("exclude", exclude)}
    state = state_of_store(root) if isinstance(root, StorePath) else root / NAME
    with ExitStack() as opened:
        bar = opened.enter_context(_bar(progress))
        log = opened.enter_context(OutputLog(state, alone=True))
        results = opened.enter_context(Results([log], find_logs))
        found = collect(inputs, recursive=recursive, results=results, on_read=bar.listed, **patterns)
        items = assign(found, jobs, str(root), root, page)
        bar.listed(len(items), complete=True)
        chosen, _ = choose_engine(
            items, engine=engine, address=address, workers=workers, timeout=timeout, memory=memory,
            max_workers=len(items) or 1, has_urls=any(map(is_url, (*inputs, str(output)))),
        )  # fmt: skip
        work = RenderWork(log, (source.path for source in found.sources), force=force)
        return Rows(COLUMNS, [outcome.record() for outcome in _watched(run(work, items, chosen), bar)])


def _bar(progress: bool) -> "closing[Progress]":
    """Return a progress bar that is closed at the end of a ``with`` block."""
    return closing(Progress(shown=progress and (is_terminal() or is_notebook())))


def _watched(outcomes: Iterable[OutcomeT], bar: Progress) -> Iterator[OutcomeT]:
    """Yield outcomes, and show their counts in the bar."""
    tally = Tally()
    for outcome in outcomes:
        tally.add(outcome)
        bar.advance(failed=tally.failed, undefined=tally.counts[Status.UNDEFINED])
        yield outcome
