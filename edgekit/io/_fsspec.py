"""Requests to stores, tried again where that may help. Loads fsspec, of the extra ``remote``."""

import errno
import functools
import os
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from edgekit.common.extras import install_command
from edgekit.errors import EdgekitError, MissingExtraError, ParameterError
from edgekit.io.urls import PLAIN, WEB, Info, Url, redacted

try:
    import fsspec
    import tenacity
    from fsspec.core import url_to_fs
    from fsspec.utils import glob_translate
except ModuleNotFoundError as error:
    raise MissingExtraError(f"URLs need {error.name}: {install_command('remote')}") from None

T = TypeVar("T")

#: How often a request is tried, and how long it waits in between in seconds: up to so long at first, twice that each
#: time, and never longer.
ATTEMPTS, PAUSE, LONGEST_PAUSE = 6, 0.5, 20.0

#: Seconds without a byte after which a request counts as failed.
PATIENCE = 30.0

#: Names that one request lists; the limit of S3 and Google.
PAGE = 1000

#: What HTTP answers where another attempt may succeed, beside 5xx.
_LATER = (408, 425, 429)

#: What S3 says for the same, whatever its number.
_SLOWER = ("SlowDown", "Throttl", "RequestTimeout", "TooManyRequests", "InternalError", "ServiceUnavailable")


class ShortError(ConnectionError):
    """A body that is shorter or longer than the store said."""


def info(path: Url) -> Info:
    """Return what the store says of an object."""
    found: Info = _call(path, lambda fs, key: fs.info(key))
    return found


def head(path: Url, count: int) -> bytes:
    """Return an object's first bytes."""
    found: bytes = _call(path, lambda fs, key: fs.cat_file(key, start=0, end=count))
    return found


def whole(path: Url, known: Info | None) -> bytes:
    """Return an object's content, as long as the store said; `known` is what it said before."""
    last = known

    def attempt(fs: Any, key: str) -> bytes:
        nonlocal last
        last = last or fs.info(key)
        data: bytes = fs.cat_file(key)
        expected = last.get("size")
        if expected is not None and len(data) != int(expected):
            # What was replaced since it was listed is asked for anew.
            last = None
            raise ShortError(f"expected {expected} bytes; {len(data)} came")
        return data

    return _call(path, attempt)


def write(path: Url, data: bytes) -> Info:
    """Write an object whole, and return what the store then says of it."""

    def attempt(fs: Any, key: str) -> Info:
        if path.scheme not in (*PLAIN, *WEB):
            fs.makedirs(fs._parent(key), exist_ok=True)
        fs.pipe_file(key, data)
        made: Info = fs.info(key)
        if made.get("size") not in (None, len(data)):
            raise ShortError(f"wrote {len(data)} bytes; {made['size']} arrived")
        return made

    return _call(path, attempt)


def pattern(text: str) -> re.Pattern[str]:
    """Return the expression that a glob stands for; ``**`` crosses folders."""
    return re.compile(glob_translate(text))


def listing(folder: Url, *, recursive: bool) -> Iterator[tuple[str, Info]]:
    """Give the names below a folder with what the store says of each, a page at a time."""
    pages = {"s3": _s3_pages, "s3a": _s3_pages, "gs": _gs_pages, "gcs": _gs_pages}.get(folder.scheme)
    if pages is None:
        yield from _by_folder(folder, recursive)
        return
    _, key = _opened(folder.url)
    bucket, _, inside = key.partition("/")
    prefix = f"{inside}/" if inside else ""
    for name, about in pages(folder, bucket, prefix, {} if recursive else {"delimiter": "/"}):
        yield name.removeprefix(prefix), about


def _s3_pages(folder: Url, bucket: str, prefix: str, how: dict[str, str]) -> Iterator[tuple[str, Info]]:
    asked = {"Bucket": bucket, "Prefix": prefix, "MaxKeys": PAGE} | {k.title(): v for k, v in how.items()}
    while True:
        page = _call(folder, lambda fs, key: fs.call_s3("list_objects_v2", **asked))
        for one in page.get("Contents", ()):
            yield one["Key"], {**one, "size": one["Size"]}
        if not page.get("IsTruncated"):
            return
        asked["ContinuationToken"] = page["NextContinuationToken"]


def _gs_pages(folder: Url, bucket: str, prefix: str, how: dict[str, str]) -> Iterator[tuple[str, Info]]:
    asked: dict[str, Any] = {"prefix": prefix, "maxResults": PAGE, **how}
    while True:
        page = _call(folder, lambda fs, key: fs.call("GET", "b/{}/o", bucket, json_out=True, **asked))
        for one in page.get("items", ()):
            yield one["name"], one
        if not page.get("nextPageToken"):
            return
        asked["pageToken"] = page["nextPageToken"]


def _by_folder(folder: Url, recursive: bool) -> Iterator[tuple[str, Info]]:
    """List one folder after the other: what every file system of fsspec can do."""
    root = _opened(folder.url)[1].strip("/")
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        for entry in _call(here, lambda fs, key: fs.ls(key, detail=True)):
            below = entry["name"].strip("/").removeprefix(root).strip("/")
            if entry["type"] != "directory":
                yield below, entry
            elif recursive and below:
                waiting.append(folder / below)


