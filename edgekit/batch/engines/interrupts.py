"""Ctrl-C, SIGTERM and SIGHUP during a run. Standard library only."""

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any, Self

#: The signals that ask a process to end: from the keyboard, from a supervisor, from a terminal that is closed.
SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))

#: SIGTERM and SIGHUP within so many seconds of another signal are the same request: ``timeout`` sends SIGTERM to its
#: child and then to the process group of the child, and a shell sends SIGHUP after the terminal has sent it.
ONE_REQUEST = 1.0


class Interrupted(KeyboardInterrupt):
    """This process was asked to end, by the signal `number`."""

    def __init__(self, number: int = signal.SIGINT) -> None:
        super().__init__(number)
        self.number = number


class Interrupts:
    """Delays Ctrl-C to the end of a ``with`` block, so that items in progress are finished.

    A second one ends the block at once. In a program that has called `handle_signals` the same holds for SIGTERM and
    SIGHUP. Without effect outside the main thread, and on signals that the program handles in its own way.

    Attributes
    ----------
    seen : int
        The signal that came, 0 if there was none.
    """

    def __init__(self) -> None:
        self.seen = 0
        self._held: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            handlers = {number: signal.getsignal(number) for number in SIGNALS}
            self._held = {n: h for n, h in handlers.items() if h in (signal.default_int_handler, _handler.raise_it)}
            for number in self._held:
                signal.signal(number, self._see)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: Any) -> None:
        self._let_go()
        if self.seen and kind is None:
            raise Interrupted(self.seen)

    def _see(self, number: int, frame: FrameType | None) -> None:
        _handler.note(number)
        self.seen = number
        self._let_go()

    def _let_go(self) -> None:
        while self._held:
            signal.signal(*self._held.popitem())


class _Handler:
    """How a program handles the signals, from `handle_signals` on."""

    def __init__(self) -> None:
        self.handled: set[int] = set()
        self.terminals: list[int] = []
        self._last = -ONE_REQUEST

    def note(self, number: int) -> bool:
        """Take note of a signal, and tell whether it is a new request."""
        before, self._last = self._last, time.monotonic()
        for descriptor in self.terminals:
            # Writing to a terminal that was closed would fail, and results could not be finished.
            if not os.isatty(descriptor):
                with Path(os.devnull).open("wb") as nowhere:
                    os.dup2(nowhere.fileno(), descriptor)
        return number == signal.SIGINT or self._last - before >= ONE_REQUEST

    def raise_it(self, number: int, frame: FrameType | None) -> None:
        if self.note(number):
            raise Interrupted(number)


_handler = _Handler()


def handle_signals() -> None:
    """Let SIGTERM and SIGHUP raise `Interrupted` in this process, as Ctrl-C raises KeyboardInterrupt.

    For programs only: a library leaves the signals of its host alone. What is ignored stays so, as SIGHUP by ``nohup``.
    """
    for number in SIGNALS:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _handler.raise_it)
            _handler.handled.add(number)
    _handler.terminals = [s.fileno() for s in (sys.stdout, sys.stderr) if s is not None and s.isatty()]


def ignore_signals() -> None:
    """Ignore all of the signals from now on, in this process."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


@contextlib.contextmanager
def hidden_signals() -> Iterator[None]:
    """Block the handled signals in processes that are started in this block.

    A signal to the process group is then handled by this process only. A mask is inherited by processes and by those
    that they start, from their first instruction on.
    """
    if not _handler.handled or sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _handler.handled)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def kept_handlers() -> Iterator[None]:
    """Undo what libraries do to the signals in this block, where there was a handler before."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler not in (signal.SIG_DFL, None):
                signal.signal(number, handler)
