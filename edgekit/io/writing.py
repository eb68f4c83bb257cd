"""Writes files that appear whole or not at all. May import `common` and what is below it.

A file is written under a temporary name in the same folder, then renamed. The temporary name of an output is always
the same, so that the next write finds and removes what a killed process left, without listing the folder. A lock on
the temporary file keeps two writers of the same output apart.
"""

import contextlib
import io
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from edgekit.errors import EdgekitError, OutputError, ParameterError
from edgekit.io.encoding import encode
from edgekit.io.stores import StorePath, path_of

T = TypeVar("T")

#: The longest file name in bytes that file systems allow.
MAX_NAME = 255


def write_image(path: str | os.PathLike[str], image: Any) -> None:
    """Write an image file. The ending of its name chooses the format.

    Parameters
    ----------
    path : path
        A file or a URL that ends in .png, .jpg, .tif, .webp or .npy. An existing file is replaced in one step.
    image : ndarray
        (H, W), or (H, W, 3) in RGB order. All formats store uint8, PNG and TIFF also uint16, TIFF also float32 and
        float64, NPY all types. A mask of bool is stored as 0 and 255, in NPY as it is.

    Raises
    ------
    ParameterError
        If the format is not known or cannot store the image.
    OutputError
        If the file cannot be written.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> ek.write_image("response.tif", np.zeros((2, 2), np.float32))
    """
    if not isinstance(path, str | os.PathLike | StorePath) and isinstance(image, str | os.PathLike | StorePath):
        raise ParameterError("expected write_image(path, image); found the image first. Swap the two arguments")
    path = path_of(path)
    if not isinstance(path, StorePath) and path.is_dir():
        raise OutputError(f"{path}: expected the name of a file; found a folder. Add a file name, such as response.png")
    write_atomic(encode(image, path.suffix), path)


def write_atomic(data: bytes, path: Path, before: Callable[[os.stat_result], None] | None = None) -> None:
    """Write a file whole or not at all.

    Parameters
    ----------
    before : callable, optional
        Called with the status of the finished file before it gets its name; for an object in a store, afterwards.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    with open_atomic(path, before) as file:
        file.write(data)


@contextlib.contextmanager
def open_atomic(path: Path, before: Callable[[os.stat_result], None] | None = None) -> Iterator[BinaryIO]:
    """Open a file as `write_atomic` does. It appears at the end of the block, unless the block raises."""
    with open_draft(path) as (file, draft):
        yield file
    publish_draft(draft, before)


@dataclass
class Draft:
    """A file or folder that is written under its temporary name; this or another process can publish it.

    Attributes
    ----------
    path : Path
        The final name. For an object in a store, together with what the store said when it was written.
    extent : int
        Its bytes; for a folder, its entries. A draft of the same output that another process has just started differs
        in it. Times and inode numbers would tell more, but some network file systems show each machine other ones.
    """

    path: Path
    extent: int = 0


def write_draft(data: bytes, path: Path) -> Draft:
    """Write a file under its temporary name, for `publish_draft` or `discard_draft`.

    An object in a store gets its final name at once: stores write whole objects, and cannot rename them.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    with open_draft(path) as (file, draft):
        file.write(data)
    return draft


@contextlib.contextmanager
def open_draft(path: Path) -> Iterator[tuple[BinaryIO, Draft]]:
    """Open a file as `write_draft` does; raise if another process is writing the same output."""
    draft = Draft(path)
    with _cleaning_up(path):
        if isinstance(path, StorePath):
            content = io.BytesIO()
            yield content, draft
            path.write_bytes(content.getvalue())
            return
        temporary = _temporary_name(path)
        with _create(temporary, lambda: temporary.open("xb")) as file:
            _lock(file.fileno(), temporary)
            yield file, draft
            # Measured under the lock: without it another process may already have replaced the file.
            file.flush()
            draft.extent = os.fstat(file.fileno()).st_size


@contextlib.contextmanager
def open_draft_folder(path: Path) -> Iterator[tuple[Path, Draft]]:
    """Create an empty folder as `open_draft` creates a file."""
    draft, temporary = Draft(path), _temporary_name(path)
    with _cleaning_up(path):
        _create(temporary, temporary.mkdir)
        with _locked(temporary):
            yield temporary, draft
            draft.extent = _extent(temporary)


