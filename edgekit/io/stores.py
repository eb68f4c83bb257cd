"""Files in stores, with the part of `pathlib.Path` that the rest of the package needs. May import errors and urls.

fsspec, which speaks to the stores, is loaded at the first request.
"""

import glob
import hashlib
import os
import stat
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, TypeVar, cast

from edgekit.errors import UnreadableError
from edgekit.io.urls import WEB, Info, Url, is_url

if TYPE_CHECKING:
    from concurrent.futures import Future

T = TypeVar("T")

#: Requests under way at a time.
REQUESTS = 16


def path_of(text: "str | os.PathLike[str] | StorePath") -> Path:
    """Return a local path, or a `StorePath` for what a URL names: it has what is used of a path here."""
    if isinstance(text, StorePath):
        return cast(Path, text)
    if not isinstance(text, str) or not is_url(text):
        return Path(text)
    if text.startswith(("file://", "local://")):
        # Local runs start sooner without.
        from urllib.parse import urlsplit
        from urllib.request import url2pathname

        return Path(url2pathname(urlsplit(text).path))
    return cast(Path, StorePath(text))


def require() -> None:
    """Raise `MissingExtraError` unless URLs can be opened."""
    from edgekit.io import _fsspec  # noqa: F401 - for its error alone


def real(path: str | Path) -> str:
    """Return what all names of one file have in common."""
    text = str(path)
    return text if is_url(text) else os.path.realpath(text)


def ahead(items: Iterable[T], paths: Callable[[T], Iterable[Path]]) -> Iterator[T]:
    """Give items as they are, a few ahead of which the stores are asked what they know of their paths."""
    waiting: deque[tuple[T, list[Future[bool]]]] = deque()
    with ExitStack() as opened:
        pool: Any = None
        for item in items:
            remote = [path for path in paths(item) if isinstance(path, StorePath) and not path.known]
            if not remote and not waiting:
                yield item
                continue
            if pool is None:
                # Local runs start sooner without.
                from concurrent.futures import ThreadPoolExecutor

                pool = opened.enter_context(ThreadPoolExecutor(REQUESTS))
            waiting.append((item, [pool.submit(path.exists) for path in remote]))
            if len(waiting) > REQUESTS:
                yield _asked(*waiting.popleft())
        while waiting:
            yield _asked(*waiting.popleft())


def _asked(item: T, answers: "list[Future[bool]]") -> T:
    for answer in answers:
        # What is wrong is said when the path is used.
        answer.exception()
    return item


class StorePath(Url):
    """An object in a store, or a folder of them.

    What the store says of an object is asked once, and anew after it was written. Methods raise
    OSError as those of `pathlib.Path` do, after they tried several times where that may help.

    Parameters
    ----------
    url : str
        Such as ``s3://bucket/photos/1.jpg``.
    info : mapping, optional
        What a listing said of it.
    """

    def __init__(self, url: str, info: Info | None = None) -> None:
        super().__init__(url)
        self._info = info
        self._missing: FileNotFoundError | None = None

    @property
    def known(self) -> bool:
        """Whether the store has said already what there is, or that there is nothing."""
        return self._info is not None or self._missing is not None

    def stat(self) -> os.stat_result:
        """Return size and time of the last change, whose nanoseconds are made of the ETag: stores count seconds."""
        if self._missing is not None:
            raise self._missing.with_traceback(None)
        if self._info is None:
            from edgekit.io import _fsspec

            try:
                self._info = _fsspec.info(self)
            except FileNotFoundError as error:
                self._missing = error
                raise
        return _status(self._info)

    lstat = stat

    def exists(self) -> bool:
        """Tell whether there is an object; raise `UnreadableError` where the store does not say."""
        try:
            return stat.S_ISREG(self.stat().st_mode)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise UnreadableError(f"{self}: cannot be looked at: {error.strerror}") from None

    def is_dir(self) -> bool:
        """Tell whether objects lie below; raise `UnreadableError` where the store does not say."""
        if self.scheme in WEB:
            return False
        try:
            return next(self.files(recursive=True), None) is not None
        except (FileNotFoundError, PermissionError, NotADirectoryError):
            return False
        except OSError as error:
            raise UnreadableError(f"{self}: cannot be listed: {error.strerror}") from None

    def head(self, count: int) -> bytes:
        """Return its first bytes."""
        from edgekit.io import _fsspec

        return _fsspec.head(self, count)

    def read_bytes(self) -> bytes:
        """Return its content, as long as the store said."""
        from edgekit.io import _fsspec

        return _fsspec.whole(self, self._info)

    def write_bytes(self, data: bytes) -> int:
        """Write it whole."""
        from edgekit.io import _fsspec

        self._info = self._missing = None
        self._info = _fsspec.write(self, data)
        return len(data)

    def files(self, *, recursive: bool) -> Iterator[tuple["StorePath", PurePath]]:
        """Give the objects below with their places there, as the store lists them; hidden ones are left out."""
        from edgekit.io import _fsspec

        scheme, place, rest = self.parts
        base = place.rstrip("/")
        for below, info in _fsspec.listing(self.at(base), recursive=recursive):
            names = below.split("/")
            # Names such as ".." do not lead out of an output folder either.
            if names[-1] and not any(name.startswith(".") for name in names):
                yield StorePath(f"{scheme}://{base}/{below}{rest}", info), PurePath(*filter(None, names))

    def matches(self) -> Iterator[tuple["StorePath", PurePath]]:
        """Give the objects that it means as a glob, with their places below its part without wildcards."""
        from edgekit.io import _fsspec

        names = self.parts.place.split("/")
        fixed = next(i for i, name in enumerate(names) if glob.has_magic(name))
        pattern = _fsspec.pattern("/".join(names[fixed:]))
        base = self.at("/".join(names[:fixed]))
        for path, place in base.files(recursive=fixed < len(names) - 1):
            if pattern.match(place.as_posix()):
                yield path, place


#: What stores call the time of the last change, and the mark of a version.
_TIMES = ("LastModified", "last_modified", "Last-Modified", "updated", "mtime", "modified", "created")
_MARKS = ("ETag", "etag", "Content-MD5", "md5Hash")


def _size(info: Info) -> int | None:
    size = info.get("size")
    return None if size is None else int(size)


def _status(info: Info) -> os.stat_result:
    """Return what a store says of an object as the status of a file."""
    seconds = next((_seconds(info[k]) for k in _TIMES if info.get(k)), None)
    mark = next((str(info[k]).strip('"') for k in _MARKS if info.get(k)), "")
    if seconds is None and not mark:
        # It cannot be told from what it was before, so it counts as changed.
        nanoseconds = time.time_ns()
    elif not mark:
        nanoseconds = round((seconds or 0.0) * 1e9)
    else:
        digest = hashlib.blake2b(mark.encode(), digest_size=8).digest()
        nanoseconds = int(seconds or 0) * 10**9 + int.from_bytes(digest) % 10**9
    kind = stat.S_IFDIR if info.get("type") == "directory" else stat.S_IFREG
    seconds = nanoseconds // 10**9
    return os.stat_result(
        (kind | 0o644, 0, 0, 1, 0, 0, _size(info) or 0, seconds, seconds, seconds), {"st_mtime_ns": nanoseconds}
    )


def _seconds(value: Any) -> float:
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, int | float):
        return float(value)
    try:
        return datetime.fromisoformat(value).timestamp()
    except ValueError:
        from email.utils import parsedate_to_datetime

        return parsedate_to_datetime(value).timestamp()
