"""What all commands share that render an image of each input: filters and edges."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from edgekit.batch.engines import Engine
    from edgekit.batch.jobs.render import RenderJob
    from edgekit.batch.output_log import OutputLog
    from edgekit.batch.rendering import RenderOutcome
    from edgekit.batch.rows import Record, Sink
    from edgekit.cli.output import RunOutput

#: The job of a file of rows, in the output log.
_ROWS = "rows"


def render_images(
    inputs: tuple[str, ...], values: dict[str, Any], make_jobs: Callable[[str], "Sequence[RenderJob]"]
) -> int:
    """Apply jobs to all images and return the exit status.

    Parameters
    ----------
    inputs : tuple of str
        The arguments of the command.
    values : dict
        The values of the options, by name.
    make_jobs : callable
        Takes the extension of the outputs and returns the jobs.
    """
    from edgekit.batch.outputs import assign, root_of
    from edgekit.batch.rendering import COLUMNS, RenderWork
    from edgekit.batch.rows import discard_records, sink_of
    from edgekit.batch.runner import run
    from edgekit.batch.sources import collect
    from edgekit.cli.engines import engine_for, window_options_for
    from edgekit.cli.output import RunOutput, no_images, skipped_counts
    from edgekit.cli.state_paths import open_output_log, open_results
    from edgekit.io.stores import path_of

    output, rows, force = values["output"], values["rows"], values["force"]
    if output == "-" and values["as_json"]:
        raise click.UsageError("standard output takes the image or --json, not both.")
    sink = discard_records if rows is None else sink_of(rows)
    root = root_of(output, inputs)
    jobs = make_jobs(_ending(values, is_file=root is None))
    for job in jobs:
        job.check()  # Before any image is read.
    with (
        open_output_log(root, None if output is None else path_of(output)) as log,
        open_results([] if root is None else [log], quiet=values["quiet"]) as results,
    ):
        if rows is not None:
            sink = _logged(sink, path_of(rows), log, force)
        shown = RunOutput(quiet=values["quiet"], debug=values["debug"], name_failures=not values["as_json"])
        chosen = {k: values[k] for k in ("recursive", "include", "exclude")}
        found = collect(inputs, results=results, on_read=shown.progress.listed, **chosen)
        items = assign(found, jobs, output, root, values["page"])
        skipped = skipped_counts(found.skipped, results.left_out)
        files = (s.path for s in found.sources if not s.stream)
        work = RenderWork(log, files, force=force, window_options=window_options_for(values, alone=len(items) == 1))
        shown.expect(len(items))

        def records(engine: "Engine") -> "Iterator[Record]":
            for outcome in run(work, items, engine):
                _show(outcome, shown, values)
                yield outcome.record()

        try:
            with shown:
                engine, _ = engine_for(items, values, len(items) or 1, paths=(*inputs, output or ""))
                sink(COLUMNS, records(engine))
        finally:
            if len(items) != 1 or skipped:
                none = "" if items else no_images(inputs, recursive=values["recursive"])
                shown.summarize(_counts(shown, len(items)), skipped, none=none)
    return shown.tally.exit_status


def _show(outcome: "RenderOutcome", shown: "RunOutput", values: dict[str, Any]) -> None:
    """Print an outcome: a JSON object, or the path of the output, and a note if there is one."""
    from edgekit.batch.runner import Status
    from edgekit.batch.sources import STREAM
    from edgekit.cli.terminal import complain, name_file

    failed = outcome.status is Status.FAILED
    if values["as_json"]:
        import json

        shown.progress.clear()
        click.echo(json.dumps({name: value for name, value in outcome.record().items() if value is not None}))
    elif not (failed or shown.progress.is_drawn or values["quiet"] or str(outcome.item.output) == STREAM):
        name_file(outcome.item.output)
    if outcome.reason and not failed and not values["quiet"]:
        shown.progress.clear()
        complain(f"{outcome.item.source.name}: {outcome.reason}")
    shown.add(outcome, trace=outcome.trace)


def _counts(shown: "RunOutput", total: int) -> list[tuple[int, str]]:
    """Return the counts of the summary."""
    from edgekit.batch.runner import Status

    tally = shown.tally
    labels = {Status.DONE: "done", Status.CURRENT: "up to date", Status.FAILED: "failed"}
    return [*((tally.counts[status], label) for status, label in labels.items()), (total - tally.total, "not begun")]


def _logged(sink: "Sink", path: Path, log: "OutputLog", force: bool) -> "Sink":
    """Return a sink that adds its file to the log; raise if edgekit did not write the file that is there."""
    log.check_replaceable(path, force=force)

    def write(columns: "Sequence[str]", records: "Iterable[Record]") -> None:
        sink(columns, records)
        log.adder(path, _ROWS)(path.stat())

    return write


def _ending(values: dict[str, Any], *, is_file: bool) -> str:
    """Return the extension of the outputs: that of the output's name, or of the option --format."""
    from edgekit.io.stores import path_of

    output, wanted = values["output"], values["ending"]
    named = path_of(output).suffix.lower() if is_file and output else ""
    if named and wanted and named != f".{wanted}":
        raise click.UsageError(f"{path_of(output)} and --format {wanted} do not agree; leave one out.")
    return named or f".{wanted or ('tif' if values['depth'] == 'float' else 'png')}"