def publish_draft(draft: Draft, before: Callable[[os.stat_result], None] | None = None) -> None:
    """Give a draft its final name, in one step.

    Parameters
    ----------
    before : callable, optional
        As for `write_atomic`.

    Raises
    ------
    OutputError
        If that fails. The draft is removed then, unless it is now the draft of another process.
    """
    path = draft.path
    with _cleaning_up(path):
        if isinstance(path, StorePath):
            if before is not None:
                before(path.stat())
            return
        temporary = _temporary_name(path)
        with _locked(temporary):
            if _extent(temporary) != draft.extent:
                raise BlockingIOError
            if before is not None:
                before(temporary.lstat())
            _rename(temporary, path)


def discard_draft(path: Path) -> None:
    """Remove the draft of an output, if there is one and no process is writing it. Objects in stores stay."""
    if isinstance(path, StorePath):
        return
    with contextlib.suppress(OSError):
        _remove(_temporary_name(path))


def _temporary_name(path: Path) -> Path:
    return path.with_name(fit_name(f".{path.name}", ".edgekit-part"))


def _create(temporary: Path, create: Callable[[], T]) -> T:
    """Create a temporary file or folder in place of an abandoned one; raise if another process was faster."""
    temporary.parent.mkdir(parents=True, exist_ok=True)
    # An abandoned file is removed, not overwritten: it may be a link.
    _remove(temporary)
    try:
        return create()
    except FileExistsError as error:
        raise BlockingIOError from error


def _extent(temporary: Path) -> int:
    return len(list(temporary.iterdir())) if temporary.is_dir() else temporary.lstat().st_size


def _rename(temporary: Path, path: Path) -> None:
    if not (temporary.is_dir() and path.is_dir()):
        temporary.replace(path)
        return
    # A folder cannot be replaced in one step: the old one is renamed first, and removed at the end.
    old = path.with_name(fit_name(f".{path.name}", ".edgekit-old"))
    _remove(old)
    path.replace(old)
    temporary.replace(path)
    _remove(old)


@contextlib.contextmanager
def _cleaning_up(path: Path) -> Iterator[None]:
    """Remove the draft if the block raises, and turn errors into `OutputError`."""
    try:
        yield
    except BlockingIOError as error:
        raise OutputError(f"{path}: something else is writing this very file; let one do it") from error
    except BaseException as error:
        discard_draft(path)
        # The messages of edgekit's own errors name the file already.
        if isinstance(error, OSError) and not isinstance(error, EdgekitError):
            raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error
        raise


def _remove(temporary: Path) -> None:
    """Remove a temporary file or folder; raise if another process is writing it."""
    try:
        with _locked(temporary):
            if temporary.is_dir():
                # Imported here, as it takes milliseconds of every start.
                import shutil

                shutil.rmtree(temporary)
            else:
                temporary.unlink()
    except FileNotFoundError:
        pass
    except BlockingIOError:
        raise
    except OSError:
        # Symbolic links are not opened: the link itself is removed.
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def _locked(temporary: Path) -> Iterator[None]:
    """Keep other processes from writing or removing a temporary file or folder."""
    if sys.platform == "win32":
        # Windows refuses to rename or remove an open file, even to this process.
        yield
        return
    try:
        access = os.O_RDONLY if temporary.is_dir() else os.O_RDWR
        descriptor = os.open(temporary, access | os.O_NOFOLLOW | os.O_NONBLOCK)
    except PermissionError:
        # The file belongs to another user, or the umask denies write access even to its owner.
        yield
        return
    try:
        _lock(descriptor, temporary)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, temporary: Path) -> None:
    """Lock an open file until it is closed; raise if another process has locked or replaced it.

    The lock ends with the process. On a file system without locks nothing keeps two writers of a file apart.
    """
    if sys.platform == "win32":
        return
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:
        pass
    with contextlib.suppress(FileNotFoundError):
        if os.path.samestat(os.fstat(descriptor), temporary.lstat()):
            return
    raise BlockingIOError


def fit_name(stem: str, rest: str) -> str:
    """Return a file name of at most 255 bytes. A stem that is too long is cut and gets a checksum.

    Examples
    --------
    >>> fit_name("photo", ".sobel.png")
    'photo.sobel.png'
    >>> len(fit_name(255 * "a", ".sobel.png"))
    255
    """
    name = os.fsencode(stem)
    if len(name + os.fsencode(rest)) <= MAX_NAME:
        return stem + rest
    # Imported here, as it takes milliseconds of every start.
    import hashlib

    end = f"-{hashlib.blake2b(name, digest_size=8).hexdigest()}{rest}"
    # Cut by characters: a character may have several bytes.
    while stem and len(os.fsencode(stem + end)) > MAX_NAME:
        stem = stem[:-1]
    return stem + end
