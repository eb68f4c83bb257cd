"""Opens files of which nobody knows what they are. May import errors and stores."""

import errno
import io
import os
import stat
from pathlib import Path
from typing import BinaryIO

from edgekit.io.stores import StorePath


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file to be read, and nothing else: who reads a pipe or a device may wait for ever.

    An object in a store is fetched whole.

    Raises
    ------
    OSError
        If it cannot be opened, or is something else by now.
    """
    if isinstance(path, StorePath):
        return io.BytesIO(path.read_bytes())
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return os.fdopen(descriptor, "rb")


def head_of(path: Path, count: int) -> bytes:
    """Return the first bytes of a regular file; fewer where there are no more, or it cannot be read."""
    try:
        if isinstance(path, StorePath):
            return path.head(count)
        # Devices may do things when they are opened.
        if not path.is_file():
            return b""
        with open_regular(path) as file:
            return file.read(count)
    except OSError:
        return b""
