"""Injects faults into batches, by a random seed, and counts what is lost.

    python scripts/faults/batch_faults.py [FAULT ...] [--trials N] [--seed N] [--write]

Each trial filters or scores a folder of photographs. The seed chooses the time of a fault, or the images with a fault.
Then every image must have its result, with the bytes of a run without faults, or a row with the reason. No unfinished
file may remain. An interrupted run must give the same results when it is resumed.
A full disk is a small file system in memory, which only root may mount.
"""

import argparse
import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePath

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import edgekit as ek
from common.blocks import fill
from common.paths import ROOT
from edgekit.batch.engines.processes import Processes, WorkerLimits
from edgekit.batch.jobs.scoring import ScoreJob
from edgekit.batch.output_log import NAME, OutputLog
from edgekit.batch.outputs import Item
from edgekit.batch.rendering import RenderWork
from edgekit.batch.runner import Status
from edgekit.batch.runner import run as run_work
from edgekit.batch.score_cache import ScoreCache
from edgekit.batch.scoring import score_sources
from edgekit.batch.sources import Source
from faults.failing_jobs import FailingFilter, FailingScore

PAGE = ROOT / "docs" / "faults.md"

#: Images of a trial, and their side: enough for worker processes.
COUNT, SIDE = 80, 96

#: Timeout per image.
SECONDS = 60.0

EDGEKIT = [sys.executable, "-m", "edgekit"]

#: The result of an image, or the reason why it has none, by its name.
Results = dict[str, bytes | str]


@dataclass
class Tally:
    """The counts of the trials of a fault."""

    trials: int = 0
    items: int = 0
    injected: int = 0
    failed: int = 0
    missing: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    longest: float = 0.0

    def count(self, found: Results, expected: Results, *, where: str) -> None:
        """Compare results with those of a run without faults. A reason counts as a result."""
        self.items += len(expected)
        for name, result in expected.items():
            if name not in found:
                self.missing.append(f"{where}: {name}")
            elif isinstance(found[name], str):
                self.failed += 1
            elif found[name] != result:
                self.wrong.append(f"{where}: {name}")

    def look_for_drafts(self, folder: Path, *, where: str) -> None:
        """Note unfinished files."""
        self.left += [f"{where}: {path.name}" for path in folder.rglob("*.edgekit-part")]

    @property
    def good(self) -> bool:
        return not (self.missing or self.wrong or self.left)


@dataclass
class Trial:
    """A folder of images, and a random generator."""

    random: random.Random
    folder: Path
    scores: bool
    where: str

    @property
    def images(self) -> Path:
        return self.folder / "in"

    @property
    def out(self) -> Path:
        return self.folder / "out"

    @property
    def names(self) -> list[str]:
        return sorted(path.name for path in self.images.iterdir())

    def command(self) -> list[str]:
        """Return the command line; it prints a row for each item."""
        if self.scores:
            return [*EDGEKIT, "score", str(self.images), "-o", str(self.out / "scores.csv"), "-j", "2", "-q"]
        return [*EDGEKIT, "sobel", str(self.images), "-o", str(self.out), "-j", "2", "-q", "--json"]

    def results(self, said: str = "") -> Results:
        """Return the results that exist, and the reasons that a command printed for the others."""
        if self.scores:
            path = self.out / "scores.csv"
            if not path.exists():
                return {}
            with path.open(encoding="utf-8", newline="") as file:
                rows = [(Path(r["path"]).name, r) for r in csv.DictReader(file)]
            return {name: r["reason"] if r["status"] == "failed" else r["score"].encode() for name, r in rows}
        reasons = {Path(r["input"]).name: r["reason"] for r in map(json.loads, said.splitlines()) if "reason" in r}
        made = {f"{path.name.removesuffix('.sobel.png')}.png": path.read_bytes() for path in self.out.glob("*.png")}
        return {**reasons, **made}


def run(trial: Trial) -> str:
    """Run the command to its end; return its rows."""
    return subprocess.run(trial.command(), capture_output=True, text=True, check=False, timeout=SECONDS).stdout


def undisturbed(images: Path, folder: Path) -> tuple[Results, Results]:
    """Return the results of filtering and of scoring, by one worker each."""
    out = []
    for scores in (False, True):
        trial = Trial(random.Random(0), folder / f"undisturbed-{scores}", scores, "")
        shutil.copytree(images, trial.images)
        out.append(trial.results(run(trial)))
        assert len(out[-1]) == COUNT
    return out[0], out[1]


