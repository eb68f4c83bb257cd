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

#: SIGTERM and SIGHUP within this number of seconds after another signal are the same request: ``timeout`` sends SIGTERM
#: to its
#: child and then to the process group of the child, and a shell sends SIGHUP after the terminal has sent it.
ONE_REQUEST = 1.0


class Interrupted(KeyboardInterrupt):
    """The signal `number` asked this process to end."""

    def __init__(self, number: int = signal.SIGINT) -> None:
        super().__init__(number)
        self.number = number


class Interrupts:
    """Delays Ctrl-C until the end of a ``with`` block, so that items in progress are finished.

    A second Ctrl-C ends the block immediately. After `handle_signals` the same applies to SIGTERM and SIGHUP. It has no
    effect outside the main thread, and on signals for which the program has its own handlers.

    Attributes
    ----------
    seen : int
        The number of the signal, 0 if there was none.
    """

    def __init__(self) -> None:
        self.seen = 0
        self._delayed: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            handlers = {number: signal.getsignal(number) for number in SIGNALS}
            self._delayed = {n: h for n, h in handlers.items() if h in (signal.default_int_handler, _handler.raise_it)}
            for number in self._delayed:
                signal.signal(number, self._on_signal)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: Any) -> None:
        self._restore()
        if self.seen and kind is None:
            raise Interrupted(self.seen)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        _handler.note(number)
        self.seen = number
        self._restore()

    def _restore(self) -> None:
        while self._delayed:
            signal.signal(*self._delayed.popitem())


class _Handler:
    """The signal handler of a program that called `handle_signals`."""

    def __init__(self) -> None:
        self.handled: set[int] = set()
        self.terminals: list[int] = []
        self._last = -ONE_REQUEST

    def note(self, number: int) -> bool:
        """Note the time of a signal, and tell whether it is a new request."""
        before, self._last = self._last, time.monotonic()
        for descriptor in self.terminals:
            # Writing to a closed terminal would fail, and items in progress could not be finished.
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

    Only for programs: a library must not change signal handlers. An ignored signal stays ignored, as SIGHUP with
    ``nohup``.
    """
    for number in SIGNALS:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _handler.raise_it)
            _handler.handled.add(number)
    _handler.terminals = [s.fileno() for s in (sys.stdout, sys.stderr) if s is not None and s.isatty()]


def ignore_signals() -> None:
    """Ignore all of the signals in this process from now on."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


@contextlib.contextmanager
def hidden_signals() -> Iterator[None]:
    """Block the handled signals in processes that are started in a ``with`` block.

    Then only this process handles a signal to the process group. New processes inherit the mask from their first
    instruction on.
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
    """Restore signal handlers at the end of a ``with`` block, if there were any before; libraries may replace them."""
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
