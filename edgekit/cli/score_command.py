"""``edgekit score``: how sharp images are, one row for each."""

import math
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edgekit.cli.options import ENGINE, READING, Place, options
from edgekit.cli.progress import open_bar, skips, summary
from edgekit.cli.terminal import complain, name_file

if TYPE_CHECKING:
    from edgekit.batch.jobs.scoring import ScoreJob
    from edgekit.batch.output_log import Journal
    from edgekit.batch.score_cache import Book, Row
    from edgekit.batch.score_images import Drawer
    from edgekit.batch.tables import Table
    from edgekit.focus.blur_threshold import Threshold
    from edgekit.report.review import Review

#: Where the rows are kept in a review page's folder if they go nowhere else.
REPORT_BOOK = ".edgekit-scores.sqlite"

#: Exit status where all is done but something scored too low, or has no score.
BELOW = 3


@click.command(short_help="Score how sharp images are.")
@click.argument("inputs", type=Place(), nargs=-1, required=True, metavar="INPUT...")
@options(
    ("rows", "measure", "roi", "every", "rate", "threshold", "fail_below", "top", "bottom", "map", "report",
     *READING, "recursive", "include", "exclude", *ENGINE, "force", "json", "quiet", "debug")
)  # fmt: skip
def score(inputs: tuple[str, ...], **values: Any) -> int:
    """Score how sharp images are: 0 is blurred, 1 sharp.

    INPUT is an image, a folder, a glob in quotes, a URL, or a video, of which each frame has a row. Without -o a table
    sorted by score is printed, the sharpest first; with it, a row for each image is written, sorted by path. --report
    writes a page instead, or as well. A run that was stopped is taken up where it was.
    """
    from edgekit.batch.jobs.scoring import ScoreJob
    from edgekit.batch.score_cache import Book
    from edgekit.batch.score_images import Maps
    from edgekit.batch.scoring import score_files
    from edgekit.batch.sinks import sink_of
    from edgekit.batch.sources import find, is_tree
    from edgekit.batch.tables import Table
    from edgekit.cli.engines import engine_for, means_for
    from edgekit.cli.state_paths import results_of
    from edgekit.common.read_limits import Limits
    from edgekit.io.formats import BY_ENDING
    from edgekit.io.stores import path_of

    if values["top"] is not None and values["bottom"] is not None:
        raise click.UsageError("--top and --bottom exclude each other.")
    output = None if values["output"] is None else path_of(values["output"])
    sink = None if values["output"] is None else sink_of(values["output"])
    limits = Limits(values["max_pixels"], values["truncated"])
    job = ScoreJob(values["measures"] or ("score",), values["roi"], values["every"], values["rate"], limits)
    job.check()
    _check_local(inputs, values)
    folder = None if values["report"] is None else Path(values["report"])
    book_path = _book_of(output, folder, force=values["force"])
    no_images = 0

    def pass_over(_: Path) -> None:
        nonlocal no_images
        no_images += 1

    chosen = {k: values[k] for k in ("recursive", "include", "exclude")}
    count = Count(values["fail_below"], quiet=values["quiet"])
    with ExitStack() as opened:
        # What is missing for the page is said before anything is made.
        review = None if folder is None else opened.enter_context(_review(folder, force=values["force"]))
        book = opened.enter_context(Book(book_path, job.key))
        journal = opened.enter_context(_journal(values["map"]))
        opened.enter_context(count)
        drawers: list[Drawer] = [] if values["map"] is None else [Maps(Path(values["map"]), journal)]
        if review is not None:
            drawers.append(review.pictures)

        journals = [journal, *([] if review is None else [review.journal])]
        results = opened.enter_context(results_of(journals, quiet=values["quiet"]))
        # Pictures are drawn of images.
        sources = (source for _, source in find(inputs, pass_over, clips=not drawers, results=results, **chosen))
        # One named image has nothing to share among workers.
        alone = len(inputs) == 1 and Path(inputs[0]).suffix.lower() in BY_ENDING and not is_tree(inputs[0])
        engine, todo = engine_for(sources, values, 1 if alone else None, named=inputs)
        means = means_for(values, alone=alone)
        rows = score_files(todo, job, book, engine, drawers=drawers, anew=values["force"], means=means)
        for row in rows:
            count.tell(row)
        threshold = _threshold(values["threshold"], job, book)
        table = Table(job.measures, threshold.value, clips=count.clips)
        if sink is not None:
            sink(table.columns, map(table.record, book.rows()))
        if review is not None:
            review.write(book, job.measures, threshold)
        _print(table, book, values, review)
    count.sum_up(skips(no_images, results.left_out), threshold)
    passed = count.passed()
    return 1 if count.failed else 0 if passed else BELOW


