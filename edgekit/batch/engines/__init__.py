"""Engines carry a task out on many items. May import what computes, and nothing of what an item is."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, NamedTuple, Protocol, TypeVar

T = TypeVar("T")
R = TypeVar("R")
K = TypeVar("K")

#: So many items that are known already, one after the other, let what is under way come to its end first.
MOST_KNOWN = 1000

#: What is said where there is no limit but the machine's.
OUT_OF_MEMORY = "not enough memory for this image"


class Engine(Protocol):
    """Something that carries a task out on many items, several at a time."""

    def run(self, task: Callable[[T], R], items: Iterable[T], lost: Callable[[T, str], R]) -> Iterator[R]:
        """Give the results of a task in the order of the items.

        On Ctrl-C what is under way is finished, its results are given, and then comes the interruption.

        Parameters
        ----------
        task : callable
            May be carried out in another process: it and the items can be pickled, and so can what it returns. It
            raises nothing but MemoryError.
        items : iterable
            Taken a few ahead.
        lost : callable
            ``lost(item, reason)`` gives the result of an item whose task did not end, took too long, or needed too
            much memory. Called in this process.
        """


class Known(NamedTuple, Generic[K]):
    """Stands among the items for one that needs no engine."""

    result: K


def carry_out(
    engine: Engine, task: Callable[[T], R], items: Iterable[T | Known[K]], lost: Callable[[T, str], R]
) -> Iterator[tuple[T, R] | Known[K]]:
    """Give each item with its result, and what is known already in its turn; only the rest goes to the engine.

    Parameters
    ----------
    engine, task, lost
        See `Engine.run`.
    items : iterable
        What is `Known` stays in this process.
    """
    source = iter(items)
    turns: deque[T | Known[K]] = deque()
    ended = False

    def unknown() -> Iterator[T]:
        nonlocal ended
        known = 0
        for item in source:
            turns.append(item)
            if not isinstance(item, Known):
                known = 0
                yield item
            elif (known := known + 1) == MOST_KNOWN:
                return
        ended = True

    while not ended:
        for result in engine.run(task, unknown(), lost):
            while isinstance(turn := turns.popleft(), Known):
                yield turn
            yield turn, result
        while turns:
            turn = turns.popleft()
            assert isinstance(turn, Known)
            yield turn
