"""``edgekit undo``: put back the files that were sorted into a folder."""

from pathlib import Path
from typing import Any

import click

from edgekit.cli.help_pages import MESSAGES, command
from edgekit.cli.options import options
from edgekit.cli.output import RunOutput
from edgekit.cli.parameter_types import PathOrUrl


@command("undo", "Put back the files that were sorted into a folder.", "edgekit undo blurred/")
@click.argument("folder", type=PathOrUrl("dir"), metavar="DIR")
@options("undo", {MESSAGES: ("quiet", "debug")})
def undo(folder: str, **values: Any) -> int:
    """Put back the files that edgekit score or edgekit apply sorted into DIR.

    Moved files return to their places. Links are removed, and copies whose originals still have the same content. A
    file whose place is taken or that may be the only copy stays in DIR, and its name is printed.
    """
    from edgekit.batch.engines.local import Threads
    from edgekit.batch.move_log import NAME, MoveLog
    from edgekit.batch.moving import undo as undone
    from edgekit.batch.runner import Status
    from edgekit.errors import ParameterError

    path = Path(folder)
    if not (path / NAME).is_file():
        raise ParameterError(f"{path}: edgekit sorted no files into this folder, or they were put back; check the name")
    shown = RunOutput(quiet=values["quiet"], debug=values["debug"], unit="photo")
    with MoveLog(path, undoing=True) as log:
        shown.expect(len(log.plans()))
        with shown:
            # One at a time: two files may have come from one place.
            for outcome in undone(log, Threads(1)):
                shown.add(outcome)
    tally = shown.tally
    shown.summarize(
        [(tally.counts[Status.DONE], "put back"), (tally.failed, "not put back")], (), none="nothing to put back"
    )
    return tally.exit_status
