"""Files in stores, with the methods of `pathlib.Path` that the package uses. May import `common` and what is below it.

fsspec, which sends the requests, is loaded at the first request.
"""

import glob
import os
import stat
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, TypeVar

from edgekit.common.choices import shown
from edgekit.errors import ParameterError, UnreadableError
from edgekit.io.urls import WEB_SCHEMES, ObjectInfo, Url, is_url

if TYPE_CHECKING:
    from concurrent.futures import Future

    # To type checkers a path in a store is a path, so that they compare its methods with those of pathlib.
    class _Path(Url, Path): ...  # type: ignore[misc]  # is_relative_to takes any object.

else:
    _Path = Url

T = TypeVar("T")

#: Number of requests at the same time.
MAX_REQUESTS = 16


def path_of(text: "str | os.PathLike[str] | StorePath") -> Path:
    """Return a `StorePath` for a URL, a `pathlib.Path` for everything else.

    Raises
    ------
    ParameterError
        If it is neither a path nor a URL.
    """
    if isinstance(text, StorePath):
        return text
    if not isinstance(text, str) or not is_url(text):
        try:
            path = Path(text)
        except TypeError:
            raise ParameterError(f"expected a path or a URL; found {shown(text)}") from None
        if "\0" in str(path):
            raise ParameterError(f"expected a path; found {shown(text)}, and no path has a null character")
        return path
    if text.startswith(("file://", "local://")):
        # Imported here: local runs start faster without.
        from urllib.parse import urlsplit
        from urllib.request import url2pathname

        return Path(url2pathname(urlsplit(text).path))
    return StorePath(text)


def require_fsspec() -> None:
    """Raise `MissingExtraError` if fsspec is not installed."""
    from edgekit.io import store_requests  # noqa: F401 - raises


def canonical_path(path: str | Path) -> str:
    """Return a text that is the same for all names of a file: symbolic links are resolved, URLs are unchanged."""
    text = str(path)
    return text if is_url(text) else os.path.realpath(text)


def prefetch_status(items: Iterable[T], paths: Callable[[T], Iterable[Path]]) -> Iterator[T]:
    """Give the items unchanged; request the status of the paths of the next items from the stores meanwhile."""
    waiting: deque[tuple[T, list[Future[bool]]]] = deque()
    with ExitStack() as stack:
        pool: Any = None
        for item in items:
            remote = [path for path in paths(item) if isinstance(path, StorePath) and not path.has_status]
            if not remote and not waiting:
                yield item
                continue
            if pool is None:
                # Imported here: local runs start faster without.
                from concurrent.futures import ThreadPoolExecutor

                pool = stack.enter_context(ThreadPoolExecutor(MAX_REQUESTS))
            waiting.append((item, [pool.submit(path.exists) for path in remote]))
            if len(waiting) > MAX_REQUESTS:
                yield _answered(*waiting.popleft())
        while waiting:
            yield _answered(*waiting.popleft())


def _answered(item: T, answers: "list[Future[bool]]") -> T:
    """Wait for the answers. Errors are ignored here: they are raised again when the path is used."""
    for answer in answers:
        answer.exception()
    return item


