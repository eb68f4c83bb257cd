"""An S3 server with injected faults, for tests and for scripts/faults/store_faults.py."""

import contextlib
import os
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

#: Faults of a response.
FAULTS = ("error", "slow down", "slow", "cut", "short", "corrupt", "reset", "forbidden")

Decide = Callable[[str, str, int], str | None]


class Faulty:
    """A wrapper of an application that injects faults into some responses.

    Attributes
    ----------
    decide : callable
        ``decide(method, path, attempt)`` returns the fault of a response, or None; attempts count from 0.
    delay : float
        Seconds that a slow response takes.
    latency : float
        Seconds before every response.
    authorization : str
        The header Authorization of the last request.
    requests, injected : Counter
        Number of requests by method and path; number of injected faults by name.
    most_at_once : int
        The largest number of concurrent requests.
    """

    def __init__(self, application: Any) -> None:
        self._application = application
        self.decide: Decide = lambda method, path, attempt: None
        self.delay = 0.2
        self.latency = 0.0
        self.authorization = ""
        self.requests: Counter[tuple[str, str]] = Counter()
        self.injected: Counter[str] = Counter()
        self.most_at_once = self._under_way = 0
        self._lock = threading.Lock()

    def reset(self) -> None:
        """Reset the counts, and inject no more faults."""
        self.decide = lambda method, path, attempt: None
        self.latency = 0.0
        self.most_at_once = 0
        self.requests.clear()
        self.injected.clear()

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        key = (method, path if "list-type" not in environ["QUERY_STRING"] else f"{path}?list")
        with self._lock:
            self._under_way += 1
            self.authorization = environ.get("HTTP_AUTHORIZATION", "")
            self.most_at_once = max(self.most_at_once, self._under_way)
            attempt = self.requests[key]
            self.requests[key] += 1
            fault = self.decide(*key, attempt)
            if fault is not None:
                self.injected[fault] += 1
        try:
            time.sleep(self.latency)
            return self._answer(fault, method, environ, start)
        finally:
            with self._lock:
                self._under_way -= 1

    def _answer(
        self, fault: str | None, method: str, environ: dict[str, Any], start: Callable[..., Any]
    ) -> Iterable[bytes]:
        if fault == "error":
            return _refuse(start, method, "500 Internal Server Error", "InternalError")
        if fault == "slow down":
            return _refuse(start, method, "503 Slow Down", "SlowDown")
        if fault == "forbidden":
            return _refuse(start, method, "403 Forbidden", "AccessDenied")
        if fault == "reset":
            connection = environ["werkzeug.socket"]
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.shutdown(socket.SHUT_RDWR)
            raise ConnectionResetError

        said: list[Any] = []
        body = b"".join(self._application(environ, lambda *words: said.append(words)))
        ((status, headers, *_),) = said
        # The server adds these headers, and aiohttp refuses duplicates.
        kept = [(name, value) for name, value in headers if name.lower() not in ("server", "date")]
        if fault == "corrupt":
            body = body[::-1]
        if fault == "short":
            # As a proxy may do that does not know checksums.
            body = body[: len(body) // 2]
            kept = [(n, str(len(body)) if n.lower() == "content-length" else v) for n, v in kept]
            kept = [(n, v) for n, v in kept if "checksum" not in n.lower()]
        start(status, kept)
        if fault == "cut":
            return [body[: len(body) // 2]]
        return self._slowly(body) if fault == "slow" else [body]

    def _slowly(self, body: bytes) -> Iterator[bytes]:
        half = len(body) // 2
        yield body[:half]
        time.sleep(self.delay)
        yield body[half:]


def _refuse(start: Callable[..., Any], method: str, status: str, code: str) -> list[bytes]:
    body = f"<Error><Code>{code}</Code><Message>injected</Message></Error>".encode()
    start(status, [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
    return [b"" if method == "HEAD" else body]


class _Quiet(MotoRequestHandler):
    """Logs nothing, and ignores closed connections."""

    def log(self, *_: Any) -> None:
        pass

    def handle(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            super().handle()


@contextlib.contextmanager
def serve() -> Iterator[tuple[str, Faulty]]:
    """Serve S3 on a free port; yield its address and the object that injects faults."""
    faulty = Faulty(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, faulty, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", faulty
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def environment(address: str) -> dict[str, str]:
    """Return environment variables that direct S3 clients to this server."""
    return {
        "AWS_ENDPOINT_URL": address, "AWS_ACCESS_KEY_ID": "AKIDOFTESTS", "AWS_SECRET_ACCESS_KEY": "secretoftests",
        "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }  # fmt: skip
