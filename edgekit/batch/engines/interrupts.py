"""Ctrl-C in the midst of a run. Standard library only."""

import signal
import threading
from types import FrameType
from typing import Any, Self


class Interrupts:
    """Holds Ctrl-C back in a ``with`` block: what is under way can be finished, and a second one ends it at once.

    The interruption comes at the block's end. Without effect outside the main thread, or where the program
    does something of its own on Ctrl-C.

    Attributes
    ----------
    seen : bool
        Whether there was one.
    """

    def __init__(self) -> None:
        self.seen = False
        self._held = False

    def __enter__(self) -> Self:
        main = threading.current_thread() is threading.main_thread()
        if main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._see)
            self._held = True
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: Any) -> None:
        self._let_go()
        if self.seen and kind is None:
            raise KeyboardInterrupt

    def _see(self, number: int, frame: FrameType | None) -> None:
        self.seen = True
        self._let_go()

    def _let_go(self) -> None:
        if self._held:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            self._held = False
