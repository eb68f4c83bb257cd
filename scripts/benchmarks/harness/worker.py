"""Runs contenders' calls in a process of its own, asked over pipes.

The environment decides what this process is: which edgekit it imports, and by which path that computes. Requests and
answers are pickles on standard input and output.
"""

import gc
import importlib
import os
import pickle
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Call = Callable[[], Any]


class Worker:
    """What can be asked for: each public method is a request."""

    def __init__(self) -> None:
        self._calls: dict[str, Call] = {}

    def prepare(self, key: str, module: str, name: str, task: dict[str, Any]) -> str:
        """Make a call ready; return why it cannot be, or nothing."""
        from benchmarks import LeftOut

        try:
            self._calls[key] = importlib.import_module(module).make(name, **task)
        except (ImportError, LeftOut) as error:
            return str(error)
        return ""

    def save(self, key: str, path: Path) -> None:
        """Call once, and write what came out as an array."""
        np.save(path, np.squeeze(np.asarray(self._calls[key]())))

    def time(self, key: str, loops: int) -> float:
        """Return the seconds that one of so many calls took."""
        call = self._calls[key]
        start = time.perf_counter()
        for _ in range(loops):
            call()
        return (time.perf_counter() - start) / loops

    def forget(self) -> None:
        """Let go of all calls, and of the arrays that they hold."""
        self._calls.clear()
        gc.collect()


def main() -> None:
    """Answer until nobody asks any more."""
    # What libraries print must not come between the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    gc.disable()
    worker = Worker()
    while True:
        try:
            request, arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            answer = (True, getattr(worker, request)(*arguments))
        except Exception:
            answer = (False, traceback.format_exc())
        pickle.dump(answer, answers)
        answers.flush()


if __name__ == "__main__":
    main()
