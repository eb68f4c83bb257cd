"""Runs the calls of contenders in a separate process. The environment of the process chooses the edgekit that is
imported, and the path on which it computes. Requests and answers are pickles on standard input and output.
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
    """The requests: each public method is one."""

    def __init__(self) -> None:
        self._calls: dict[str, Call] = {}

    def prepare(self, key: str, module: str, name: str, task: dict[str, Any]) -> str:
        """Prepare a call; return the reason why this is not possible, or an empty text."""
        from benchmarks import LeftOut

        try:
            self._calls[key] = importlib.import_module(module).make(name, **task)
        except (ImportError, LeftOut) as error:
            return str(error)
        return ""

    def save(self, key: str, path: Path) -> None:
        """Call once, and write the result as an array."""
        np.save(path, np.squeeze(np.asarray(self._calls[key]())))

    def time(self, key: str, loops: int) -> float:
        """Return the mean seconds of one of several calls."""
        call = self._calls[key]
        start = time.perf_counter()
        for _ in range(loops):
            call()
        return (time.perf_counter() - start) / loops

    def forget(self) -> None:
        """Delete all calls and their arrays."""
        self._calls.clear()
        gc.collect()


def main() -> None:
    """Answer requests until the input ends."""
    # Output of libraries must not be mixed with the answers.
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
