"""URLs: what they name in which store, and what of them is shown. Standard library only."""

import functools
import re
from collections.abc import Mapping
from pathlib import PurePath, PurePosixPath
from typing import Any, NamedTuple, Self

#: Stores in whose names a question mark is a letter like others.
PLAIN = ("s3", "s3a", "gs", "gcs")

#: What cannot list.
WEB = ("http", "https")

#: What a store says of an object, by fsspec's names.
Info = Mapping[str, Any]

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


class Parts(NamedTuple):
    """A URL: its scheme, the place in the store, and what comes behind: a query, or the store around an archive."""

    scheme: str
    place: str
    rest: str


def _parts(url: str) -> Parts:
    found = _URL.fullmatch(url)
    if found is None:
        raise ValueError(f"{redacted(url)} is no URL")
    scheme, place, rest = found["scheme"], found["place"], found["rest"] or ""
    if scheme not in PLAIN and (query := re.search(r"[?#]", place)):
        place, rest = place[: query.start()], place[query.start() :] + rest
    return Parts(scheme, place, rest)


@functools.total_ordering
class Url:
    """The name of an object in a store, or of a folder of them, with what `pathlib.PurePath` tells of a path.

    Its text shows no secret; only the store gets to see the whole URL.

    Parameters
    ----------
    url : str
        Such as ``s3://bucket/photos/1.jpg``.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    def __str__(self) -> str:
        return _shown(self.url)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return self.url == other.url if isinstance(other, Url) else NotImplemented

    def __lt__(self, other: object) -> bool:
        return self.url < other.url if isinstance(other, Url) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.url)

    def __truediv__(self, other: str | PurePath) -> Self:
        below = PurePath(other).as_posix()
        return self if below == "." else self.at(f"{self.parts.place.rstrip('/')}/{below}")

    @property
    def parts(self) -> Parts:
        """What it is made of."""
        return _parts(self.url)

    def at(self, place: str) -> Self:
        """Return the URL of another place in the store."""
        scheme, _, rest = self.parts
        return type(self)(f"{scheme}://{place}{rest}")

    @property
    def scheme(self) -> str:
        """The part of the URL that tells which store it is."""
        return self.parts.scheme

    @property
    def name(self) -> str:
        """The last part of its place."""
        return self.parts.place.rstrip("/").rpartition("/")[2]

    @property
    def suffix(self) -> str:
        """The ending of its name."""
        return PurePosixPath(self.name).suffix

    @property
    def stem(self) -> str:
        """Its name without the ending."""
        return PurePosixPath(self.name).stem

    @property
    def parent(self) -> Self:
        """What holds it."""
        return self.at(self.parts.place.rstrip("/").rpartition("/")[0])

    def absolute(self) -> Self:
        """Return itself: there is no other place to start from."""
        return self

    resolve = absolute

    def as_posix(self) -> str:
        """Return its text."""
        return str(self)

    def is_relative_to(self, other: object) -> bool:
        """Tell whether it lies below another."""
        return isinstance(other, Url) and self.url.startswith(other.url.rstrip("/") + "/")
