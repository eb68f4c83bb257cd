"""The progress bar of a run: how much is listed and done, the rate, and the time left.

Imports the standard library, and tqdm when a bar is shown.
"""

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from queue import Full, Queue
from typing import Any, Generic, TypeVar

T = TypeVar("T")

#: A bar appears while files are listed after this many of them.
MANY = 1000

#: While files are listed the bar is drawn anew after this many files.
EVERY = 100

#: Values that a thread reads ahead at most: 100,000 files need about 50 MB.
AHEAD = 100_000

#: Seconds between two looks whether a thread shall stop.
WAIT = 0.5


def is_terminal() -> bool:
    """Tell whether standard error shows a progress bar."""
    return sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def is_notebook() -> bool:
    """Tell whether the program runs in a notebook, where another kind of progress bar is shown."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return type(shell).__name__ == "ZMQInteractiveShell"


class Progress:
    """A progress bar. It appears with the first item, or with many listed files.

    Parameters
    ----------
    shown : bool
        Whether there is a bar at all.
    unit : str
        What it counts.
    """

    def __init__(self, *, shown: bool, unit: str = "img") -> None:
        self.shown, self._unit = shown, unit
        self._bar: Any = None
        self._done, self._total, self._more, self._listed = 0, 0, 0, False
        self._lock = threading.Lock()

    @property
    def is_drawn(self) -> bool:
        """Whether the bar is there."""
        return self._bar is not None

    def listed(self, count: int, *, complete: bool) -> None:
        """Show how many items were listed, from any thread; when all are, the bar shows the time left."""
        with self._lock:
            self._total, self._listed = count, complete
            if complete or (count >= MANY and count % EVERY == 0):
                self._draw()

    def expect_more(self, count: int) -> None:
        """Expect more items than were listed, such as the frames of a video."""
        with self._lock:
            self._more += count

    def advance(self, **counts: int) -> None:
        """Count one item as done, and show counts that are not 0."""
        with self._lock:
            self._done += 1
            # A file may have more images than were expected.
            self._more = max(self._more, self._done - self._total)
            if self._bar is None:
                self._draw()
            if self._bar is not None:
                self._bar.total = self._total + self._more if self._listed else None
                self._bar.set_postfix_str(self._note(counts), refresh=False)
                self._bar.update()

    def clear(self) -> None:
        """Remove the bar before other output; it appears again with the next item."""
        if self._bar is not None:
            self._bar.clear()

    def close(self) -> None:
        """Leave the bar as it is."""
        if self._bar is not None:
            self._bar.close()

    def _note(self, counts: dict[str, int]) -> str:
        listing = [] if self._listed or not self._total else [f"listing, {self._total:,} so far"]
        return ", ".join([*(f"{name}={count:,}" for name, count in counts.items() if count), *listing])

    def _draw(self) -> None:
        # One item needs no bar.
        if not self.shown or (self._listed and self._total + self._more < 2):
            return
        if self._bar is None:
            from tqdm.auto import tqdm

            self._bar = tqdm(total=None, unit=self._unit, file=sys.stderr, dynamic_ncols=True)
        self._bar.total = self._total + self._more if self._listed else None
        self._bar.set_postfix_str(self._note({}), refresh=False)
        self._bar.refresh()


class Ahead(Generic[T]):
    """Yields the values of a generator, which a thread reads ahead.

    Parameters
    ----------
    values : generator
        It runs in the thread, and is closed there.
    on_read : callable
        Called in the thread with the number of values so far, and at the end with ``complete=True``.
    """

    def __init__(self, values: Generator[T], on_read: Callable[..., object] = lambda count, *, complete: None) -> None:
        self._queue: Queue[tuple[T] | BaseException | None] = Queue(AHEAD)
        self._values, self._on_read = values, on_read
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        end: BaseException | None = None
        count = 0
        try:
            # Closed in this thread, as Ray Data needs it.
            with contextlib.closing(self._values) as values:
                for value in values:
                    if not self._put((value,)):
                        return
                    count += 1
                    self._on_read(count, complete=False)
            self._on_read(count, complete=True)
        except BaseException as error:
            end = error
        self._put(end)

    def _put(self, value: tuple[T] | BaseException | None) -> bool:
        """Add a value as soon as there is space; return whether values are still wanted."""
        while not self._stopped.is_set():
            with contextlib.suppress(Full):
                self._queue.put(value, timeout=WAIT)
                return True
        return False

    def __iter__(self) -> Iterator[T]:
        while isinstance(value := self._queue.get(), tuple):
            yield value[0]
        if value is not None:
            raise value

    def stop(self) -> None:
        """Stop reading; this takes effect with the next value."""
        self._stopped.set()

    def join(self, timeout: float) -> None:
        """Wait until the thread has ended, but no longer than these seconds."""
        self._thread.join(timeout)

    def close(self) -> None:
        """Stop reading, and wait a moment for the thread."""
        self.stop()
        self.join(WAIT)


def counted(values: Iterable[T], on_read: Callable[..., object]) -> Iterator[T]:
    """Yield values, and tell how many there are as `Ahead` does, without a thread."""
    count = 0
    for count, value in enumerate(values, 1):
        on_read(count, complete=False)
        yield value
    on_read(count, complete=True)
