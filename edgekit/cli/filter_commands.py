"""The filter commands: one for each operator's row, made of the options that apply to it."""

from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import click

from edgekit.cli.options import BATCH, PICTURE, SPEECH, options
from edgekit.kernels import Kind, Operator

if TYPE_CHECKING:
    from edgekit.batch.job import FilterJob
    from edgekit.batch.journal import Journal

_DIRECTIONS = {Kind.GRADIENT: ("angle", "angle_of", "rotate"), Kind.COMPASS: ("angle", "angle_of")}


def filter_command(operator: Operator | None) -> click.Command:
    """Make the command of an operator; None makes ``filter``, which takes a kernel from a file."""
    own: tuple[str, ...] = ("kernel",)
    name, summary, details = "filter", "Filter images with a kernel of your own.", ""
    if operator is not None:
        name, summary = operator.name, f"Filter images: {operator.title}."
        own = (*_DIRECTIONS.get(operator.kind, ()), *operator.parameters)
        details = f"Reference: {operator.reference}."

    # A kernel of one's own has no unit.
    picture = PICTURE if operator else [p for p in PICTURE if p != "scale"]

    @options((*own, *picture, *BATCH, *SPEECH))
    @click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
    def run(inputs: tuple[str, ...], **values: Any) -> int:
        return _run(name, tuple(operator.parameters) if operator else (), inputs, values)

    return click.command(
        name,
        help=f"{summary}\n\nINPUT is an image, a folder, a glob in quotes, or - for standard input.\n\n{details}",
        short_help=summary,
    )(run)


def _run(name: str, parameters: tuple[str, ...], inputs: tuple[str, ...], values: dict[str, Any]) -> int:
    from edgekit.batch.inputs import assign, collect, root_of
    from edgekit.batch.runner import Runner, available_workers
    from edgekit.cli.speech import Speech

    output = values["output"]
    if output == "-" and values["as_json"]:
        raise click.UsageError("standard output takes the image or --json, not both.")
    root = root_of(output, inputs)
    jobs = _jobs(name, parameters, values, _ending(values, is_file=root is None))
    with _journal(root, output) as journal:
        chosen = {k: values[k] for k in ("recursive", "include", "exclude")}
        found = collect(inputs, own=journal.wrote, **chosen)
        items = assign(found, jobs, output, root)
        speech = Speech(len(items), found.passed_over, **{k: values[k] for k in ("as_json", "quiet", "debug")})
        runner = Runner(journal, (s.path for s in found.sources if not s.stream), force=values["force"])
        with speech:
            for outcome in runner.run(items, min(values["jobs"] or available_workers(), len(items) or 1)):
                speech.tell(outcome)
    return speech.tally.exit_status


def _ending(values: dict[str, Any], *, is_file: bool) -> str:
    """Return the outputs' ending: that of the output's name, else the one asked for."""
    output, asked = values["output"], values["ending"]
    named = PurePath(output).suffix.lower() if is_file and output else ""
    if named and asked and named != f".{asked}":
        raise click.UsageError(f"{output} and --format {asked} do not agree; leave one out.")
    return named or f".{asked or ('tif' if values['depth'] == 'float' else 'png')}"


def _jobs(name: str, parameters: tuple[str, ...], values: dict[str, Any], ending: str) -> "list[FilterJob]":
    """Make one job for each angle, and check them before any image is read."""
    from edgekit.batch.job import FilterJob

    kernel, taps = values.get("kernel"), None
    if kernel is not None:
        from edgekit.io.kernels import read_kernel

        taps = read_kernel(kernel)
    jobs = [
        FilterJob(
            operator=name if kernel is None else f"{name}-{PurePath(kernel).stem}",
            parameters=tuple((p, values[p]) for p in parameters if values[p] is not None),
            taps=taps,
            angle=angle,
            ending=ending,
            **{k: values[k] for k in ("angle_of", "rotate", *PICTURE) if k in values},
        )
        for angle in dict.fromkeys(values.get("angles") or (None,))
    ]
    for job in jobs:
        job.check()
    return jobs


def _journal(root: Path | None, output: str | None) -> "Journal":
    """Open the record of what was written: in the output folder, or the user's own for single files elsewhere."""
    from edgekit.batch.journal import NAME, Journal
    from edgekit.errors import OutputError

    if root is not None:
        return Journal(root / NAME, alone=True)
    if output is not None and (kept := Path(output).parent / NAME).exists():
        return Journal(kept)
    try:
        return Journal(Path(click.get_app_dir("edgekit"), "written.sqlite"))
    except OutputError:
        # A home that cannot be written to: nothing is remembered, and what exists needs --force.
        return Journal(None)
