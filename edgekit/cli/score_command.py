"""``edgekit score``: how sharp images are, one row for each."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekit.cli.help_pages import MESSAGES, command
from edgekit.cli.options import BATCH, ENGINE, FILES, OUTPUT, READING, SORT, inputs_argument, options
from edgekit.cli.terminal import complain, name_file

if TYPE_CHECKING:
    from edgekit.batch.image_makers import ImageMaker
    from edgekit.batch.jobs.scoring import ScoreJob
    from edgekit.batch.output_log import OutputLog
    from edgekit.batch.rows import ScoreTable
    from edgekit.batch.score_cache import Row, ScoreCache
    from edgekit.batch.sorting import Rule
    from edgekit.batch.sources import Source
    from edgekit.cli.output import RunOutput
    from edgekit.focus.blur_threshold import Threshold
    from edgekit.report.review import Review


_GROUPS = {
    "Input and output": ("output", *FILES, "page", "force", "map", "report"),
    "Sorting": (*SORT, "dry_run", "paths", "null"),
    "Measurement": ("measure", "at", "roi", "every", "rate", "start", "end", "burst"),
    "Evaluation": ("threshold", "fail_below", "fail_blurred", "top", "bottom"),
    "Reading": READING,
    "Batch": BATCH,
    MESSAGES: OUTPUT,
    "Engine": ENGINE,
}


@command(
    "score", "Measure how sharp images are.",
    "edgekit score photos/",
    "edgekit score photos/ -r --threshold auto -o scores.csv",
    "edgekit score photos/ --move-blurred blurred/ --dry-run",
    "edgekit score video.mp4 --fps 2 --top 10",
)  # fmt: skip
@inputs_argument()
@options("score", _GROUPS)
def score(inputs: tuple[str, ...], **values: Any) -> int:
    """Measure how sharp images are: 0 is blurred, 1 is sharp.

    INPUT is an image, a folder, a glob in quotes, a URL, or a video, which has one row for each frame.

    Without -o the command prints a table, the sharpest image first. With -o it writes one row for each image, sorted
    by path. With --report it writes a web page. With an option such as --move-blurred it sorts the images into folders;
    edgekit undo puts them back. An interrupted run is resumed when the same command runs again.
    """
    from edgekit.batch.bursts import group_numbers
    from edgekit.batch.jobs.scoring import ScoreJob
    from edgekit.batch.progress import Ahead
    from edgekit.batch.rows import ScoreTable, sink_of
    from edgekit.batch.runner import BELOW_MINIMUM, FAILED
    from edgekit.batch.score_cache import ScoreCache
    from edgekit.batch.scoring import threshold_of
    from edgekit.batch.sorting import judged_sources, verdicts
    from edgekit.batch.sources import find
    from edgekit.cli.output import RunOutput, no_images, skipped_counts
    from edgekit.cli.score_summary import below_minimum, describe_scores, score_counts, suggest_next
    from edgekit.cli.sorting import Sorter, check_folders, rules_of
    from edgekit.cli.state_paths import open_results
    from edgekit.common.read_options import ReadOptions
    from edgekit.io.stores import path_of

    if values["top"] is not None and values["bottom"] is not None:
        raise click.UsageError("--top and --bottom exclude each other.")
    output = None if values["output"] is None else path_of(values["output"])
    sink = None if values["output"] is None else sink_of(values["output"])
    read_options = ReadOptions(**{k: values[k] for k in READING})
    job = ScoreJob(
        values["measures"] or ("score",), values["roi"], values["every"], values["rate"], values["at"], read_options,
        values["start"], values["end"], fingerprints="none" if values["burst"] is None else "detail",
    )  # fmt: skip
    job.check()
    rules = rules_of(values)
    _check_local(inputs, values, rules)
    check_folders(inputs, rules)
    _check_verdicts(values, job, rules)
    report = None if values["report"] is None else Path(values["report"])
    keep = [*filter(None, [report]), *(rule.folder for rule in rules if not values["dry_run"])]
    cache_path = _cache_path(output, keep[0] if keep else None, force=values["force"])
    shown = RunOutput(minimum=values["fail_below"], quiet=values["quiet"])
    chosen = {k: values[k] for k in ("recursive", "include", "exclude")}
    not_images = 0

    def skip(_: Path) -> None:
        nonlocal not_images
        not_images += 1

    with ExitStack() as opened:
        try:
            # A missing library for the page is reported before anything is written.
            review = None if report is None else opened.enter_context(_review(report, force=values["force"]))
            sorter = opened.enter_context(Sorter(rules, values))
            cache = opened.enter_context(ScoreCache(cache_path, job.key))
            makers, logs = _image_makers(values["map"], review, opened)
            targets = [rule.folder for rule in rules]
            results = opened.enter_context(open_results(logs, targets=targets, quiet=values["quiet"]))
            sources = find(inputs, skip, videos=all(maker.takes_frames for maker in makers), results=results, **chosen)
            # Rows of files that an interrupted run has moved are rows of this run.
            for one in sorter.resume():
                for row in cache.reuse(one.path, one.size, one.mtime, frame="all"):
                    shown.add(row, score=row.score)
            by_path: dict[str, Source] = {}
            listed = opened.enter_context(closing(Ahead((source for _, source in sources), shown.progress.listed)))
            kept = (by_path.setdefault(str(source.path), source) if rules else source for source in listed)
            with shown:
                has_frames = _score(kept, inputs, values, job, cache, makers, shown)
            threshold = threshold_of(values["threshold"], job, cache)
            groups = None if values["burst"] is None else group_numbers(cache.rows(), values["burst"], job.measures[0])
            table = ScoreTable(job.columns, threshold.value, has_frames, groups)
            if sink is not None:
                sink(table.columns, map(table.record, cache.rows()))
            if review is not None:
                review.write(cache, job.columns, threshold, groups or {})
            _print(table, cache, values, review)
        except KeyboardInterrupt:
            shown.summarize(score_counts(shown.tally), (), none="nothing scored")
            raise
        skipped = skipped_counts(not_images, results.left_out)
        if shown.tally.total != 1 or skipped:
            none = "" if shown.tally.total else no_images(inputs, recursive=values["recursive"])
            shown.summarize(score_counts(shown.tally), skipped, none=none)
        if not values["quiet"]:
            describe_scores(cache, job, threshold, shown)
        if not shown.tally.reaches_minimum:
            complain(below_minimum(shown.tally))
        status = shown.tally.exit_status or BELOW_MINIMUM * (values["fail_blurred"] and _any_blurred(cache, threshold))
        if rules:
            found = verdicts(cache.rows(), threshold.value or 0)
            not_sorted = sorter.sort(judged_sources(found, by_path)) > 0
            return FAILED if not_sorted else status
    suggest_next(inputs, values, shown)
    return status


def _score(
    sources: "Iterator[Source]",
    inputs: tuple[str, ...],
    values: dict[str, Any],
    job: "ScoreJob",
    cache: "ScoreCache",
    makers: "Sequence[ImageMaker]",
    shown: "RunOutput",
) -> bool:
    """Score the sources into the cache, and tell whether there are frames of videos among them."""
    from edgekit.batch.scoring import score_sources
    from edgekit.batch.sources import is_tree
    from edgekit.cli.engines import engine_for, window_options_for
    from edgekit.io.formats import BY_ENDING

    # A single image needs one worker.
    alone = len(inputs) == 1 and Path(inputs[0]).suffix.lower() in BY_ENDING and not is_tree(inputs[0])
    engine, items = engine_for(_with_frames(sources, job, shown), values, 1 if alone else None, paths=inputs)
    options = window_options_for(values, alone=alone)
    has_frames = False
    chosen = {name: values[name] for name in ("force", "page")}
    for row in score_sources(items, job, cache, engine, image_makers=makers, window_options=options, **chosen):
        shown.add(row, score=row.score)
        has_frames |= row.time is not None
    return has_frames


def _with_frames(sources: "Iterator[Source]", job: "ScoreJob", shown: "RunOutput") -> "Iterator[Source]":
    """Yield the sources, and let the progress bar expect the frames of each video."""
    from edgekit.batch.scoring import is_video_source
    from edgekit.io.video import frame_count

    part: dict[str, Any] = {"every": job.every, "rate": job.rate, "start": job.start, "end": job.end}
    for source in sources:
        if shown.progress.shown and is_video_source(source):
            shown.progress.expect_more(frame_count(source.path, **part) - 1)
        yield source


def _image_makers(
    maps: str | None, review: "Review | None", opened: ExitStack
) -> "tuple[list[ImageMaker], list[OutputLog]]":
    """Return what makes the images of --map and --report, and the output logs of their folders."""
    from edgekit.batch.image_makers import SharpnessMaps
    from edgekit.batch.output_log import NAME, OutputLog

    makers: list[ImageMaker] = []
    logs: list[OutputLog] = []
    if maps is not None:
        logs.append(opened.enter_context(OutputLog(Path(maps, NAME), alone=True)))
        makers.append(SharpnessMaps(Path(maps), logs[0]))
    if review is not None:
        logs.append(review.log)
        makers.append(review.images)
    return makers, logs


def _check_local(inputs: tuple[str, ...], values: dict[str, Any], rules: "list[Rule]") -> None:
    """Raise if maps or a page would be written to a store, or files of a store would be linked or sorted."""
    from edgekit.errors import ParameterError
    from edgekit.io.urls import is_url, redacted

    for name in filter(is_url, filter(None, (values["map"], values["report"]))):
        raise ParameterError(f"{redacted(name)}: --map and --report need a folder on this machine; choose one")
    for name in filter(is_url, inputs if values["report"] else ()):
        raise ParameterError(f"{redacted(name)}: --report needs images on this machine; copy them here first")
    for name in filter(is_url, inputs if rules else ()):
        raise ParameterError(f"{redacted(name)}: {rules[0].option} needs images on this machine; copy them here first")


def _check_verdicts(values: dict[str, Any], job: "ScoreJob", rules: "list[Rule]") -> None:
    """Raise if images are to be sorted without a threshold, or moved away from a page that shows them."""
    from edgekit.common.choices import SCORE

    asked = (
        f"--paths {values['paths']}" if values["paths"] else "",
        "--fail-blurred" if values["fail_blurred"] else "",
    )
    option = next(filter(None, (*asked, *(rule.option for rule in rules))), None)
    if option and values["threshold"] is None and job.measures[0] != SCORE:
        raise click.UsageError(f"{option} needs the threshold of {job.measures[0]}; add --threshold.")
    if values["report"] is not None and any(rule.verb == "move" for rule in rules):
        raise click.UsageError("the page of --report would lose the images that are moved; use edgekit apply later.")
    if values["null"] and not values["paths"]:
        raise click.UsageError("-0 ends the paths of --paths; add --paths blurred.")


def _review(folder: Path, *, force: bool) -> "Review":
    from edgekit.report.review import Review

    return Review(folder, force=force)


def _cache_path(output: Path | None, folder: Path | None, *, force: bool) -> Path | None:
    """Return the path of the score cache, beside the output or in a folder that is written; None if temporary.

    Raises
    ------
    OutputError
        If edgekit did not write the output that is there.
    """
    from edgekit.batch.score_cache import NAME
    from edgekit.batch.state_paths import state_of_store
    from edgekit.errors import OutputError
    from edgekit.io.stores import StorePath

    if output is None:
        return None if folder is None else folder / NAME
    cache = (
        state_of_store(output) if isinstance(output, StorePath) else output.with_name(f".{output.name}.edgekit.sqlite")
    )
    if output.exists() and not cache.exists() and not force:
        raise OutputError(f"{output}: there is a file that edgekit did not write; choose another name, or use --force")
    return cache


def _print(table: "ScoreTable", cache: "ScoreCache", values: dict[str, Any], review: "Review | None") -> None:
    """Print the table or the part given by --top or --bottom, JSON lines, paths, or the path of the page."""
    from edgekit.batch.rows import json_lines

    if values["paths"] is not None:
        _print_paths(table, cache, values)
        return
    top, bottom = values["top"], values["bottom"]
    sorts = any(values[name] is not None for name in SORT)
    if top is None and bottom is None and (values["output"] is not None or review is not None or sorts):
        if values["as_json"] and not values["dry_run"]:
            _print_lines(json_lines(map(table.record, cache.rows())))
        elif review is not None:
            name_file(review.index)
        return
    rows: Iterable[Row] = cache.ranked(best_first=bottom is None, count=top if bottom is None else bottom)
    _print_lines(json_lines(map(table.record, rows)) if values["as_json"] else table.text(rows))


def _any_blurred(cache: "ScoreCache", threshold: "Threshold") -> bool:
    from edgekit.batch.sorting import verdicts

    return any(verdict == "blurred" for _, verdict in verdicts(cache.rows(), threshold.value or 0))


def _print_paths(table: "ScoreTable", cache: "ScoreCache", values: dict[str, Any]) -> None:
    """Print the paths of the files with the verdict of --paths."""
    from edgekit.batch.path_lists import path_line
    from edgekit.batch.sorting import verdicts
    from edgekit.common.escaping import unambiguous_path

    for path, verdict in verdicts(cache.rows(), table.threshold or 0):
        if verdict == values["paths"]:
            click.echo(path_line(unambiguous_path(path), null=values["null"]), nl=False)


def _print_lines(lines: Iterator[str]) -> None:
    for line in lines:
        click.echo(os.fsencode(line), nl=False)
