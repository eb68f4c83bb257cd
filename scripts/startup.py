"""Measures what starting costs: whole processes, edgekit beside the three lines that do the same with bare OpenCV.

    python scripts/startup.py [IMAGE] [--runs N]

Prints a Markdown table: medians and quartiles in milliseconds, and the ratio of each pair of runs. They take turns,
so that a machine that slows down slows all.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SAMPLE = Path(__file__).parents[1] / "samples" / "coffee.png"

BARE = """
import cv2, sys
image = cv2.imread(sys.argv[1], cv2.IMREAD_GRAYSCALE)
edges = cv2.magnitude(cv2.Sobel(image, cv2.CV_32F, 1, 0), cv2.Sobel(image, cv2.CV_32F, 0, 1))
cv2.imwrite(sys.argv[2], edges / 4)
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("image", nargs="?", type=Path, default=SAMPLE)
    parser.add_argument("--runs", type=int, default=15)
    arguments = parser.parse_args()
    edgekit = [sys.executable, "-m", "edgekit"]
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "bare.py")
        script.write_text(BARE)
        bare = [sys.executable, str(script), str(arguments.image), f"{folder}/bare.png"]
        sobel = [*edgekit, "sobel", str(arguments.image), "-o", f"{folder}/edges.png", "--force"]
        times = alternate({"bare": bare, "sobel": sobel, "help": [*edgekit, "--help"]}, arguments.runs)
    print(f"{arguments.image.name}, {arguments.runs} runs each\n")
    print("| process | median ms | quartiles | over bare OpenCV |")
    print("|---|---|---|---|")
    for name, label in (
        ("bare", "three lines of bare OpenCV"),
        ("sobel", "`edgekit sobel`"),
        ("help", "`edgekit --help`"),
    ):
        low, middle, high = (1000 * q for q in statistics.quantiles(times[name], n=4))
        ratio = statistics.median(a / b for a, b in zip(times[name], times["bare"], strict=True))
        print(f"| {label} | {middle:.0f} | {low:.0f} to {high:.0f} | {ratio:.2f} |")


def alternate(commands: dict[str, list[str]], runs: int) -> dict[str, list[float]]:
    """Run the commands in turn, once unmeasured, and return the seconds that each run took."""
    times: dict[str, list[float]] = {name: [] for name in commands}
    for n in range(runs + 1):
        for name, command in commands.items():
            start = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            if n:
                times[name].append(time.perf_counter() - start)
    return times


if __name__ == "__main__":
    main()
