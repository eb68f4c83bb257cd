"""Files in stores: what a URL names, with the part of `pathlib.Path` that the rest of the package needs.

The only module that knows what a URL is; fsspec, which speaks to the stores, is loaded at the first request.
"""

import functools
import glob
import hashlib
import os
import re
import stat
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path, PurePath, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

from edgekit.errors import UnreadableError

if TYPE_CHECKING:
    from concurrent.futures import Future

T = TypeVar("T")
Info = Mapping[str, Any]

#: Stores in whose names a question mark is a letter like others.
PLAIN = ("s3", "s3a", "gs", "gcs")

#: What cannot list.
WEB = ("http", "https")

#: Requests under way at a time.
REQUESTS = 16

#: What hides behind ``***``.
HIDDEN = "***"

_URL = re.compile(r"(?P<scheme>[A-Za-z][\w+.\-]+)://(?P<place>.*?)(?P<rest>::.*)?", re.DOTALL)
_FOUND = re.compile(r"[A-Za-z][\w+.\-]+://[^\s'\"<>]+")
_USER = re.compile(r"(?<=://)[^/?#]*@")
_SECRET = re.compile(
    r"([?&;#](?:[^=&;#]*(?:sig|token|secret|pass|pwd|auth|access|cred|session|policy|hmac|jwt|apikey)[^=&;#]*"
    r"|(?:[^=&;#]*[-_])?key|code)=)[^&;#]*",
    re.IGNORECASE,
)


def is_url(text: str) -> bool:
    """Tell whether a text is a URL, and not the name of a local file.

    Examples
    --------
    >>> is_url("s3://bucket/a.png"), is_url("a.png"), is_url("C:/a.png")
    (True, False, False)
    """
    return _URL.fullmatch(text) is not None


def path_of(text: str | Path) -> Path:
    """Return a local path, or a `StorePath` for what a URL names: it has what is used of a path here."""
    if not isinstance(text, str) or not is_url(text):
        return Path(text) if isinstance(text, str) else text
    if text.startswith(("file://", "local://")):
        # Local runs start sooner without.
        from urllib.parse import urlsplit
        from urllib.request import url2pathname

        return Path(url2pathname(urlsplit(text).path))
    return cast(Path, StorePath(text))


def require() -> None:
    """Raise `MissingExtraError` unless URLs can be opened."""
    # Loaded for its error alone.
    from edgekit.io import _fsspec  # noqa: F401


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


def redacted(text: str) -> str:
    """Return a text with the passwords and signatures in its URLs hidden.

    Examples
    --------
    >>> redacted("no answer from https://me:secret@host/a.png?width=9&X-Amz-Signature=3fa9")
    'no answer from https://***@host/a.png?width=9&X-Amz-Signature=***'
    """
    return _FOUND.sub(lambda found: _shown(found[0]), text)


def _shown(url: str) -> str:
    hidden = _USER.sub(f"{HIDDEN}@", url)
    parts = hidden.split("::")
    return "::".join(
        p if p.startswith(tuple(f"{s}://" for s in PLAIN)) else _SECRET.sub(rf"\1{HIDDEN}", p) for p in parts
    )


class _Parts(NamedTuple):
    """A URL: its scheme, the place in the store, and what comes behind: a query, or the store around an archive."""

    scheme: str
    place: str
    rest: str

    def at(self, place: str) -> str:
        return f"{self.scheme}://{place}{self.rest}"


def _parts(url: str) -> _Parts:
    found = _URL.fullmatch(url)
    if found is None:
        raise ValueError(f"{redacted(url)} is no URL")
    scheme, place, rest = found["scheme"], found["place"], found["rest"] or ""
    if scheme not in PLAIN and (query := re.search(r"[?#]", place)):
        place, rest = place[: query.start()], place[query.start() :] + rest
    return _Parts(scheme, place, rest)


@functools.total_ordering
class StorePath:
    """An object in a store, or a folder of them. Its text shows no secret; only the store gets to see the whole URL.

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
        self.url = url
        self._info = info
        self._missing: FileNotFoundError | None = None

    def __str__(self) -> str:
        return _shown(self.url)

    def __repr__(self) -> str:
        return f"StorePath({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return self.url == other.url if isinstance(other, StorePath) else NotImplemented

    def __lt__(self, other: object) -> bool:
        return self.url < other.url if isinstance(other, StorePath) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.url)

    def __truediv__(self, other: str | PurePath) -> "StorePath":
        below = PurePath(other).as_posix()
        parts = _parts(self.url)
        return self if below == "." else StorePath(parts.at(f"{parts.place.rstrip('/')}/{below}"))

    @property
    def scheme(self) -> str:
        """The part of the URL that tells which store it is."""
        return _parts(self.url).scheme

    @property
    def name(self) -> str:
        """The last part of its place."""
        return _parts(self.url).place.rstrip("/").rpartition("/")[2]

    @property
    def suffix(self) -> str:
        """The ending of its name."""
        return PurePosixPath(self.name).suffix

    @property
    def stem(self) -> str:
        """Its name without the ending."""
        return PurePosixPath(self.name).stem

    @property
    def parent(self) -> "StorePath":
        """What holds it."""
        parts = _parts(self.url)
        return StorePath(parts.at(parts.place.rstrip("/").rpartition("/")[0]))

    def absolute(self) -> "StorePath":
        """Return itself: there is no other place to start from."""
        return self

    resolve = absolute

    def as_posix(self) -> str:
        """Return its text."""
        return str(self)

    def is_relative_to(self, other: object) -> bool:
        """Tell whether it lies below another."""
        return isinstance(other, StorePath) and self.url.startswith(other.url.rstrip("/") + "/")

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

        parts = _parts(self.url)
        base = parts.place.rstrip("/")
        for below, info in _fsspec.listing(StorePath(parts.at(base)), recursive=recursive):
            names = below.split("/")
            # Names such as ".." do not lead out of an output folder either.
            if names[-1] and not any(name.startswith(".") for name in names):
                yield StorePath(parts.at(f"{base}/{below}"), info), PurePath(*filter(None, names))

    def matches(self) -> Iterator[tuple["StorePath", PurePath]]:
        """Give the objects that it means as a glob, with their places below its part without wildcards."""
        from edgekit.io import _fsspec

        parts = _parts(self.url)
        names = parts.place.split("/")
        fixed = next(i for i, name in enumerate(names) if glob.has_magic(name))
        pattern = _fsspec.pattern("/".join(names[fixed:]))
        base = StorePath(parts.at("/".join(names[:fixed])))
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