def in_workers(trial: Trial, tally: Tally, failure: str, limits: WorkerLimits) -> Results:
    """Run with images at which a worker fails."""
    failing = trial.random.sample(trial.names, trial.random.randint(1, 3)) if failure else []
    tally.injected += len(failing)
    found = by_workers(trial, tuple((name, failure) for name in failing), limits)
    if healthy := [name for name, result in found.items() if isinstance(result, str) and name not in failing]:
        tally.wrong += [f"{trial.where}: {name} failed, which nothing was wrong with" for name in healthy]
    passed = [name for name in failing if not isinstance(found.get(name, ""), str)]
    tally.wrong += [f"{trial.where}: {name} did not fail" for name in passed]
    return found


def by_workers(trial: Trial, failures: tuple[tuple[str, str], ...], limits: WorkerLimits) -> Results:
    """Run by worker processes that this process starts."""
    sources = [Source(trial.images / name, PurePath(name)) for name in trial.names]
    engine = Processes(2, limits)
    if trial.scores:
        with ScoreCache(trial.out / "scores.edgekit", ScoreJob().key) as book:
            rows = list(score_sources(sources, FailingScore(failures=failures), book, engine))
        return {Path(r.path).name: r.reason if r.status == "failed" else repr(r.values[0]).encode() for r in rows}
    items = [
        Item(s, FailingFilter("sobel", failures=failures), trial.out / f"{s.path.stem}.sobel.png") for s in sources
    ]
    with OutputLog(trial.out / NAME) as journal:
        outcomes = list(run_work(RenderWork(journal, [s.path for s in sources]), items, engine))
    return {
        o.item.source.path.name: o.reason if o.status is Status.FAILED else o.item.output.read_bytes() for o in outcomes
    }


def workers_killed(trial: Trial, tally: Tally) -> Results:
    """Kill workers at random moments during the run."""
    over = threading.Event()

    def kill() -> None:
        while not over.wait(trial.random.uniform(0.02, 0.2)):
            if workers := descendants(os.getpid()):
                # It may have ended.
                with suppress(ProcessLookupError):
                    os.kill(trial.random.choice(workers), signal.SIGKILL)
                    tally.injected += 1

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        return by_workers(trial, (), WorkerLimits())
    finally:
        over.set()
        killer.join()


