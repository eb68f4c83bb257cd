"""The records of what edgekit wrote: where they lie, and which of them a command opens."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edgekit.cli.terminal import complain

if TYPE_CHECKING:
    from edgekit.batch.output_log import Journal
    from edgekit.batch.results import Results


def record_of(output: Path) -> Path:
    """Return the record of a file or folder in a store, among the user's own files: stores hold no growing files."""
    import hashlib

    name = hashlib.blake2b(str(output).rstrip("/").encode(), digest_size=10).hexdigest()
    return Path(click.get_app_dir("edgekit"), "stores", f"{name}.sqlite")


def record_of_user() -> Path:
    """Return the user's own record: of single results, which have no output folder."""
    return Path(click.get_app_dir("edgekit"), "written.sqlite")


def open_journal(root: Path | None, output: Path | None) -> "Journal":
    """Open the record of what is written: in the output folder, or the user's own for single files and for stores.

    Parameters
    ----------
    root : Path or None
        The output folder.
    output : Path or None
        Where there is no folder: the output, None beside the input.
    """
    from edgekit.batch.output_log import NAME, Journal
    from edgekit.errors import OutputError
    from edgekit.io.stores import StorePath

    if isinstance(root, StorePath):
        return Journal(record_of(root), alone=True)
    if root is not None:
        return Journal(root / NAME, alone=True)
    if output is not None and not isinstance(output, StorePath) and (kept := output.parent / NAME).exists():
        return Journal(kept)
    try:
        return Journal(record_of_user())
    except OutputError:
        # A home that cannot be written to: nothing is remembered, and what exists needs --force.
        return Journal(None)


def results_of(journals: "Sequence[Journal]" = (), *, target: Path | None = None, quiet: bool) -> "Results":
    """Return what tells the results of edgekit's runs from photographs; see `Results`.

    Parameters
    ----------
    journals : sequence of Journal
        The records of the folders that this run writes into.
    target : Path, optional
        A folder of which no file is an input.
    quiet : bool
        Do not say which records cannot be read.
    """
    from edgekit.batch.results import Results

    return Results(journals, _records, target=target, tell=(lambda message: None) if quiet else complain)


def _records(folder: Path) -> Iterable[Path]:
    """Return the records that may know files of a folder: the user's own, and those of it and of all folders above."""
    from edgekit.batch.output_log import NAME
    from edgekit.io.stores import StorePath

    yield record_of_user()
    for place in _upward(folder):
        yield record_of(place) if isinstance(place, StorePath) else place / NAME


def _upward(folder: Path) -> Iterator[Path]:
    yield folder
    if folder.parent != folder:
        yield from _upward(folder.parent)


def write_recorded(data: bytes, path: Path, job: str) -> None:
    """Write a single result that is no image's, such as a plot, and enter it in the record.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    from edgekit.batch.output_log import Journal
    from edgekit.errors import OutputError
    from edgekit.io.writing import place

    try:
        opened = open_journal(None, path)
    except OutputError as error:
        complain(f"{error}. {path} is written without a record")
        opened = Journal(None)
    with opened as journal:
        place(data, path, lambda made: journal.enter(path, made, path, made, job))
