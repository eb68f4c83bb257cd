"""Sorts a folder by scores, kills the run at random moments, resumes and undoes it, and counts what is lost.

    python scripts/faults/sorting_faults.py PHOTOGRAPHS [--files N] [--kills N] [--seed N] [--runs N]

The folder is filled with copies of the photographs, with raw files and sidecar files beside some of them. In each trial
`edgekit score --move-blurred --copy-undefined` and `edgekit undo` are killed at a moment that the seed chooses, and run
again. After each kill every content must exist; after each resumed run every file must be where an undisturbed run puts
it; after the undo the folder must be as before, byte for byte, with the times of its files. The last lines compare the
times of `score` with and without moving.
"""

import argparse
import collections
import hashlib
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EDGEKIT = [sys.executable, "-m", "edgekit"]


def fill(folder: Path, photographs: list[Path], count: int) -> None:
    """Fill a folder with `count` files: copies, each tenth as a raw file with an image and settings beside it."""
    made = 0
    for number in range(count):
        photograph = photographs[number % len(photographs)]
        place = folder / f"day{number % 7}"
        place.mkdir(parents=True, exist_ok=True)
        stem = f"{number:05d}-{photograph.stem}"
        names = [f"{stem}{photograph.suffix}"]
        if number % 10 == 0:
            names = [f"{stem}.DNG", f"{stem}.JPG", f"{stem}.xmp"]
        elif number % 10 == 5:
            names.append(f"{names[0]}.xmp")
        for name in names:
            if made == count:
                return
            if name.endswith("xmp"):
                (place / name).write_text(f"settings of {stem}")
            else:
                shutil.copy2(photograph, place / name)
                with (place / name).open("ab") as file:
                    file.write(name.encode())  # No two contents are equal.
            made += 1


def tree(*folders: Path) -> dict[str, tuple[str, int]]:
    """Return the hash and the time of each file, by its path; without the state of edgekit."""
    found = {}
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file() and not path.name.startswith("."):
                digest = hashlib.blake2b(path.read_bytes()).hexdigest()
                found[str(path.relative_to(folder.parent))] = digest, path.stat().st_mtime_ns
    return found


def contents(found: dict[str, tuple[str, int]]) -> collections.Counter[str]:
    return collections.Counter(digest for digest, _ in found.values())


def timed(command: list[str], home: Path) -> float:
    start = time.monotonic()
    subprocess.run(command, cwd=home, check=True, capture_output=True)
    return time.monotonic() - start


def killed(command: list[str], home: Path, after: float) -> bool:
    """Start a command and kill it with its workers; tell whether it was still running."""
    process = subprocess.Popen(
        command, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True
    return False


def main(arguments: list[str] | None = None) -> int:
    """Run the trials and return 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photographs", type=Path, nargs="+")
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runs", type=int, default=5, help="of which the median time is printed")
    parser.add_argument("--other-disk", type=Path, help="move to this folder, on another file system")
    options = parser.parse_args(arguments)
    found = [p for folder in options.photographs for p in sorted(folder.rglob("*")) if p.is_file() and p.suffix]
    chance, wrong = random.Random(options.seed), 0
    with tempfile.TemporaryDirectory() as name, tempfile.TemporaryDirectory(dir=options.other_disk or name) as other:
        home, photos = Path(name), Path(name, "photos")
        fill(photos, found, options.files)
        blurred, copies = Path(other, "blurred"), Path(other, "copies")
        score = [*EDGEKIT, "score", "photos", "-r", "-o", "scores.csv", "-q", "-j", "2"]
        sort = [*score, "--move-blurred", str(blurred), "--copy-undefined", str(copies)]
        undo = [[*EDGEKIT, "undo", str(folder), "-q"] for folder in (blurred, copies)]
        before = tree(photos)
        timed(score, home)
        took = timed(sort, home)
        after = tree(photos, blurred, copies)
        print(f"{len(before)} files, {len(tree(blurred))} moved, {len(tree(copies))} copied in {took:.2f} s")
        for command in undo:
            timed(command, home)
        wrong += tree(photos) != before
        hits = 0
        for trial in range(options.kills):
            if trial % 10 == 9:
                (home / ".scores.csv.edgekit.sqlite").unlink()  # Killed while images are scored.
                (home / "scores.csv").unlink()
            hits += killed(sort, home, chance.uniform(0.1, 1.0 if trial % 10 == 9 else took))
            lost = contents(before) - contents(tree(photos, blurred))
            timed(sort, home)
            same = tree(photos, blurred, copies) == after
            hits += killed(undo[0], home, chance.uniform(0.1, 0.8))
            lost += contents(before) - contents(tree(photos, blurred))
            for command in undo:
                subprocess.run(command, cwd=home, capture_output=True, check=False)
            back = tree(photos) == before and not blurred.exists() and not copies.exists()
            print(f"trial {trial}", end="\r", flush=True)
            if lost or not same or not back:
                wrong += 1
                print(f"trial {trial}: {sum(lost.values())} lost, sorted as expected: {same}, put back: {back}")
                print(f"  left: {sorted(path.name for folder in (blurred, copies) for path in folder.rglob(chr(42)))}")
        print(f"{options.kills} trials with {hits} kills of running commands: {wrong} wrong")
        plain, moving = [], []
        for _ in range(options.runs):
            (home / ".scores.csv.edgekit.sqlite").unlink()
            (home / "scores.csv").unlink()
            plain.append(timed(score, home))
            (home / ".scores.csv.edgekit.sqlite").unlink()
            (home / "scores.csv").unlink()
            moving.append(timed(sort, home))
            for command in undo:
                timed(command, home)
        print(
            f"score: {statistics.median(plain):.2f} s; with moving: {statistics.median(moving):.2f} s "
            f"(median of {options.runs}, from {min(plain):.2f} and {min(moving):.2f})"
        )
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
