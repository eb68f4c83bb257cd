"""Measures scoring a folder of photographs: edgekit beside the peers and the loop of the tutorials, whole processes.

    python scripts/bench_score.py FOLDER [--runs N] [--readme]

Needs `pip install -e ".[bench]"` for the peers; one that is missing is left out. The contenders take turns, so that a
machine that slows down slows all. Prints a Markdown table of medians.
"""

import argparse
import importlib.util
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from readme import README, fill
from startup import alternate

_DECODE = """
import cv2, sys, pathlib
from concurrent.futures import ThreadPoolExecutor
def one(path): return cv2.imread(str(path), FLAG).shape
with ThreadPoolExecutor(2) as pool: print(len(list(pool.map(one, sorted(pathlib.Path(sys.argv[1]).iterdir())))))
"""

_LOOP = """
import cv2, sys, pathlib
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    print(path, cv2.Laplacian(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), cv2.CV_64F).var())
"""

_BLUR_EFFECT = """
import sys, pathlib
from skimage import io, color, measure
for path in sorted(pathlib.Path(sys.argv[1]).iterdir())[:LIMIT]:
    print(path, measure.blur_effect(color.rgb2gray(io.imread(path))))
"""

_CLEANVISION = """
import sys
from cleanvision import Imagelab
Imagelab(data_path=sys.argv[1], verbose=False).find_issues({"blurry": {}}, n_jobs=2, verbose=False)
"""

#: blur_effect takes seconds an image; its time is that of so many images, scaled.
FEW = 4

LABELS = {
    "decode": "decoding alone, grey, two threads",
    "variance": "`edgekit score --measure laplacian_variance`",
    "score": "`edgekit score`",
    "loop": "the tutorials' loop: imread grey, Laplacian CV_64F, var",
    "cleanvision": "cleanvision, blurry images",
    "sharp_frames": "sharp-frames, best of the folder",
    "blur_effect": f"scikit-image's blur_effect (of {FEW} images, scaled)",
}


def commands(folder: str, scratch: str) -> dict[str, list[str]]:
    """Return each contender's command."""
    python = [sys.executable, "-c"]
    edgekit = [sys.executable, "-m", "edgekit", "score", folder, "--force", "-q", "-j", "2", "-o"]
    out = {
        "decode": [*python, _DECODE.replace("FLAG", "cv2.IMREAD_GRAYSCALE"), folder],
        "variance": [*edgekit, f"{scratch}/variance.csv", "--measure", "laplacian_variance"],
        "score": [*edgekit, f"{scratch}/score.csv"],
        "loop": [*python, _LOOP, folder],
        "blur_effect": [*python, _BLUR_EFFECT.replace("LIMIT", str(FEW)), folder],
    }
    if importlib.util.find_spec("cleanvision"):
        out["cleanvision"] = [*python, _CLEANVISION, folder]
    if importlib.util.find_spec("sharp_frames"):
        frames = str(Path(sys.executable).with_name("sharp-frames"))
        best = ["--selection-method", "best-n", "--num-frames", "1", "--force-overwrite"]
        out["sharp_frames"] = [frames, folder, f"{scratch}/frames", *best]
    return out


def measure(folder: Path, runs: int) -> str:
    """Time the contenders in turn, and return a Markdown table."""
    images = len(list(folder.iterdir()))
    with tempfile.TemporaryDirectory() as scratch:
        times = alternate(commands(str(folder), scratch), runs, scratch)
    times["blur_effect"] = [took * images / FEW for took in times["blur_effect"]]
    lines = [
        f"{images} images, median of {runs} runs in turns, {os.cpu_count()} cores:",
        "",
        "| contender | s | images/s | times decoding | times the loop |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, label in LABELS.items():
        if name in times:
            took = statistics.median(times[name])
            ratios = (
                statistics.median(a / b for a, b in zip(times[name], times[other], strict=True))
                for other in ("decode", "loop")
            )
            lines.append(f"| {label} | {took:.2f} | {images / took:.1f} | {' | '.join(f'{r:.2f}' for r in ratios)} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--readme", action="store_true", help="write the table into the README")
    options = parser.parse_args(arguments)
    text = measure(options.folder, options.runs)
    print(text)
    if options.readme:
        README.write_text(fill(README.read_text(encoding="utf-8"), "speed", text), encoding="utf-8")


if __name__ == "__main__":
    main()
