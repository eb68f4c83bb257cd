"""Unusual file names, and file systems without space or permission to write."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

#: Names without ending, with special characters of terminals, shells, tables, HTML and paths.
NAMES = tuple(map(os.fsdecode, (
    b"new\nline", b"carriage\rreturn", b"tab\there", b"\x1b[2J\x1b]0;title\x07escape", b"bell\x07back\x08\x7f",
    b"-rf", b"--help", b"-", b"=1+2", b"+1", b"@sum(a1)", b'=cmd|" calc"!A0', b"a;=1+2", b'quo"te', b"'",
    b"<script>hacked()", b"<img src=x onerror=hacked()>", b"&lt;b&gt;", b"%2e%2e%2fup", b"a..\\up",
    "turned\u202egnp.exe".encode(), "\u2028line\u2029".encode(), "c1\x9b2J".encode(), b"\xff\xfe", b"half\xc3",
    b"$(id)`id`", "naïve 写真".encode(), b" lead", b"trail ", b"{{ 7*7 }}", b"#50%?", b"javascript:hacked()",
)))  # fmt: skip


@contextlib.contextmanager
def mounted(folder: Path, options: str) -> Iterator[Path]:
    """Mount a file system in memory, or skip the test if that is not allowed."""
    folder.mkdir(exist_ok=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "edgekit-test", folder], capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
