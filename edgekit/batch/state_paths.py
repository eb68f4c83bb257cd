"""Where output logs and score caches are: in output folders, and in the user's folder.

May import `io` and what is below it.
"""

from collections.abc import Iterable
from pathlib import Path

import click

from edgekit.batch.output_log import NAME
from edgekit.io.stores import StorePath


def state_of_store(output: Path) -> Path:
    """Return the output log or score cache of a file or folder in a store; it is on this machine, in the user's folder.

    A store cannot hold it, since objects in stores are written once as a whole.
    """
    # Imported here, as it takes milliseconds of every start.
    import hashlib

    name = hashlib.blake2b(str(output).rstrip("/").encode(), digest_size=10).hexdigest()
    return Path(click.get_app_dir("edgekit"), "stores", f"{name}.sqlite")


def user_log() -> Path:
    """Return the user's own output log, for single results without an output folder."""
    return Path(click.get_app_dir("edgekit"), "written.sqlite")


def find_logs(folder: Path) -> Iterable[Path]:
    """Yield the logs that may list files of a folder: the user's own, and those of the folder and all its parents."""
    yield user_log()
    while True:
        yield state_of_store(folder) if isinstance(folder, StorePath) else folder / NAME
        if folder.parent == folder:
            return
        folder = folder.parent
