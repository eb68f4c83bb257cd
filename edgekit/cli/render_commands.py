"""What commands have in common that make a picture of each image."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from edgekit.batch.jobs.render import PictureJob
    from edgekit.batch.output_log import Journal
    from edgekit.batch.sinks import Sink
    from edgekit.batch.text_rows import Record

#: What rows are made of, in the record of what was written.
_ROWS = "rows"


def make_pictures(
    inputs: tuple[str, ...], values: dict[str, Any], make_jobs: Callable[[str], "Sequence[PictureJob]"]
) -> int:
    """Do jobs to every image and return the exit status.

    Parameters
    ----------
    inputs : tuple of str
        As they stand on the command line.
    values : dict
        The values of the options `BATCH` and `SPEECH`, and of ``depth``.
    make_jobs : callable
        Makes the jobs from the outputs' ending.
    """
    from edgekit.batch.runner import COLUMNS, Runner
    from edgekit.batch.sinks import nowhere, sink_of
    from edgekit.batch.sources import assign, collect, root_of
    from edgekit.cli.engines import engine_for, means_for
    from edgekit.cli.output import Speech
    from edgekit.cli.progress import skips
    from edgekit.cli.state_paths import open_journal, results_of
    from edgekit.io.stores import path_of

    output = values["output"]
    if output == "-" and values["as_json"]:
        raise click.UsageError("standard output takes the image or --json, not both.")
    write = nowhere if values["rows"] is None else sink_of(values["rows"])
    root = root_of(output, inputs)
    jobs = make_jobs(_ending(values, is_file=root is None))
    for job in jobs:
        job.check()  # Before any image is read.
    with (
        open_journal(root, None if output is None else path_of(output)) as journal,
        results_of([] if root is None else [journal], quiet=values["quiet"]) as results,
    ):
        sink = write if values["rows"] is None else _entered(write, path_of(values["rows"]), journal, values["force"])
        chosen = {k: values[k] for k in ("recursive", "include", "exclude")}
        found = collect(inputs, results=results, **chosen)
        items = assign(found, jobs, output, root)
        skipped = skips(found.passed_over, results.left_out)
        speech = Speech(len(items), skipped, **{k: values[k] for k in ("as_json", "quiet", "debug")})
        named = (s.path for s in found.sources if not s.stream)
        means = means_for(values, alone=len(items) == 1)
        runner = Runner(journal, named, force=values["force"], means=means)
        with speech:
            engine, _ = engine_for(items, values, len(items) or 1, named=(*inputs, output or ""))

            def told() -> "Iterator[Record]":
                for outcome in runner.run(items, engine):
                    speech.tell(outcome)
                    yield outcome.record()

            sink(COLUMNS, told())
    return speech.tally.exit_status


def _entered(write: "Sink", path: Path, journal: "Journal", force: bool) -> "Sink":
    """Return a sink that enters its file as edgekit's own; raise if there is one that is not."""
    journal.admit(path, force=force)

    def sink(columns: "Sequence[str]", records: "Iterable[Record]") -> None:
        write(columns, records)
        status = path.stat()
        journal.enter(path, status, path, status, _ROWS)

    return sink


def _ending(values: dict[str, Any], *, is_file: bool) -> str:
    """Return the outputs' ending: that of the output's name, else the one asked for."""
    from edgekit.io.stores import path_of

    output, asked = values["output"], values["ending"]
    named = path_of(output).suffix.lower() if is_file and output else ""
    if named and asked and named != f".{asked}":
        raise click.UsageError(f"{path_of(output)} and --format {asked} do not agree; leave one out.")
    return named or f".{asked or ('tif' if values['depth'] == 'float' else 'png')}"