def _check_local(inputs: tuple[str, ...], values: dict[str, Any]) -> None:
    """Raise where pictures would go to a store, or a page would point into one."""
    from edgekit.errors import ParameterError
    from edgekit.io.urls import is_url, redacted

    for name in filter(is_url, filter(None, (values["map"], values["report"]))):
        raise ParameterError(f"{redacted(name)}: pictures are drawn into a folder of this machine; name one")
    for name in filter(is_url, inputs if values["report"] else ()):
        raise ParameterError(f"{redacted(name)}: a page shows images of this machine; copy them here first")


def _journal(folder: str | None) -> "Journal":
    """Open the record of the maps in a folder."""
    from edgekit.batch.output_log import NAME, Journal

    return Journal(None) if folder is None else Journal(Path(folder, NAME), alone=True)


def _review(folder: Path, *, force: bool) -> "Review":
    from edgekit.report.review import Review

    return Review(folder, force=force)


def _book_of(output: Path | None, report: Path | None, *, force: bool) -> Path | None:
    """Return where the rows are kept, beside `output` or in the report, or raise if the output is none of edgekit's."""
    from edgekit.cli.state_paths import record_of
    from edgekit.errors import OutputError
    from edgekit.io.stores import StorePath

    if output is None:
        return None if report is None else report / REPORT_BOOK
    book = record_of(output) if isinstance(output, StorePath) else output.with_name(f".{output.name}.edgekit.sqlite")
    if output.exists() and not book.exists() and not force:
        raise OutputError(f"{output}: there is a file that edgekit did not write; name another, or use --force")
    return book


def _threshold(asked: str | None, job: "ScoreJob", book: "Book") -> "Threshold":
    from edgekit.common.names import SCORE
    from edgekit.focus.blur_threshold import DEFAULT, Threshold, automatic, relative

    match asked:
        case "auto":
            return automatic(book.values())
        case "relative":
            return relative(book.values())
        case None:
            return Threshold(DEFAULT if job.measures[0] == SCORE else None)
    return Threshold(float(asked))


def _print(table: "Table", book: "Book", values: dict[str, Any], review: "Review | None") -> None:
    """Print the table, or the part that was asked for, or where the page is."""
    from edgekit.batch.text_rows import json_lines

    best, worst = values["top"], values["bottom"]
    if best is None and worst is None and (values["output"] is not None or review is not None):
        if values["as_json"]:
            _lines(json_lines(map(table.record, book.rows())))
        elif review is not None:
            name_file(review.index)
        return
    rows: Iterable[Row] = book.ranked(best_first=worst is None, most=best if worst is None else worst)
    if values["as_json"]:
        _lines(json_lines(map(table.record, rows)))
    else:
        _lines(table.text(rows))


def _lines(lines: Iterator[str]) -> None:
    for line in lines:
        click.echo(os.fsencode(line), nl=False)


class Count:
    """Counts rows as they come, names failures, and shows a bar on a terminal.

    Parameters
    ----------
    least : float or None
        What every image must score.
    quiet : bool
        Say only what is wrong.
    """

    def __init__(self, least: float | None, *, quiet: bool) -> None:
        self.done = self.failed = self.undefined = self.truncated = self.below = self.without = 0
        self._least = least
        self.clips = False
        self._bar: Any = None
        self._quiet, self._start = quiet, time.monotonic()

    def __enter__(self) -> "Count":
        self._bar = open_bar(None, quiet=self._quiet)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            self._say("nothing scored", ())

    def tell(self, row: "Row") -> None:
        """Count one row."""
        self.done += row.status != "failed"
        self.failed += row.status == "failed"
        self.undefined += row.status == "undefined"
        self.truncated += row.status == "truncated"
        self.clips |= row.frame is not None
        if self._least is not None and row.values:
            self.below += row.values[0] < self._least
            self.without += math.isnan(row.values[0])
        if row.status == "failed":
            if self._bar is not None:
                self._bar.clear()
            complain(row.reason)
        if self._bar is not None:
            self._bar.update()

    def passed(self) -> bool:
        """Tell whether there are scores, and all are high enough; else say what there is instead."""
        if self._least is None or (self.done and not (self.below or self.without)):
            return True
        counts = ((self.below, "below"), (self.without, "undefined"))
        said = " and ".join(f"{n} {what}" for n, what in counts if n)
        complain(f"--fail-below {self._least:g}: {f'of {self.done} scores {said}' if said else 'no image has a score'}")
        return False

    def sum_up(self, skipped: Sequence[tuple[int, str]], threshold: "Threshold") -> None:
        """Say how many there were, and what the threshold is."""
        if self.done + self.failed != 1 or skipped:
            self._say("no images found", skipped)
        if threshold.note and not self._quiet:
            value = "" if threshold.value is None else f"threshold {threshold.value:.4g}, "
            complain(f"{value}{threshold.note}")

    def _say(self, none: str, skipped: Sequence[tuple[int, str]]) -> None:
        counts = (
            (self.done, "scored"),
            (self.undefined, "of them undefined"),
            (self.truncated, "of them truncated"),
            (self.failed, "failed"),
        )
        if not self._quiet:
            click.echo(summary(counts, skipped, self._start, none=none), err=True)
