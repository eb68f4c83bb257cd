"""Lists of paths: what ``--files-from`` reads, and what ``--paths`` writes.

May import `io` and what is below it.
"""

import codecs
import os
import sys

from edgekit.io.files import read_bytes

#: The name of standard input and standard output.
STREAM = "-"


class ListedPath(str):
    """The path of a file, from a list. It is never a glob, nor standard input."""

    __slots__ = ()


def read_list(name: str) -> list[ListedPath]:
    """Read the paths of a list: one on each line, or separated by NUL characters if there are any.

    Parameters
    ----------
    name : str
        The file, its URL, or ``-`` for standard input.

    Raises
    ------
    UnreadableError
        If the list is missing, empty, or cannot be read.
    """
    data = sys.stdin.buffer.read() if name == STREAM else read_bytes(name)
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        # The shell of Windows writes lists like this.
        data = data.decode("utf-16").encode()
    data = data.removeprefix(codecs.BOM_UTF8)
    paths = data.split(b"\0") if b"\0" in data else [line.removesuffix(b"\r") for line in data.split(b"\n")]
    return [ListedPath(os.fsdecode(path)) for path in paths if path]


def path_line(path: str, *, null: bool) -> bytes:
    """Return a path as an entry of a list, which ends with a line break or a NUL character."""
    return os.fsencode(path) + (b"\0" if null else b"\n")