def _call(path: Url, attempt: Callable[[Any, str], T]) -> T:
    """Return what a request gives; raise OSError, in which nothing secret stands."""
    tries = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        wait=tenacity.wait_random_exponential(multiplier=PAUSE, max=LONGEST_PAUSE),
        retry=tenacity.retry_if_exception(transient),
        reraise=True,
    )
    try:
        fs, key = _opened(path.url)
        return tries(attempt, fs, key)
    except EdgekitError:
        raise
    except Exception as error:
        raised = _said(error, path)
    # Beyond the handler: what the libraries raised holds the whole URL, and would hang on as context.
    raise raised


def _said(error: Exception, path: Url) -> OSError:
    """Return an error in the words of the store, with what to do."""
    status, words = _answer(error)
    said = redacted((words or str(error)).replace(path.url, str(path))).strip().rstrip(".") or type(error).__name__
    if transient(error):
        return OSError(errno.EIO, f"the store failed {ATTEMPTS} times: {said}; run the command again later", str(path))
    if type(error).__name__ == "NoCredentialsError":
        hint = "log in (AWS_PROFILE, aws configure), or set FSSPEC_S3_ANON=true for what is public"
        return PermissionError(errno.EACCES, f"{said}; {hint}", str(path))
    if status in (401, 403) or isinstance(error, PermissionError):
        return PermissionError(errno.EACCES, f"the store refuses: {said}; check the credentials", str(path))
    if status in (404, 410) or isinstance(error, FileNotFoundError):
        return FileNotFoundError(errno.ENOENT, said, str(path))
    return OSError(errno.EIO, f"the store says: {said}", str(path))


def transient(error: BaseException) -> bool:
    """Tell whether another attempt may succeed: not where the store knows what it says."""
    for one in _chain(error):
        if isinstance(one, _broken()):
            return True
        status, words = _answer_of(one)
        if status is not None:
            return status >= 500 or status in _LATER or any(word in words for word in _SLOWER)
    return False


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Give an error and what led to it."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def _answer(error: BaseException) -> tuple[int | None, str]:
    """Return the number and the words of an answer, wherever a library keeps them."""
    return next((found for found in map(_answer_of, _chain(error)) if found[0] is not None), (None, ""))


def _answer_of(error: BaseException) -> tuple[int | None, str]:
    answer = getattr(error, "response", None)
    if isinstance(answer, dict):
        # botocore's.
        said = answer.get("Error", {})
        return answer.get("ResponseMetadata", {}).get("HTTPStatusCode"), f"{said.get('Code')}: {said.get('Message')}"
    # Those of aiohttp, Azure and Google.
    number = next((getattr(error, name) for name in ("status", "status_code", "code") if hasattr(error, name)), None)
    if not isinstance(number, int | str) or not str(number).isdigit():
        return None, ""
    return int(number), f"{number} {getattr(error, 'message', '') or error}"


def _broken() -> tuple[type[BaseException], ...]:
    """Return what connections raise that break; libraries that are not loaded raise nothing."""
    types: list[type[BaseException]] = [TimeoutError, ConnectionError, EOFError]
    if (aiohttp := sys.modules.get("aiohttp")) is not None:
        types += [aiohttp.ClientConnectionError, aiohttp.ClientPayloadError]
    if (botocore := sys.modules.get("botocore.exceptions")) is not None:
        types += [botocore.HTTPClientError, botocore.ResponseStreamingError, botocore.FlexibleChecksumError]
    return tuple(types)


def _opened(url: str) -> tuple[Any, str]:
    """Return the file system of a URL, and what it calls the object."""
    scheme = url.partition("://")[0]
    try:
        if scheme in (*PLAIN, *WEB) and "::" not in url:
            fs = _shared(scheme, os.getpid())
            return fs, fs._strip_protocol(url)
        fs, key = url_to_fs(url, use_listings_cache=False)
        return fs, key
    except ImportError as error:
        # What the extra does not bring, fsspec names.
        hint = f"; {install_command('remote')}" if scheme in (*PLAIN, *WEB) else ""
        raise MissingExtraError(f"{scheme}:// needs more: {error}{hint}") from None
    except ValueError as error:
        raise ParameterError(f"{redacted(url)}: {redacted(str(error))}; check the part before ://") from None


@functools.lru_cache
def _shared(scheme: str, process: int) -> Any:
    """Return the one file system of a scheme in a process: its threads share the connections.

    Listings are not kept: those of a large bucket would fill the memory. What is tried again, and
    when, is decided here alone.
    """
    options: dict[str, Any] = {}
    if scheme in ("s3", "s3a"):
        limits = {"connect_timeout": PATIENCE, "read_timeout": PATIENCE, "max_pool_connections": 64}
        # One request for each object, so that a body that breaks off is seen to.
        options = {"config_kwargs": {**limits, "retries": {"total_max_attempts": 1}}, "max_concurrency": 1}
    if scheme in WEB:
        import aiohttp

        limit = aiohttp.ClientTimeout(total=None, sock_connect=PATIENCE, sock_read=PATIENCE)
        # Passwords from .netrc, proxies from the environment.
        options = {"client_kwargs": {"timeout": limit, "trust_env": True}}
    fs = fsspec.filesystem(scheme, use_listings_cache=False, skip_instance_cache=True, **options)
    if scheme in ("s3", "s3a"):
        fs.retries = 1
    return fs
