"""Which output logs a command opens."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.cli.terminal import complain

if TYPE_CHECKING:
    from edgekit.batch.output_log import OutputLog
    from edgekit.batch.results import Results


def open_output_log(root: Path | None, output: Path | None) -> "OutputLog":
    """Open the output log of a run: in the output folder, or the user's own for single files and for stores.

    Parameters
    ----------
    root : Path or None
        The output folder.
    output : Path or None
        The output if there is no folder; None if it is beside the input.
    """
    from edgekit.batch.output_log import NAME, OutputLog
    from edgekit.batch.state_paths import state_of_store, user_log
    from edgekit.errors import OutputError
    from edgekit.io.stores import StorePath

    if isinstance(root, StorePath):
        return OutputLog(state_of_store(root), alone=True)
    if root is not None:
        return OutputLog(root / NAME, alone=True)
    if output is not None and not isinstance(output, StorePath) and (log := output.parent / NAME).exists():
        return OutputLog(log)
    try:
        return OutputLog(user_log())
    except OutputError:
        # The user's folder cannot be written. Nothing is logged, and existing files need --force.
        return OutputLog(None)


def open_results(logs: "Sequence[OutputLog]" = (), *, targets: Sequence[Path] = (), quiet: bool) -> "Results":
    """Return what recognises results of edgekit's runs; see `Results`.

    Parameters
    ----------
    logs : sequence of OutputLog
        The logs of the folders that this run writes to.
    targets : sequence of Path
        Folders of which no file is an input.
    quiet : bool
        Print no message about logs that cannot be read.
    """
    from edgekit.batch.results import Results
    from edgekit.batch.state_paths import find_logs

    return Results(logs, find_logs, targets=targets, complain=(lambda message: None) if quiet else complain)


def new_file(path: Path, endings: Iterable[str], *, force: bool) -> Path:
    """Return the path of a file to be written.

    Raises
    ------
    ParameterError
        If its ending is none of `endings`.
    OutputError
        If the file exists already, without `force`.
    """
    from edgekit.errors import OutputError, ParameterError

    if path.suffix.lower() not in endings:
        known = " or ".join(endings)
        raise ParameterError(f"cannot write {path.suffix or 'a file without an ending'!r}; name a {known} file")
    if path.exists() and not force:
        raise OutputError(f"{path}: the file exists already; choose another name, or use --force")
    return path


def check_replaceable(path: Path, *, force: bool) -> None:
    """Raise if a single result must not be written to a path; see `OutputLog.check_replaceable`."""
    with open_output_log(None, path) as log:
        log.check_replaceable(path, force=force)


def write_logged(data: bytes, path: Path, job_key: str) -> None:
    """Write a single result that is not an image, such as a plot, and add it to the output log.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    from edgekit.batch.output_log import OutputLog
    from edgekit.errors import OutputError
    from edgekit.io.writing import write_atomic

    try:
        opened = open_output_log(None, path)
    except OutputError as error:
        complain(f"{error}. {path} is written without an entry in the log")
        opened = OutputLog(None)
    with opened as log:
        write_atomic(data, path, log.adder(path, job_key))
