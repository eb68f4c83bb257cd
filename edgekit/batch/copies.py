"""Tells whether a copy can be removed without loss. May import the standard library only."""

import filecmp
import os
from pathlib import Path


def reason_to_keep(copy: Path, original: Path, known: tuple[int, int] | None = None) -> str:
    """Return why a copy may be the only one; an empty text if the original still has its content.

    Parameters
    ----------
    copy : Path
        A file that was copied or made from the original. It exists.
    known : tuple of int, optional
        Size and time of the original, in bytes and nanoseconds, when the copy was made. They are compared if the
        contents cannot be: those of a frame and its video, or of an object in a store.
    """
    try:
        status = original.stat()
        if os.path.samestat(status, copy.lstat()):
            return f"{original} is the same file"
        same = is_equal(original, copy) if known is None else (status.st_size, status.st_mtime_ns) == known
    except (FileNotFoundError, NotADirectoryError):
        return f"{original} is gone"
    except OSError as error:
        return f"{original} cannot be read: {error.strerror or error}"
    return "" if same else f"{original} was changed"


def is_equal(original: Path, copy: Path) -> bool:
    """Tell whether two files have the same content. A link is no copy."""
    return not copy.is_symlink() and filecmp.cmp(original, copy, shallow=False)
