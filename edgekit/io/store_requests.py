"""Requests to stores, repeated where that may help. Loads fsspec, which the extra ``remote`` installs."""

import errno
import functools
import os
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from edgekit.common.extras import install_command
from edgekit.errors import EdgekitError, MissingExtraError, ParameterError
from edgekit.io.urls import OBJECT_STORES, WEB_SCHEMES, ObjectInfo, Url, redacted

try:
    import fsspec
    import tenacity
    from fsspec.core import url_to_fs
    from fsspec.utils import glob_translate
except ModuleNotFoundError as error:
    raise MissingExtraError(f"URLs need {error.name}: {install_command('remote')}") from None

T = TypeVar("T")

#: Attempts for one request, and the seconds between them: up to FIRST_WAIT, twice as many each time, at most
#: LONGEST_WAIT.
ATTEMPTS, FIRST_WAIT, LONGEST_WAIT = 6, 0.5, 20.0

#: Seconds without a byte after which an attempt fails.
READ_TIMEOUT = 30.0

#: Names in one answer of a listing; S3 and Google allow no more.
PAGE_SIZE = 1000

#: HTTP status codes after which another attempt may succeed, besides 5xx.
_TRANSIENT_CODES = (408, 425, 429)

#: Error codes of S3 that mean the same, whatever the HTTP status.
_TRANSIENT_WORDS = ("SlowDown", "Throttl", "RequestTimeout", "TooManyRequests", "InternalError", "ServiceUnavailable")


class WrongLengthError(ConnectionError):
    """The content is shorter or longer than the store said."""


def info(path: Url) -> ObjectInfo:
    """Return what the store says about an object."""
    found: ObjectInfo = _request(path, lambda fs, key: fs.info(key))
    return found


def head(path: Url, count: int) -> bytes:
    """Return the first bytes of an object."""
    data: bytes = _request(path, lambda fs, key: fs.cat_file(key, start=0, end=count))
    return data


def read(path: Url, known: ObjectInfo | None) -> bytes:
    """Return the content of an object.

    Its length must be the size that the store said: in `known`, or in answer to a request.
    """
    current = known

    def attempt(fs: Any, key: str) -> bytes:
        nonlocal current
        current = current or fs.info(key)
        data: bytes = fs.cat_file(key)
        size = current.get("size")
        if size is not None and len(data) != int(size):
            # The object may have been replaced since the listing: the next attempt requests its size again.
            current = None
            raise WrongLengthError(f"expected {size} bytes; received {len(data)}")
        return data

    return _request(path, attempt)


def write(path: Url, data: bytes) -> ObjectInfo:
    """Write an object, and return what the store then says about it."""

    def attempt(fs: Any, key: str) -> ObjectInfo:
        if path.scheme not in (*OBJECT_STORES, *WEB_SCHEMES):
            fs.makedirs(fs._parent(key), exist_ok=True)
        fs.pipe_file(key, data)
        written: ObjectInfo = fs.info(key)
        if written.get("size") not in (None, len(data)):
            raise WrongLengthError(f"wrote {len(data)} bytes; {written['size']} arrived")
        return written

    return _request(path, attempt)


def glob_pattern(text: str) -> re.Pattern[str]:
    """Return the regular expression of a glob; ``**`` matches several folders."""
    return re.compile(glob_translate(text))


def listing(folder: Url, *, recursive: bool) -> Iterator[tuple[str, ObjectInfo]]:
    """Give the names below a folder, and what the store says about each; one page is requested at a time."""
    pages = {"s3": _s3_pages, "s3a": _s3_pages, "gs": _google_pages, "gcs": _google_pages}.get(folder.scheme)
    if pages is None:
        yield from _walk(folder, recursive)
        return
    _, key = _file_system(folder.url)
    bucket, _, inside = key.partition("/")
    prefix = f"{inside}/" if inside else ""
    for name, about in pages(folder, bucket, prefix, {} if recursive else {"delimiter": "/"}):
        yield name.removeprefix(prefix), about


def _s3_pages(folder: Url, bucket: str, prefix: str, options: dict[str, str]) -> Iterator[tuple[str, ObjectInfo]]:
    query = {"Bucket": bucket, "Prefix": prefix, "MaxKeys": PAGE_SIZE} | {k.title(): v for k, v in options.items()}
    while True:
        page = _request(folder, lambda fs, key: fs.call_s3("list_objects_v2", **query))
        for entry in page.get("Contents", ()):
            yield entry["Key"], {**entry, "size": entry["Size"]}
        if not page.get("IsTruncated"):
            return
        query["ContinuationToken"] = page["NextContinuationToken"]


def _google_pages(folder: Url, bucket: str, prefix: str, options: dict[str, str]) -> Iterator[tuple[str, ObjectInfo]]:
    query: dict[str, Any] = {"prefix": prefix, "maxResults": PAGE_SIZE, **options}
    while True:
        page = _request(folder, lambda fs, key: fs.call("GET", "b/{}/o", bucket, json_out=True, **query))
        for entry in page.get("items", ()):
            yield entry["name"], entry
        if not page.get("nextPageToken"):
            return
        query["pageToken"] = page["nextPageToken"]


def _walk(folder: Url, recursive: bool) -> Iterator[tuple[str, ObjectInfo]]:
    """List one folder after the other, which every file system of fsspec can do."""
    root = _file_system(folder.url)[1].strip("/")
    folders = [folder]
    while folders:
        for entry in _request(folders.pop(), lambda fs, key: fs.ls(key, detail=True)):
            below = entry["name"].strip("/").removeprefix(root).strip("/")
            if entry["type"] != "directory":
                yield below, entry
            elif recursive and below:
                folders.append(folder / below)


