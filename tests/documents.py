"""Runs the sessions of the shell and of Python on pages."""

import doctest
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]

_BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>[^\n]*?) -->\n)?^```(?P<language>\w+)\n(?P<code>.*?)^```", re.DOTALL | re.MULTILINE
)


class Block(NamedTuple):
    """A block of code on a page; `mark` is the comment on the line before it."""

    mark: str
    language: str
    code: str

    @property
    def is_run(self) -> bool:
        return self.language == "console" or (self.language == "python" and ">>> " in self.code)


def blocks(text: str) -> Iterator[Block]:
    """Yield the blocks of code of a page, in order."""
    for found in _BLOCK.finditer(text):
        yield Block(found["mark"] or "", found["language"], found["code"])


def copy_samples(folder: Path) -> None:
    """Copy the samples that samples/README.md lists to a writable folder."""
    (folder / "samples").mkdir()
    for name in re.findall(r"\]\(([\w.-]+)\)", (ROOT / "samples" / "README.md").read_text(encoding="utf-8")):
        shutil.copy2(ROOT / "samples" / name, folder / "samples")


def run_blocks(text: str, name: str) -> int:
    """Run the sessions of a page in their order, in this folder; return the number of commands and examples.

    Sessions of Python share their names.
    """
    names: dict[str, object] = {}
    count = 0
    for block in blocks(text):
        if block.language == "console":
            count += _run_commands(block.code)
        elif block.is_run:
            test = doctest.DocTestParser().get_doctest(block.code, names, name, name, 0)
            ran = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test, clear_globs=False)
            assert not ran.failed, f"{name}: see the output"
            names, count = test.globs, count + ran.attempted
    return count


def _run_commands(session: str) -> int:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    commands = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", session, re.MULTILINE)
    assert commands, session
    for command, expected in commands:
        # Standard error is not compared: the summary has the run time.
        ran = subprocess.run(["bash", "-euc", command], env=os.environ | {"PATH": path}, capture_output=True, text=True)
        assert ran.returncode == 0, f"{command}: {ran.stderr}"
        assert ran.stdout == expected, command
    return len(commands)