def run_killed(trial: Trial, tally: Tally, took: float) -> Results:
    """Kill the run at random moments, up to three times, and then let it finish."""
    for _ in range(trial.random.randint(1, 3)):
        process = subprocess.Popen(
            trial.command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        time.sleep(trial.random.uniform(0.1, took))
        # With its workers, or without: those must end by themselves.
        if trial.random.random() < 0.5:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.wait()
        tally.injected += 1
        # A file under its final name must be complete.
        tally.count(trial.results(), {n: r for n, r in EXPECTED[trial.scores].items() if n in trial.results()},
                    where=f"{trial.where}, killed")  # fmt: skip
    return trial.results(run(trial))


def disk_full(trial: Trial, tally: Tally) -> Results:
    """Give the results too little space, and then enough."""
    size = trial.random.randint(20, 100 if trial.scores else 700) * 1024
    with mounted(trial.out, size):
        said = run(trial)
        tally.injected += 1
        if not trial.scores:
            tally.count(trial.results(said), EXPECTED[False], where=f"{trial.where}, full")
        tally.look_for_drafts(trial.out, where=f"{trial.where}, full")
        subprocess.run(["mount", "-o", "remount,size=64m", str(trial.out)], check=True)
        return trial.results(run(trial))


def inputs_change(trial: Trial, tally: Tally) -> Results:
    """Delete, truncate, extend or replace images during the run."""

    def cut(path: Path) -> None:
        os.truncate(path, path.stat().st_size // 2)

    def grow(path: Path) -> None:
        with path.open("ab") as file:
            file.write(bytes(2**20))

    def fifo(path: Path) -> None:
        path.unlink()
        os.mkfifo(path)

    def folder(path: Path) -> None:
        path.unlink()
        path.mkdir()

    def loop(path: Path) -> None:
        path.unlink()
        path.symlink_to(path)

    changed = trial.random.sample(trial.names, 10)
    tally.injected += len(changed)
    process = subprocess.Popen(trial.command(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    for name in changed:
        time.sleep(trial.random.uniform(0, 0.08))
        trial.random.choice((Path.unlink, cut, grow, fifo, folder, loop))(trial.images / name)
    said, _ = process.communicate(timeout=SECONDS)
    found = trial.results(said)
    expected = EXPECTED[trial.scores]
    # A file may have been read before its change, or be missing before it is listed.
    gone = {name: "" for name in changed if not (trial.images / name).is_file()}
    return gone | {n: expected[n] if n in changed and isinstance(r, bytes) else r for n, r in found.items()}


@contextmanager
def mounted(folder: Path, size: int) -> Iterator[None]:
    """Mount a file system of `size` bytes over a folder."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def descendants(process: int) -> list[int]:
    """Return the worker processes of a process, without the process that forks them."""
    parents: dict[int, int] = {}
    names: dict[int, bytes] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                names[int(entry.name)] = (entry / "cmdline").read_bytes()
            except OSError:
                continue
    servers = {p for p, parent in parents.items() if parent == process and b"forkserver" in names[p]}
    return [p for p, parent in parents.items() if parent in servers]


#: The results of runs without faults: of filtering, and of scoring.
EXPECTED: dict[bool, Results] = {}


def faults(took: float) -> dict[str, tuple[str, Callable[[Trial, Tally], Results]]]:
    """Return the faults: their names in the table, and their functions."""
    little = WorkerLimits(memory=2**29)
    return {
        "crash": ("a decoder crashes (SIGSEGV)", partial(in_workers, failure="crash", limits=WorkerLimits())),
        "hang": ("a decoder hangs", partial(in_workers, failure="hang", limits=WorkerLimits(timeout=1.0))),
        "memory": ("a decoder allocates memory without limit", partial(in_workers, failure="grow", limits=little)),
        "worker": ("a random worker is killed (SIGKILL)", workers_killed),
        "run": ("the run is killed (SIGKILL) and resumed", partial(run_killed, took=took)),
        "disk": ("the disk is full; the run is resumed when there is space", disk_full),
        "inputs": ("inputs disappear, shrink, grow, or become pipes, folders or circular links", inputs_change),
    }


def attempt(name: str, seed: int, tally: Tally, images: Path, scratch: Path, does: Callable[..., Results]) -> None:
    """Run one trial."""
    chance = random.Random(f"{name} {seed}")
    trial = Trial(chance, scratch / f"{name}-{seed}", bool(seed % 2), f"{name} {seed}")
    shutil.copytree(images, trial.images)
    begun = time.monotonic()
    found = does(trial, tally)
    tally.longest = max(tally.longest, time.monotonic() - begun)
    tally.trials += 1
    tally.count(found, EXPECTED[trial.scores], where=trial.where)
    tally.look_for_drafts(trial.folder, where=trial.where)
    shutil.rmtree(trial.folder)


def report(tallies: dict[str, Tally]) -> str:
    """Return the table."""
    rows = [
        "| fault | trials | images | faults | failed with a reason | lost | wrong | unfinished files | longest, s |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for title, t in tallies.items():
        rows.append(f"| {title} | {t.trials} | {t.items:,} | {t.injected} | {t.failed} | {len(t.missing)} "
                    f"| {len(t.wrong)} | {len(t.left)} | {t.longest:.1f} |")  # fmt: skip
    return "\n".join(rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, inject faults, and print the table."""
    known = list(faults(0.0))
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("faults", nargs="*", metavar="FAULT", help=f"of {', '.join(known)} (default: all)")
    parser.add_argument("--trials", type=int, default=40, help="of each (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the first (default: %(default)s)")
    parser.add_argument("--write", action="store_true", help=f"fill the table of {PAGE.name}")
    options = parser.parse_args(arguments)
    if unknown := set(options.faults) - set(known):
        parser.error(f"{', '.join(sorted(unknown))} is none of {', '.join(known)}")
    tallies: dict[str, Tally] = {}
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        images = scratch / "images"
        make_images(images)
        begun = time.monotonic()
        EXPECTED[False], EXPECTED[True] = undisturbed(images, scratch)
        took = (time.monotonic() - begun) / 2
        for fault, (title, does) in faults(took).items():
            if options.faults and fault not in options.faults:
                continue
            tallies[title] = tally = Tally()
            for seed in range(options.seed, options.seed + options.trials):
                attempt(fault, seed, tally, images, scratch, does)
            print(*(f"{kind}: {what}" for kind in ("missing", "wrong", "left") for what in getattr(tally, kind)),
                  report({title: tally}).splitlines()[-1], sep="\n", flush=True)  # fmt: skip
    if options.write:
        PAGE.write_text(fill(PAGE.read_text(encoding="utf-8"), "faults", report(tallies)), encoding="utf-8")
    return 0 if all(t.good for t in tallies.values()) else 1


def make_images(folder: Path) -> None:
    """Cut small images out of a photograph."""
    folder.mkdir()
    photograph = ek.read_image(ROOT / "samples" / "rocket.jpg")
    rng = np.random.default_rng(3)
    for n in range(COUNT):
        y, x = (int(rng.integers(0, side - SIDE)) for side in photograph.shape[:2])
        ek.write_image(folder / f"{n:03}.png", photograph[y : y + SIDE, x : x + SIDE])


if __name__ == "__main__":
    sys.exit(main())
