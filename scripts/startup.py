"""Measures what starting costs: whole processes, edgekit beside the three lines that do the same with bare OpenCV.

    python scripts/startup.py [IMAGE] [--runs N] [--readme]

Prints a Markdown table: medians and quartiles in milliseconds, and the ratio of each pair of runs. They take turns,
so that a machine that slows down slows all.
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from readme import README, fill

import edgekit as ek

SAMPLE = Path(__file__).resolve().parents[1] / "samples" / "coffee.png"

BARE = """
import cv2, sys
image = cv2.imread(sys.argv[1], cv2.IMREAD_GRAYSCALE)
edges = cv2.magnitude(cv2.Sobel(image, cv2.CV_32F, 1, 0), cv2.Sobel(image, cv2.CV_32F, 0, 1))
cv2.imwrite(sys.argv[2], cv2.convertScaleAbs(edges, alpha=0.25))
"""

LABELS = {
    "bare": "three lines of bare OpenCV",
    "sobel": "`edgekit sobel`",
    "help": "`edgekit --help`",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("image", nargs="?", type=Path, default=SAMPLE)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--readme", action="store_true", help="write the table into the README")
    options = parser.parse_args(arguments)
    text = table(options.image, options.runs)
    print(text)
    if options.readme:
        README.write_text(fill(README.read_text(encoding="utf-8"), "startup", text), encoding="utf-8")


def table(image: Path, runs: int) -> str:
    """Measure, and return a Markdown table."""
    edgekit = [sys.executable, "-m", "edgekit"]
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "bare.py")
        script.write_text(BARE)
        bare = [sys.executable, str(script), str(image), f"{folder}/bare.png"]
        sobel = [*edgekit, "sobel", str(image), "-o", f"{folder}/edges.png", "--force"]
        times = alternate({"bare": bare, "sobel": sobel, "help": [*edgekit, "--help"]}, runs, folder)
    height, width = ek.read_image(image).shape[:2]
    lines = [
        f"{image.name}, {width}x{height}, median of {runs} runs in turns, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}:",
        "",
        "| process | ms | quartiles | times the first |",
        "|---|---:|---:|---:|",
    ]
    for name, label in LABELS.items():
        low, middle, high = (1000 * q for q in statistics.quantiles(times[name], n=4))
        ratio = statistics.median(a / b for a, b in zip(times[name], times["bare"], strict=True))
        lines.append(f"| {label} | {middle:.0f} | {low:.0f} to {high:.0f} | {ratio:.2f} |")
    return "\n".join(lines)


def alternate(commands: dict[str, list[str]], runs: int, folder: str) -> dict[str, list[float]]:
    """Run the commands in turn, once unmeasured, and return the seconds that each run took."""
    # Modules are compiled once, as they are where edgekit is installed.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = f"{folder}/compiled"
    times: dict[str, list[float]] = {name: [] for name in commands}
    for n in range(runs + 1):
        for name, command in commands.items():
            start = time.perf_counter()
            subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
            if n:
                times[name].append(time.perf_counter() - start)
    return times


if __name__ == "__main__":
    main()
