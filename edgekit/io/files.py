"""Opens files of which nobody knows what they are. Standard library only."""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file to be read, and nothing else: who reads a pipe or a device may wait for ever.

    Raises
    ------
    OSError
        If it cannot be opened, or is something else by now.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return os.fdopen(descriptor, "rb")


def head_of(path: Path, count: int) -> bytes:
    """Return the first bytes of a regular file; fewer where there are no more, or it cannot be read."""
    # Devices may do things when they are opened.
    if not path.is_file():
        return b""
    try:
        with open_regular(path) as file:
            return file.read(count)
    except OSError:
        return b""
