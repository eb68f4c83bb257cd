"""From arrays to files that appear whole or not at all."""

import contextlib
import hashlib
import io
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray

from edgekit.common.arrays import as_array
from edgekit.common.load_cv2 import cv2
from edgekit.errors import DtypeError, EdgekitError, OutputError, ParameterError, ShapeError
from edgekit.io.channels import swap_red_and_blue
from edgekit.io.formats import BY_ENDING, FORMATS, Format
from edgekit.io.png import available, encode_png
from edgekit.io.stores import StorePath, path_of

Array = NDArray[Any]

T = TypeVar("T")

#: Formats that can be written, by ending.
WRITABLE = {ending: f for ending, f in BY_ENDING.items() if f.depths}

#: Bytes that file systems take for a name.
LONGEST_NAME = 255

# Lossless WebP; JPEG as good as cameras write it.
_PARAMETERS = {
    "WebP": (cv2.IMWRITE_WEBP_QUALITY, 101),
    "JPEG": (cv2.IMWRITE_JPEG_QUALITY, 95),
}


def writable(ending: str) -> Format:
    """Return the format that `ending` asks for.

    Raises
    ------
    ParameterError
        If it is none that can be written.
    """
    try:
        return WRITABLE[ending.lower()]
    except KeyError:
        names = ", ".join(f.endings[0] for f in FORMATS if f.depths)
        raise ParameterError(f"cannot write {ending or 'a file without an ending'!r}; choose one of {names}") from None


def encode(image: Array, ending: str) -> bytes:
    """Return `image`, RGB or RGBA where it has colour, as the content of a file with `ending`.

    Raises
    ------
    ParameterError
        If the format cannot hold the image's type.
    ShapeError, DtypeError
        If it is no image.
    """
    kind = writable(ending)
    image = as_array(image)
    if not isinstance(image, np.ndarray):
        raise DtypeError(
            f"expected a NumPy array (rows, columns) or (rows, columns, channels) to write; found a tensor of shape "
            f"{tuple(image.shape)}. Convert it with numpy(force=True); move the channels to the end first"
        )
    image = image.astype(image.dtype.newbyteorder("="), copy=False)
    if kind.name == "Zarr":
        raise ParameterError("a Zarr is written of what TIFF or Zarr hold; write .tif or .npy of this image")
    if kind.name == "NPY":
        buffer = io.BytesIO()
        np.save(buffer, image, allow_pickle=False)
        return buffer.getvalue()
    if image.dtype == bool:
        image = image.astype(np.uint8) * 255
    depth = {"uint8": "8", "uint16": "16", "float32": "float", "float64": "float"}.get(image.dtype.name)
    if depth not in kind.depths:
        raise ParameterError(f"{kind.name} cannot hold {image.dtype}; write .tif or .npy, or choose another depth")
    if image.ndim not in (2, 3) or 0 in image.shape or (image.ndim == 3 and image.shape[2] not in (1, 3, 4)):
        raise ShapeError(f"{kind.name} holds (rows, columns) or (rows, columns, 1, 3 or 4); found {image.shape}")
    if kind.name == "PNG" and available():
        return encode_png(image)
    if image.ndim == 3 and image.shape[2] > 1:
        image = swap_red_and_blue(image)
    done, data = cv2.imencode(ending.lower(), image, _PARAMETERS.get(kind.name, ()))
    if not done:
        raise ParameterError(f"{kind.name} cannot hold an image of shape {image.shape} and type {image.dtype}")
    return data.tobytes()


def write_image(path: str | os.PathLike[str], image: Any) -> None:
    """Write an image file; the ending chooses the format.

    Parameters
    ----------
    path : path
        A file, or its URL. Ends in .png, .jpg, .tif, .webp or .npy. What is there is replaced, in one step.
    image : ndarray
        (H, W) or (H, W, 3) in RGB order; uint8, for PNG and TIFF uint16, for TIFF float32 and
        float64, for NPY anything. A mask of bool is written as 0 and 255, to NPY as it is.

    Raises
    ------
    ParameterError
        If the format is not known or cannot hold the image.
    OutputError
        If the file cannot be written.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> ek.write_image("response.tif", np.zeros((2, 2), np.float32))
    """
    path = path_of(path)
    place(encode(image, path.suffix), path)


def place(data: bytes, path: Path, before: Callable[[os.stat_result], None] | None = None) -> None:
    """Write a file whole or not at all: beside its place first, then by one rename.

    Parameters
    ----------
    before : callable, optional
        Called with the finished file's status just before it appears under its name; for a store, just after.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    with placing(path, before) as file:
        file.write(data)


@contextlib.contextmanager
def placing(path: Path, before: Callable[[os.stat_result], None] | None = None) -> Iterator[BinaryIO]:
    """Open a file to be written as `place` does; it appears when the block ends well."""
    with drafting(path) as (file, made):
        yield file
    publish(made, before)


@dataclass
class Draft:
    """A file that is being written beside its place, or was; for `publish`, in this process or another.

    Parameters
    ----------
    path : Path
        Its place; of an object, with what the store said when it was written.
    extent : int
        Its bytes, or its entries if it is a folder: by these it is told from one that somebody else has just begun,
        since drafts of one place have one name. Times and numbers of files would tell more, but not every file system
        shows the same ones to all machines.
    """

    path: Path
    extent: int = 0


def draft(data: bytes, path: Path) -> Draft:
    """Write a file beside its place, whole or not at all; `publish` lets it appear there, `discard` takes it away.

    An object in a store is written to its place: that happens whole or not at all, and nothing there can be renamed.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    with drafting(path) as (file, made):
        file.write(data)
    return made


