"""A folder of photographs that can be sorted, and what is on the disk."""

import os
from pathlib import Path

import cv2
import numpy as np


def blocks(seed=4):
    rough = np.random.default_rng(seed).integers(30, 220, (16, 20, 3)).astype(np.uint8)
    return cv2.resize(rough, (400, 320), interpolation=cv2.INTER_NEAREST)


SHARP = cv2.imencode(".jpg", blocks())[1].tobytes()
BLURRED = cv2.imencode(".jpg", cv2.GaussianBlur(blocks(), (0, 0), 6))[1].tobytes()
FLAT = cv2.imencode(".jpg", np.full((64, 64), 90, np.uint8))[1].tobytes()


def make_photos():
    """Write sharp and blurred photographs into two folders, with sidecar files; one has no score."""
    files = {
        "a.jpg": SHARP, "a.xmp": b"a", "b.jpg": BLURRED, "b.jpg.xmp": b"b1", "b.xmp": b"b2", "d.v1.jpg": BLURRED,
        "d.v1.xmp": b"d", "flat.jpg": FLAT, "trip/b.jpg": BLURRED + b"2", "trip/c.jpg": SHARP, "trip/notes.txt": b"n",
        "two.jpg": BLURRED, "two.png": SHARP, "two.xmp": b"of both",
    }  # fmt: skip
    for name, content in files.items():
        path = Path("photos", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, ns=(1, 1_700_000_000_123_456_789))
    return Path("photos")


def tree(folder="."):
    """Return everything below a folder, but the state of edgekit: kinds, contents, times and links."""
    found = {}
    for path in sorted(Path(folder).rglob("*")):
        if path.name.startswith(".edgekit"):
            continue
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = path.readlink()
        elif path.is_dir():
            found[name] = None
        else:
            found[name] = path.read_bytes(), path.stat().st_mtime_ns
    return found


def files(folder="."):
    """Return everything but the folders: an empty one may stay after a kill."""
    return {name: what for name, what in tree(folder).items() if what is not None}


def names(folder):
    return sorted(files(folder))
