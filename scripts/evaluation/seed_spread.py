"""Measures how much the boundaries of the network depend on the seed of its training.

    python scripts/evaluation/seed_spread.py BSDS500 FOLDER... [-j 2] [--write]

BSDS500 is that of `learning/train_edges.py`, and each FOLDER is one of its folders. The photographs are those of val,
without every fifth one, which decided the end of the training. Prints a table. --write writes it into
docs/boundaries.md.
Needs `pip install -e ".[bench,torch]"`.
"""

import argparse
import json
import multiprocessing
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import edgekit as ek
from common.blocks import fill_page
from common.paths import DOCS
from edgekit.edges import learned
from edgekit.edges.boundaries import Model
from evaluation.boundary_measure import agree, inner, tally
from evaluation.edge_detection import Pair, find, one_thread
from learning.export_edges import export
from learning.train_edges import STOPPING

THRESHOLDS = 49

MODELS: tuple[Model, ...] = ("learned-fast", "learned")


def line(folder: Path, pairs: Sequence[Pair]) -> str:
    """Return a line of the table."""
    curve = json.loads((folder / "curve.json").read_text(encoding="utf-8"))
    best = min(curve, key=lambda row: row["val"])
    with tempfile.TemporaryDirectory() as scratch, one_thread():
        learned.WEIGHTS = Path(scratch) / "weights.npz"
        export(folder / "best.pt", learned.WEIGHTS)
        learned._weights.cache_clear()
        row = f"| {folder.resolve().name} | {curve[-1]['step']} | {curve[-1]['seconds'] / 60:.0f} | {best['val']:.3f} |"
        for model in MODELS:
            counts = []
            for pair in pairs:
                image, people = pair.read()
                counts.append(tally(ek.detect(image, model=model), people, inner(THRESHOLDS)))
            found = agree(counts, inner(THRESHOLDS))
            row += f" {found.ods:.3f} | {found.ap:.3f} |"
    return row


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, and print or write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder of BSDS500")
    parser.add_argument("folders", type=Path, nargs="+", help="folders of trainings")
    parser.add_argument("-j", "--jobs", type=int, default=1, help="processes (default: %(default)s)")
    parser.add_argument("--write", action="store_true", help="write the table into docs/boundaries.md")
    options = parser.parse_args(arguments)
    found = find(options.data / "images" / "val", options.data / "groundTruth" / "val", None)[0]
    pairs = [pair for n, (pair, _) in enumerate(found) if n % STOPPING]
    lines = [
        f"{len(pairs)} photographs, {THRESHOLDS} thresholds. Loss: the smallest on the 20 other photographs of val.",
        "",
        "| training | steps | minutes | loss | ODS, one scale | AP | ODS, three scales | AP |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    with ProcessPoolExecutor(options.jobs, multiprocessing.get_context("spawn")) as pool:
        lines += pool.map(partial(line, pairs=pairs), options.folders)
    text = "\n".join(lines)
    print(text)
    if options.write:
        fill_page(DOCS / "boundaries.md", "seeds", text)


if __name__ == "__main__":
    main()
