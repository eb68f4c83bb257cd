"""Folders with pipes, devices, broken links, and files that change after they are listed."""

import csv
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import edgekit as ek
from edgekit.batch.sources import find
from edgekit.errors import UnreadableError
from edgekit.io import files
from edgekit.io.files import head_of, open_regular

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no such files on Windows")

#: Reason of failure by name of the file.
REASONS = {
    "pipe.png": "found a pipe, socket or device", "socket.png": "found a pipe, socket or device",
    "device.png": "found a pipe, socket or device", "loop.png": "symbolic links", "dangling.png": "no such file",
    "empty.png": "the file is empty (0 bytes)",
}  # fmt: skip


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return a folder with one image, and special files of each kind with and without the ending .png."""
    made = tmp_path / "in"
    made.mkdir()
    monkeypatch.chdir(made)
    ek.write_image("image.png", np.eye(8, dtype=np.uint8))
    for ending in (".png", ""):
        os.mkfifo(f"pipe{ending}")
        for name, target in (("device", "/dev/zero"), ("loop", f"loop{ending}"), ("dangling", "nowhere")):
            Path(f"{name}{ending}").symlink_to(target)
        (made / f"empty{ending}").touch()
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(f"socket{ending}")
    (made / "folder.png").mkdir()
    return made


@pytest.mark.parametrize("more", [[], ["--timeout", "20"]])
def test_special_files_fail_without_blocking(folder, more):
    command = [sys.executable, "-m", "edgekit", "score", str(folder), "-q", "-o", str(folder.parent / "scores.csv")]
    ran = subprocess.run([*command, *more], capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 1
    with (folder.parent / "scores.csv").open(newline="") as file:
        rows = {Path(row["path"]).name: row for row in csv.DictReader(file)}
    assert rows.keys() == REASONS.keys() | {"image.png"}
    for name, said in REASONS.items():
        assert rows[name]["status"] == "failed"
        assert rows[name]["reason"].startswith(str(folder / name))
        assert said in rows[name]["reason"]


def test_folders_that_cannot_be_listed_are_reported(tmp_path, monkeypatch):
    (tmp_path / "open").mkdir()
    (tmp_path / "shut").mkdir()
    ek.write_image(tmp_path / "open" / "image.png", np.eye(8, dtype=np.uint8))
    listed = os.scandir

    def refuse(path):
        if Path(path).name == "shut":
            raise PermissionError
        return listed(path)

    monkeypatch.setattr(os, "scandir", refuse)
    skipped = []
    found = [source.path for _, source in find([str(tmp_path)], skipped.append, recursive=True)]
    assert sorted(path.name for path in found) == ["image.png", "shut"]
    assert not skipped
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(UnreadableError, match="found a folder that may not be listed"):
        files.read_bytes(tmp_path / "shut")


def test_links_to_folders_are_not_followed(tmp_path):
    """Such links may lead back, or out of the folder. Links to images are read."""
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    (inside / "deep").mkdir(parents=True)
    outside.mkdir()
    for place in (inside / "deep" / "image.png", outside / "other.png"):
        ek.write_image(place, np.eye(8, dtype=np.uint8))
    (inside / "back").symlink_to(inside)
    (inside / "out").symlink_to(outside)
    (inside / "link.png").symlink_to(outside / "other.png")
    skipped = []
    found = {source.relative.as_posix() for _, source in find([str(inside)], skipped.append, recursive=True)}
    assert found == {"deep/image.png", "link.png"}
    assert not skipped


def test_files_replaced_by_pipes_do_not_block(folder, monkeypatch):
    status = (folder / "image.png").stat()
    monkeypatch.setattr(files, "status_of", lambda path: status)
    with pytest.raises(UnreadableError, match="not a regular file"):
        files.read_bytes(folder / "pipe.png")
    with pytest.raises(OSError, match="not a regular file"):
        open_regular(folder / "device")


def test_head_of_unreadable_files_is_empty(folder):
    assert head_of(folder / "image.png", 4) == b"\x89PNG"
    for name in (*REASONS, "pipe", "folder.png", "missing"):
        assert head_of(folder / name, 4) == b""
