"""Traces how many functions, in how many files, one call runs through, and prints the size of the code.

    python scripts/maintenance/walks.py

Counts calls of Python functions of the package `edgekit`: functions, methods, lambdas and generators, a generator once.
Bodies of modules and classes, comprehensions, methods that dataclasses generate, and the code of other packages are not
counted. *Changes of file* is the number of calls whose function is in another file than that of the call before: how
often a reader who steps from call to call turns to another file.

Each request runs twice in a separate process. Only the second run is traced, when modules are imported and caches are
filled. The image has 512x512 gray pixels, which are filtered in one piece. Commands go through the entry point of click
with one worker, `-j 1`; each run has a new folder, so that nothing is resumed.
"""

import argparse
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from inspect import CO_GENERATOR, CO_NEWLOCALS
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

from click.testing import CliRunner

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import edgekit as ek
from common.paths import ROOT, SAMPLES

#: The image that functions are called with, and the images in the folder of the commands.
IMAGE, IMAGES = "camera.png", ("camera.png", "coffee.png")

#: Folders whose files and lines are counted.
FOLDERS = ("edgekit", "tests", "scripts")

PACKAGE = f"{Path(ek.__file__).parent}{os.sep}"


class Walk(NamedTuple):
    """What a call runs through."""

    calls: int
    files: int
    changes: int


class Recorder:
    """Notes the file of each function of the package that is called in a ``with`` block."""

    def __init__(self) -> None:
        self.files: list[str] = []
        # Held, so that no later generator has the identity of an earlier one.
        self._generators: set[FrameType] = set()

    def __enter__(self) -> "Recorder":
        threading.setprofile(self._record)
        sys.setprofile(self._record)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)
        threading.setprofile(None)

    def _record(self, frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if event != "call" or not code.co_filename.startswith(PACKAGE) or frame in self._generators:
            return
        # Bodies of modules and classes have no local variables of their own; comprehensions are named <listcomp>.
        if not code.co_flags & CO_NEWLOCALS or (code.co_name.startswith("<") and code.co_name != "<lambda>"):
            return
        if code.co_flags & CO_GENERATOR:
            self._generators.add(frame)
        self.files.append(code.co_filename)


def trace(call: Callable[[], object]) -> Walk:
    """Call twice, and return what the second call runs through."""
    call()
    with Recorder() as recorder:
        call()
    changes = sum(before != after for before, after in pairwise(recorder.files))
    return Walk(len(recorder.files), len(set(recorder.files)), changes)


def trace_function(name: str, dtype: str, **options: Any) -> Walk:
    """Trace a function of an image."""
    image = ek.read_image(SAMPLES / IMAGE).astype(dtype)
    return trace(partial(getattr(ek, name), image, **options))


def trace_command(name: str, output: bool = False) -> Walk:
    """Trace a command for a folder of two images."""
    return trace(partial(run_command, name, output))


def run_command(name: str, output: bool) -> None:
    """Run a command in this process, with a new folder of images, and with a folder for its output or none."""
    from edgekit.cli import main as edgekit

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "folder")
        folder.mkdir()
        for image in IMAGES:
            shutil.copy(SAMPLES / image, folder)
        options = ["-o", str(Path(scratch, "out"))] if output else []
        result = CliRunner().invoke(edgekit, [name, str(folder), *options, "-j", "1"])
    if result.exit_code:
        raise RuntimeError(f"edgekit {name} ended with status {result.exit_code}: {result.output}")


#: What is traced.
REQUESTS: dict[str, Callable[[], Walk]] = {
    "`ek.sobel`, uint8": partial(trace_function, "sobel", "uint8"),
    "`ek.sobel`, float32": partial(trace_function, "sobel", "float32"),
    "`ek.laplacian(sigma=1.4)`, float32": partial(trace_function, "laplacian", "float32", sigma=1.4),
    "`ek.canny`, uint8": partial(trace_function, "canny", "uint8"),
    "`edgekit sobel folder -o out`, 2 images": partial(trace_command, "sobel", output=True),
    "`edgekit score folder`, 2 images": partial(trace_command, "score"),
}


def in_new_process(request: Callable[[], Walk]) -> Walk:
    """Trace a request in a process that has run nothing else."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(request).result()


def table_of_walks() -> str:
    """Return the table of requests."""
    lines = ["| request | calls | files | changes of file |", "|---|---:|---:|---:|"]
    for title, request in REQUESTS.items():
        walk = in_new_process(request)
        lines.append(f"| {title} | {walk.calls} | {walk.files} | {walk.changes} |")
    return "\n".join(lines)


def table_of_sizes() -> str:
    """Return the table of Python files and their lines."""
    lines = ["| folder | Python files | lines |", "|---|---:|---:|"]
    for folder in FOLDERS:
        texts = [path.read_text(encoding="utf-8") for path in (ROOT / folder).rglob("*.py")]
        lines.append(f"| `{folder}/` | {len(texts)} | {sum(len(text.splitlines()) for text in texts)} |")
    return "\n".join(lines)


def main() -> None:
    """Print both tables."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    print(table_of_walks(), table_of_sizes(), sep="\n\n")


if __name__ == "__main__":
    main()