class StorePath(_Path):
    """An object in a store, or a folder of objects.

    The status is requested once, and again after the object was written. Methods raise OSError as those of
    `pathlib.Path` do. Requests that fail for a while are repeated first.

    Parameters
    ----------
    url : str
        Such as ``s3://bucket/photos/1.jpg``.
    info : mapping, optional
        What a listing said about the object.
    """

    def __init__(self, url: str, info: ObjectInfo | None = None) -> None:
        super().__init__(url)
        self._info = info
        self._missing: FileNotFoundError | None = None

    @property
    def has_status(self) -> bool:
        """Whether the store has already said that the object exists, or that it does not."""
        return self._info is not None or self._missing is not None

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """Return the size and the time of the last change.

        Stores count seconds. The nanoseconds are computed from the ETag, so that they differ if the content does.
        """
        if self._missing is not None:
            raise self._missing.with_traceback(None)
        if self._info is None:
            from edgekit.io import store_requests

            try:
                self._info = store_requests.info(self)
            except FileNotFoundError as error:
                self._missing = error
                raise
        return _status(self._info)

    def lstat(self) -> os.stat_result:
        """Return the same as `stat`: stores have no links."""
        return self.stat()

    def exists(self, *, follow_symlinks: bool = True) -> bool:
        """Tell whether the object exists; raise `UnreadableError` if the store does not say."""
        try:
            return stat.S_ISREG(self.stat().st_mode)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise UnreadableError(f"{self}: cannot be accessed: {error.strerror}") from None

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        """Tell whether there are objects below this URL; raise `UnreadableError` if the store does not say."""
        if self.scheme in WEB_SCHEMES:
            return False
        try:
            return next(self.files(recursive=True), None) is not None
        except (FileNotFoundError, PermissionError, NotADirectoryError):
            return False
        except OSError as error:
            raise UnreadableError(f"{self}: cannot be listed: {error.strerror}") from None

    def head(self, count: int) -> bytes:
        """Return the first bytes."""
        from edgekit.io import store_requests

        return store_requests.head(self, count)

    def read_bytes(self) -> bytes:
        """Return the content; its length is compared with the size that the store says."""
        from edgekit.io import store_requests

        return store_requests.read(self, self._info)

    def write_bytes(self, data: Any) -> int:
        """Write the object, whole or not at all."""
        from edgekit.io import store_requests

        self._info = self._missing = None
        self._info = store_requests.write(self, data)
        return len(data)

    def files(self, *, recursive: bool) -> Iterator[tuple["StorePath", PurePath]]:
        """Give the objects below this URL, each with its relative path. Hidden ones are skipped.

        They come in the order of the store's listing, before the listing is complete.
        """
        from edgekit.io import store_requests

        scheme, location, rest = self.url_parts
        base = location.rstrip("/")
        for below, info in store_requests.listing(self.with_location(base), recursive=recursive):
            names = below.split("/")
            # This also skips "..", which would lead out of an output folder.
            if names[-1] and not any(name.startswith(".") for name in names):
                yield StorePath(f"{scheme}://{base}/{below}{rest}", info), PurePath(*filter(None, names))

    def matches(self) -> Iterator[tuple["StorePath", PurePath]]:
        """Give the objects that match this URL as a glob, each relative to the part without wildcards."""
        from edgekit.io import store_requests

        names = self.url_parts.location.split("/")
        fixed = next(i for i, name in enumerate(names) if glob.has_magic(name))
        pattern = store_requests.glob_pattern("/".join(names[fixed:]))
        base = self.with_location("/".join(names[:fixed]))
        for path, relative in base.files(recursive=fixed < len(names) - 1):
            if pattern.match(relative.as_posix()):
                yield path, relative


#: The keys for the time of the last change, and for the checksum of the content, in different stores.
_TIME_KEYS = ("LastModified", "last_modified", "Last-Modified", "updated", "mtime", "modified", "created")
_CHECKSUM_KEYS = ("ETag", "etag", "Content-MD5", "md5Hash")


def _status(info: ObjectInfo) -> os.stat_result:
    """Return what a store says about an object as the status of a file."""
    seconds = next((_seconds(info[key]) for key in _TIME_KEYS if info.get(key)), None)
    checksum = next((str(info[key]).strip('"') for key in _CHECKSUM_KEYS if info.get(key)), "")
    if seconds is None and not checksum:
        # Nothing tells whether the object has changed, so it counts as changed.
        nanoseconds = time.time_ns()
    elif not checksum:
        nanoseconds = round((seconds or 0.0) * 1e9)
    else:
        # Imported here, as it takes milliseconds of every start.
        import hashlib

        digest = hashlib.blake2b(checksum.encode(), digest_size=8).digest()
        nanoseconds = int(seconds or 0) * 10**9 + int.from_bytes(digest) % 10**9
    kind = stat.S_IFDIR if info.get("type") == "directory" else stat.S_IFREG
    mode, links, size, seconds = kind | 0o644, 1, int(info.get("size") or 0), nanoseconds // 10**9
    return os.stat_result((mode, 0, 0, links, 0, 0, size, seconds, seconds, seconds), {"st_mtime_ns": nanoseconds})


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