def _request(path: Url, attempt: Callable[[Any, str], T]) -> T:
    """Return the result of a request; raise an OSError without secrets if it fails."""
    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        wait=tenacity.wait_random_exponential(multiplier=FIRST_WAIT, max=LONGEST_WAIT),
        retry=tenacity.retry_if_exception(is_transient),
        reraise=True,
    )
    try:
        fs, key = _file_system(path.url)
        return retrying(attempt, fs, key)
    except EdgekitError:
        raise
    except Exception as error:
        raised = _as_os_error(error, path)
    # Raised outside the handler: the library's error contains the whole URL, and would be attached as context.
    raise raised


def _as_os_error(error: Exception, path: Url) -> OSError:
    """Return an error with the message of the store, and with what to do."""
    status, message = _response(error)
    message = redacted((message or str(error)).replace(path.url, str(path))).strip().rstrip(".")
    message = message or type(error).__name__
    if is_transient(error):
        return OSError(
            errno.EIO, f"the store failed {ATTEMPTS} times: {message}; run the command again later", str(path)
        )
    if type(error).__name__ == "NoCredentialsError":
        advice = "log in (AWS_PROFILE, aws configure), or set FSSPEC_S3_ANON=true for public objects"
        return PermissionError(errno.EACCES, f"{message}; {advice}", str(path))
    if status in (401, 403) or isinstance(error, PermissionError):
        return PermissionError(errno.EACCES, f"the store refuses: {message}; check the credentials", str(path))
    if status in (404, 410) or isinstance(error, FileNotFoundError):
        return FileNotFoundError(errno.ENOENT, message, str(path))
    return OSError(errno.EIO, f"the store says: {message}", str(path))


def is_transient(error: BaseException) -> bool:
    """Tell whether another attempt may succeed."""
    for one in _causes(error):
        if isinstance(one, _connection_errors()):
            return True
        status, message = _own_response(one)
        if status is not None:
            return status >= 500 or status in _TRANSIENT_CODES or any(word in message for word in _TRANSIENT_WORDS)
    return False


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Give an error, its cause, the cause of that, and so on."""
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__ or current.__context__


def _response(error: BaseException) -> tuple[int | None, str]:
    """Return the HTTP status and the message in an error or its causes."""
    return next((found for found in map(_own_response, _causes(error)) if found[0] is not None), (None, ""))


def _own_response(error: BaseException) -> tuple[int | None, str]:
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        # An error of botocore.
        about = response.get("Error", {})
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        return status, f"{about.get('Code')}: {about.get('Message')}"
    # An error of aiohttp, Azure or Google.
    number = next((getattr(error, name) for name in ("status", "status_code", "code") if hasattr(error, name)), None)
    if not isinstance(number, int | str) or not str(number).isdigit():
        return None, ""
    return int(number), f"{number} {getattr(error, 'message', '') or error}"


def _connection_errors() -> tuple[type[BaseException], ...]:
    """Return the exceptions that mean a broken connection; libraries that are not loaded raise none."""
    types: list[type[BaseException]] = [TimeoutError, ConnectionError, EOFError]
    if (aiohttp := sys.modules.get("aiohttp")) is not None:
        types += [aiohttp.ClientConnectionError, aiohttp.ClientPayloadError]
    if (botocore := sys.modules.get("botocore.exceptions")) is not None:
        types += [botocore.HTTPClientError, botocore.ResponseStreamingError, botocore.FlexibleChecksumError]
    return tuple(types)


def _file_system(url: str) -> tuple[Any, str]:
    """Return the file system of a URL, and its name for the object."""
    scheme = url.partition("://")[0]
    own = scheme in (*OBJECT_STORES, *WEB_SCHEMES)
    try:
        if own and "::" not in url:
            fs = _shared_file_system(scheme, os.getpid())
            return fs, fs._strip_protocol(url)
        fs, key = url_to_fs(url, use_listings_cache=False)
        return fs, key
    except ImportError as error:
        # fsspec names the library; the extra installs it for some schemes.
        hint = f"; {install_command('remote')}" if own else ""
        raise MissingExtraError(f"{scheme}:// needs more: {error}{hint}") from None
    except ValueError as error:
        raise ParameterError(f"{redacted(url)}: {redacted(str(error))}; check the part before ://") from None


@functools.lru_cache
def _shared_file_system(scheme: str, process: int) -> Any:
    """Return the file system of a scheme, one for each process: its threads share the connections.

    Listings are not cached, since those of a large bucket would fill the memory. The retries of the libraries are
    switched off: `_request` alone repeats requests.
    """
    options: dict[str, Any] = {}
    if scheme in ("s3", "s3a"):
        timeouts = {"connect_timeout": READ_TIMEOUT, "read_timeout": READ_TIMEOUT}
        config = {**timeouts, "max_pool_connections": 64, "retries": {"total_max_attempts": 1}}
        # One request for each object, so that a wrong length is noticed.
        options = {"config_kwargs": config, "max_concurrency": 1}
    if scheme in WEB_SCHEMES:
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=None, sock_connect=READ_TIMEOUT, sock_read=READ_TIMEOUT)
        # trust_env: passwords from .netrc, proxies from the environment.
        options = {"client_kwargs": {"timeout": timeout, "trust_env": True}}
    fs = fsspec.filesystem(scheme, use_listings_cache=False, skip_instance_cache=True, **options)
    if scheme in ("s3", "s3a"):
        fs.retries = 1
    return fs
