"""URLs: which object in which store they name, and how they are shown without secrets. Standard library only."""

import functools
import os
import re
from collections.abc import Mapping
from pathlib import PurePath, PurePosixPath
from typing import Any, NamedTuple, Self

#: Object stores: their names may contain ? and # as ordinary characters.
OBJECT_STORES = ("s3", "s3a", "gs", "gcs")

#: Schemes without a way to list a folder.
WEB_SCHEMES = ("http", "https")

#: What a store says about an object, with the keys of fsspec.
ObjectInfo = Mapping[str, Any]

#: Shown in place of a secret.
MASK = "***"

_URL = re.compile(r"(?P<scheme>[A-Za-z][\w+.\-]+)://(?P<location>.*?)(?P<rest>::.*)?", re.DOTALL)
_URL_IN_TEXT = re.compile(r"[A-Za-z][\w+.\-]+://[^\s'\"<>]+")
_USER = re.compile(r"(?<=://)[^/?#]*@")
_SECRET = re.compile(
    r"([?&;#](?:[^=&;#]*(?:sig|token|secret|pass|pwd|auth|access|cred|session|policy|hmac|jwt|apikey)[^=&;#]*"
    r"|(?:[^=&;#]*[-_])?key|code)=)[^&;#]*",
    re.IGNORECASE,
)


def is_url(text: str) -> bool:
    """Tell whether a text is a URL; other texts are names of local files.

    Examples
    --------
    >>> is_url("s3://bucket/a.png"), is_url("a.png"), is_url("C:/a.png")
    (True, False, False)
    """
    return _URL.fullmatch(text) is not None


def redacted(text: str) -> str:
    """Return a text in which the passwords and signatures of all URLs are masked.

    Examples
    --------
    >>> redacted("no answer from https://me:secret@host/a.png?width=9&X-Amz-Signature=3fa9")
    'no answer from https://***@host/a.png?width=9&X-Amz-Signature=***'
    """
    return _URL_IN_TEXT.sub(lambda found: _redacted_url(found[0]), text)


def _redacted_url(url: str) -> str:
    chained = _USER.sub(f"{MASK}@", url).split("::")
    stores = tuple(f"{scheme}://" for scheme in OBJECT_STORES)
    return "::".join(one if one.startswith(stores) else _SECRET.sub(rf"\1{MASK}", one) for one in chained)


class UrlParts(NamedTuple):
    """The parts of a URL.

    Attributes
    ----------
    scheme : str
        Such as ``s3``.
    location : str
        Host or bucket, and the path in it.
    rest : str
        The query; or ``::`` and the URL of the archive that contains the object.
    """

    scheme: str
    location: str
    rest: str


@functools.total_ordering
class Url:
    """The name of an object or a folder in a store, with the attributes of a `pathlib.PurePath`.

    ``str`` shows no secret; `url` is the whole URL.

    Parameters
    ----------
    url : str
        Such as ``s3://bucket/photos/1.jpg``.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    def __str__(self) -> str:
        return _redacted_url(self.url)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return self.url == other.url if isinstance(other, Url) else NotImplemented

    def __lt__(self, other: object) -> bool:
        return self.url < other.url if isinstance(other, Url) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.url)

    def __truediv__(self, other: "str | os.PathLike[str]") -> Self:
        below = PurePath(other).as_posix()
        return self if below == "." else self.with_location(f"{self.url_parts.location.rstrip('/')}/{below}")

    @property
    def url_parts(self) -> UrlParts:
        """The parts of the URL."""
        found = _URL.fullmatch(self.url)
        if found is None:
            raise ValueError(f"{redacted(self.url)} is not a URL")
        scheme, location, rest = found["scheme"], found["location"], found["rest"] or ""
        if scheme not in OBJECT_STORES and (query := re.search(r"[?#]", location)):
            location, rest = location[: query.start()], location[query.start() :] + rest
        return UrlParts(scheme, location, rest)

    def with_location(self, location: str) -> Self:
        """Return the URL of another location in the same store."""
        scheme, _, rest = self.url_parts
        return type(self)(f"{scheme}://{location}{rest}")

    @property
    def scheme(self) -> str:
        """The part of the URL that names the kind of store."""
        return self.url_parts.scheme

    @property
    def name(self) -> str:
        """The last component of the location."""
        return self.url_parts.location.rstrip("/").rpartition("/")[2]

    @property
    def suffix(self) -> str:
        """The extension of the name, with its dot."""
        return PurePosixPath(self.name).suffix

    @property
    def stem(self) -> str:
        """The name without its extension."""
        return PurePosixPath(self.name).stem

    @property
    def parent(self) -> Self:
        """The folder that contains the object."""
        return self.with_location(self.url_parts.location.rstrip("/").rpartition("/")[0])

    def absolute(self) -> Self:
        """Return the URL itself: URLs are absolute."""
        return self

    def resolve(self, strict: bool = False) -> Self:
        """Return the URL itself: stores have no links."""
        return self

    def as_posix(self) -> str:
        """Return the text without secrets."""
        return str(self)

    def is_relative_to(self, other: object) -> bool:
        """Tell whether the object is below another URL."""
        return isinstance(other, Url) and self.url.startswith(other.url.rstrip("/") + "/")
