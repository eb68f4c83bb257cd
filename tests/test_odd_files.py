"""Folders that hold what is no regular file, or no longer what it was when it was listed."""

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

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has none of these")

#: What is said of a file by its name.
SAID = {
    "pipe.png": "found a pipe, socket or device", "socket.png": "found a pipe, socket or device",
    "device.png": "found a pipe, socket or device", "loop.png": "symbolic links", "dangling.png": "no such file",
    "empty.png": "the file is empty (0 bytes)",
}  # fmt: skip


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return a folder with one image, and one of everything that is none, each by an image's name and by no image's."""
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
def test_each_has_a_row_and_nothing_waits(folder, more):
    command = [sys.executable, "-m", "edgekit", "score", str(folder), "-q", "-o", str(folder.parent / "scores.csv")]
    ran = subprocess.run([*command, *more], capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 1
    with (folder.parent / "scores.csv").open(newline="") as file:
        rows = {Path(row["path"]).name: row for row in csv.DictReader(file)}
    assert rows.keys() == SAID.keys() | {"image.png"}
    for name, said in SAID.items():
        assert rows[name]["status"] == "failed"
        assert rows[name]["reason"].startswith(str(folder / name))
        assert said in rows[name]["reason"]


def test_a_folder_that_cannot_be_listed_is_told(tmp_path, monkeypatch):
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
    """They may lead back, or out of the folder; a link to an image is taken."""
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


def test_what_became_a_pipe_since_it_was_looked_at_is_not_waited_for(folder, monkeypatch):
    status = (folder / "image.png").stat()
    monkeypatch.setattr(files, "status_of", lambda path: status)
    with pytest.raises(UnreadableError, match="not a regular file"):
        files.read_bytes(folder / "pipe.png")
    with pytest.raises(OSError, match="not a regular file"):
        open_regular(folder / "device")


def test_the_head_of_what_cannot_be_read_is_empty(folder):
    assert head_of(folder / "image.png", 4) == b"\x89PNG"
    for name in (*SAID, "pipe", "folder.png", "missing"):
        assert head_of(folder / name, 4) == b""
