"""Compares `edgekit pick` with sharp-frames on a video, as whole processes.

    python scripts/benchmarks/frame_picking.py CLIP [CLIP ...] [--runs N] [--write]

Both read every frame, select 30 and write them as JPEG. Needs `pip install -e ".[bench,video]"`, and for sharp-frames
ffmpeg. The two programs run in turn. Prints a Markdown table of medians.
"""

import argparse
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.harness.processes import alternate, seconds
from common.blocks import fill_page
from common.paths import DOCS
from edgekit.io.video import read_frames

#: Number of selected frames.
COUNT = 30


def commands(clip: Path, rate: float, scratch: str) -> dict[str, list[str]]:
    """Return each contender's command."""
    edgekit = [sys.executable, "-m", "edgekit", "pick", str(clip), "-n", str(COUNT), "--format", "jpg", "--force", "-q"]
    frames = shutil.which("sharp-frames", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if frames is None or shutil.which("ffmpeg") is None:
        sys.exit("needs sharp-frames and ffmpeg: pip install -e '.[bench,video]', and install ffmpeg")
    best = ["--selection-method", "best-n", "--num-frames", str(COUNT), "--min-buffer", "0", "--force-overwrite"]
    return {
        "edgekit": [*edgekit, "-o", f"{scratch}/edgekit"],
        "sharp_frames": [frames, str(clip), f"{scratch}/peer", "--fps", f"{rate:.0f}", *best],
    }


def measure(clips: Sequence[Path], runs: int) -> str:
    """Time both programs in turn on each video, and return a Markdown table."""
    lines = [
        f"{COUNT} selected frames, median of {runs} interleaved runs, {os.cpu_count()} cores:",
        "",
        "| clip | frames | `edgekit pick`, s | sharp-frames, s | speedup |",
        "|---|---:|---:|---:|---:|",
    ]
    for clip in clips:
        *_, last = read_frames(clip)
        height, width = last.image.shape
        rate = last.number / last.time
        with tempfile.TemporaryDirectory() as scratch:
            times = seconds(alternate(commands(clip.resolve(), rate, scratch), runs, scratch))
        ours, theirs = (statistics.median(times[name]) for name in ("edgekit", "sharp_frames"))
        ratio = statistics.median(b / a for a, b in zip(times["edgekit"], times["sharp_frames"], strict=True))
        lines.append(
            f"| {width}x{height}, {last.time:.0f} s | {last.number + 1} | {ours:.2f} | {theirs:.2f} | {ratio:.1f} |"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="write the table into docs/video.md")
    options = parser.parse_args(arguments)
    text = measure(options.clips, options.runs)
    print(text)
    if options.write:
        fill_page(DOCS / "video.md", "picking", text)


if __name__ == "__main__":
    main()
