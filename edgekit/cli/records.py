"""Where the records of what is written to stores lie: they are files that grow row by row, and stores hold none."""

from pathlib import Path

import click


def record_of(output: Path) -> Path:
    """Return the record of a file or folder in a store, among the user's own files."""
    import hashlib

    name = hashlib.blake2b(str(output).rstrip("/").encode(), digest_size=10).hexdigest()
    return Path(click.get_app_dir("edgekit"), "stores", f"{name}.sqlite")