@contextlib.contextmanager
def drafting(path: Path) -> Iterator[tuple[BinaryIO, Draft]]:
    """Open a file to be written as `draft` does; raise if somebody else is writing it."""
    made = Draft(path)
    with _or_nothing(path):
        if isinstance(path, StorePath):
            content = io.BytesIO()
            yield content, made
            path.write_bytes(content.getvalue())
            return
        part = _part(path)
        with _begun(part, lambda: part.open("xb")) as file:
            _lock(file.fileno(), part)
            yield file, made
            # While it is locked: others may have begun anew as soon as it is not.
            file.flush()
            made.extent = os.fstat(file.fileno()).st_size


@contextlib.contextmanager
def drafting_folder(path: Path) -> Iterator[tuple[Path, Draft]]:
    """Give an empty folder to be filled as `draft` writes a file; raise if somebody else is at it."""
    made, part = Draft(path), _part(path)
    with _or_nothing(path):
        _begun(part, part.mkdir)
        with _held(part):
            yield part, made
            made.extent = _extent(part)


def _begun(part: Path, make: Callable[[], T]) -> T:
    """Make a draft's file or folder, in place of what was left there; raise if somebody else has just done so."""
    part.parent.mkdir(parents=True, exist_ok=True)
    # What is there is never written into: it may be a link.
    _take_away(part)
    try:
        return make()
    except FileExistsError as error:
        raise BlockingIOError from error


def _extent(part: Path) -> int:
    return len(list(part.iterdir())) if part.is_dir() else part.lstat().st_size


def publish(made: Draft, before: Callable[[os.stat_result], None] | None = None) -> None:
    """Let a draft appear under its name, in one step.

    Parameters
    ----------
    before : callable, optional
        Called with the finished file's status just before; with an object's, which is there already.

    Raises
    ------
    OutputError
        If it cannot appear; the draft is gone then, unless it is somebody else's by now.
    """
    path = made.path
    with _or_nothing(path):
        if isinstance(path, StorePath):
            if before is not None:
                before(path.stat())
            return
        part = _part(path)
        with _held(part):
            if _extent(part) != made.extent:
                raise BlockingIOError
            if before is not None:
                before(part.lstat())
            _replace(path, part)


def _replace(path: Path, part: Path) -> None:
    """Let a draft take its place."""
    if not (part.is_dir() and path.is_dir()):
        part.replace(path)
        return
    # Nothing replaces a folder in one step: what was there stands aside until its successor has its place.
    old = path.with_name(fitting(f".{path.name}", ".edgekit-old"))
    _take_away(old)
    path.replace(old)
    part.replace(path)
    _take_away(old)


def discard(path: Path) -> None:
    """Take away the draft of a file or folder, if there is one and nobody is writing it; an object stays."""
    if isinstance(path, StorePath):
        return
    with contextlib.suppress(OSError):
        _take_away(_part(path))


@contextlib.contextmanager
def _or_nothing(path: Path) -> Iterator[None]:
    """Leave no draft of one's own behind where the block ends badly."""
    try:
        yield
    except BlockingIOError as error:
        raise OutputError(f"{path}: something else is writing this very file; let one do it") from error
    except BaseException as error:
        discard(path)
        # What edgekit says of its own names the file already.
        if isinstance(error, OSError) and not isinstance(error, EdgekitError):
            raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error
        raise


def _take_away(part: Path) -> None:
    """Remove a draft, or whatever has its name; raise if somebody is writing it."""
    try:
        with _held(part):
            if part.is_dir():
                shutil.rmtree(part)
            else:
                part.unlink()
    except FileNotFoundError:
        pass
    except BlockingIOError:
        raise
    except OSError:
        # A link is not followed.
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def _held(part: Path) -> Iterator[None]:
    """Keep a draft from being written or taken away by others."""
    if sys.platform == "win32":
        # Nobody can rename or remove what is open there, this process included.
        yield
        return
    try:
        access = os.O_RDONLY if part.is_dir() else os.O_RDWR
        file = os.open(part, access | os.O_NOFOLLOW | os.O_NONBLOCK)
    except PermissionError:
        # Another user's; or the umask lets nobody write, its maker included.
        yield
        return
    try:
        _lock(file, part)
        yield
    finally:
        os.close(file)


def _lock(file: int, part: Path) -> None:
    """Lock an open file until it is closed; raise if somebody else has it, or its name is another file's by now.

    The system takes the lock back from whoever dies. Where a file system has none nothing keeps two writers of one file
    apart.
    """
    if sys.platform == "win32":
        return
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:
        pass
    with contextlib.suppress(FileNotFoundError):
        if os.path.samestat(os.fstat(file), part.lstat()):
            return
    raise BlockingIOError


def _part(path: Path) -> Path:
    """Name the unfinished file: always the same for one output, so that what a killed run left is found again."""
    return path.with_name(fitting(f".{path.name}", ".edgekit-part"))


def fitting(stem: str, rest: str) -> str:
    """Return a name that file systems take: of a stem that is too long its begin, and a checksum of all of it.

    Examples
    --------
    >>> fitting("photo", ".sobel.png")
    'photo.sobel.png'
    >>> len(fitting(255 * "a", ".sobel.png"))
    255
    """
    name = os.fsencode(stem)
    if len(name + os.fsencode(rest)) <= LONGEST_NAME:
        return stem + rest
    end = f"-{hashlib.blake2b(name, digest_size=8).hexdigest()}{rest}"
    # By characters, so that none is cut in two.
    while stem and len(os.fsencode(stem + end)) > LONGEST_NAME:
        stem = stem[:-1]
    return stem + end
