"""Fills the generated blocks of pages: the tables of operators and measures, and the README's figures of quality.

    python scripts/maintenance/readme_blocks.py            # writes the pages
    python scripts/maintenance/readme_blocks.py --check    # checks that they are up to date

A block is the text between <!-- name --> and <!-- /name -->.
"""

import argparse
import math
import re
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.blocks import block, fill, table_cell
from common.paths import DOCS, README
from edgekit.focus.measures import MEASURES
from edgekit.operators.table import OPERATORS, Kind, Operator


def operators() -> str:
    """Return the table of operators."""
    lines = ["| command | operator | kernel at 0° | divided by | accuracy | reference |", "|---|---|---|---|---|---|"]
    lines += [_row(operator) for operator in OPERATORS.values()]
    return "\n".join(lines)


def _row(operator: Operator) -> str:
    kernel = operator.kernels()[0]
    if kernel.common_factor >= 1 and max(kernel.shape) <= 3:
        taps = f"`{' / '.join(' '.join(f'{t:g}' for t in line) for line in kernel.coefficients)}`"
    else:
        taps = "{}×{}, decimal".format(*kernel.shape)
    divisor = f"{operator.divisor(kernel, operator.axis):.4g}"
    if operator.kind is Kind.GRADIENT and operator.axis:
        taps += f" (at {operator.axis:g}°)"
    choices = "".join(f" `--{p}`" for p in operator.parameters)
    sizes = "".join(f" {c}" for c in operator.choices if c is not None)
    return (
        f"| `{operator.name}`{choices}{sizes} | {operator.title} | {taps} | {divisor} "
        f"| {operator.accuracy} | {_linked(operator.reference)} |"
    )


def measures() -> str:
    """Return the table of focus measures."""
    lines = ["| measure | definition | range | power of contrast | reference |", "|---|---|---|---:|---|"]
    for row in MEASURES.values():
        low, high = ("−∞" if e == -math.inf else "∞" if e == math.inf else f"{e:g}" for e in row.range)
        formula = row.formula.replace("|", "\\|")
        lines.append(f"| `{row.name}` | {formula} | {low} to {high} | {row.contrast} | {_linked(row.reference)} |")
    return "\n".join(lines)


def _linked(reference: str) -> str:
    return re.sub(r"(10\.\d{4,}/\S+?)(?=[,; ]|$)", r"[doi](https://doi.org/\1)", reference)


#: The README's figures of quality: what was measured, then page, block, column, and the rows of edgekit and another
#: method. Scripts for evaluation write the blocks.
QUALITY = (
    (
        "boundaries that people drew, BSDS500: F, one threshold for all photographs",
        ("edges.md", "edges", "ODS", "`detect`", "scikit-image canny, σ = 2"),
    ),
    (
        "the same photographs, eight times darker, at the same threshold: F",
        ("edges.md", "edges", "dark F at the same threshold", "`detect`", "scikit-image canny, σ = 2"),
    ),
    (
        "sharp or blurred, sorted by eye: area under the ROC curve",
        ("sharpness.md", "eye", "area under the ROC curve", "**score**", "cleanvision: deviation of edges at 64 px"),
    ),
    (
        "autofocus, at most 20 measurements: lenses of 100 whose error is within 1 % of the range",
        ("autofocus.md", "lens", "within 1 % of the range", "`autofocus`", "golden-section search"),
    ),
)


def quality() -> str:
    """Return the README's table of quality, from the tables of other pages."""
    lines = ["| measured | edgekit | compared with | its value |", "|---|---|---|---:|"]
    for title, (page, name, column, own, other) in QUALITY:
        text = block(DOCS / page, name)
        values = [table_cell(text, row, column) for row in (own, other)]
        lines.append(f"| [{title}](docs/{page}) | {own.strip('*')}: **{values[0]}** | {other} | {values[1]} |")
    return "\n".join(lines)


#: Page, block and the function that returns its content.
BLOCKS = (
    (DOCS / "operators.md", "operators", operators),
    (DOCS / "scoring.md", "measures", measures),
    (README, "quality", quality),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the pages, or check them."""
    parser = argparse.ArgumentParser(description="Fill the generated blocks of pages.")
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 if a page is out of date")
    check = parser.parse_args(arguments).check
    for path, name, content in BLOCKS:
        old = path.read_text(encoding="utf-8")
        new = fill(old, name, content())
        if check and new != old:
            sys.exit(f"{path.name} is out of date; run python scripts/maintenance/readme_blocks.py")
        if not check:
            path.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
