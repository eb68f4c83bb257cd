"""Files before they are decoded: status, first bytes, content. May import `common` and what is below it."""

import errno
import io
import mmap
import os
import stat
from pathlib import Path
from typing import Any, BinaryIO

from edgekit.errors import UnreadableError
from edgekit.io.formats import HEAD, sniff
from edgekit.io.stores import StorePath, path_of


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading. Pipes and devices are refused: reading them may block for ever.

    An object in a store is loaded as a whole.

    Raises
    ------
    OSError
        If it cannot be opened, or is not a regular file.
    """
    if isinstance(path, StorePath):
        return io.BytesIO(path.read_bytes())
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return os.fdopen(descriptor, "rb")


def head_of(path: Path, count: int) -> bytes:
    """Return the first `count` bytes of a regular file; fewer if it is shorter, none if it cannot be read."""
    try:
        if isinstance(path, StorePath):
            return path.head(count)
        # Checked first: opening a device can have effects.
        if not path.is_file():
            return b""
        with open_regular(path) as file:
            return file.read(count)
    except OSError:
        return b""


def read_bytes(path: str | Path) -> bytes:
    """Return the content of a file.

    Raises
    ------
    UnreadableError
        If the file is missing, empty, not a regular file, or access is denied.
    """
    path = path_of(path)
    status_of(path)
    try:
        with open_regular(path) as file:
            data = file.read()
    except OSError as error:
        raise UnreadableError(f"{path}: cannot be read: {error.strerror or error}") from error
    if not data:
        raise UnreadableError(f"{path}: the file is empty (0 bytes); copy or export it again")
    return data


def map_bytes(path: Path) -> bytes | mmap.mmap:
    """Return the content of a local file without reading it: each image of a large file is read by itself.

    Raises
    ------
    UnreadableError
        As `read_bytes`.
    """
    if isinstance(path, StorePath):
        return read_bytes(path)
    status_of(path)
    try:
        with open_regular(path) as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError):  # Empty, or a file system that maps no files.
        return read_bytes(path)


def as_file(data: bytes | mmap.mmap) -> Any:
    """Return the content of a file as a file object at its start."""
    if isinstance(data, mmap.mmap):
        data.seek(0)
        return data
    return io.BytesIO(data)


def status_of(path: Path) -> os.stat_result:
    """Return the status of a file or a Zarr.

    Raises
    ------
    UnreadableError
        If it is missing, not a regular file, or access is denied.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        raise UnreadableError(f"{path}: no such file; check the name") from None
    except OSError as error:
        raise UnreadableError(f"{path}: cannot be read: {error.strerror or error}") from error
    if not stat.S_ISREG(status.st_mode):
        if is_zarr(path):
            return _status_of_zarr(path)
        found = "a pipe, socket or device"
        if stat.S_ISDIR(status.st_mode):
            allowed = isinstance(path, StorePath) or os.access(path, os.R_OK | os.X_OK)
            found = "a folder" if allowed else "a folder that may not be listed"
        raise UnreadableError(f"{path}: expected an image file; found {found}")
    return status


def is_tiff(path: str | Path) -> bool:
    """Tell whether a file begins like a TIFF file; False if it cannot be read."""
    found = sniff(head_of(path_of(path), HEAD))
    return found is not None and found.name == "TIFF"


def is_zarr(path: Path) -> bool:
    """Tell whether a local folder is a Zarr; False if access is denied."""
    if isinstance(path, StorePath):
        return False
    names = ("zarr.json", ".zarray", ".zgroup")
    return os.path.isdir(path) and any(os.path.isfile(path / n) for n in names)  # noqa: PTH112, PTH113 - pathlib's raise


def _status_of_zarr(folder: Path) -> os.stat_result:
    """Return the status of a folder with the total size of its files, and the time of the last change to any."""
    size = mtime = 0
    for place, _, names in os.walk(folder):
        for name in names:
            found = os.stat(os.path.join(place, name))  # noqa: PTH116, PTH118 - path objects would be slower
            size, mtime = size + found.st_size, max(mtime, found.st_mtime_ns)
    own = list(folder.stat())
    own[stat.ST_SIZE] = size
    return os.stat_result(own, {"st_mtime_ns": mtime})
