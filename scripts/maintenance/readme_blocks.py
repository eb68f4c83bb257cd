"""Fills the generated blocks of the README: the tables of operators and measures, and the figures for dark images.

    python scripts/maintenance/readme_blocks.py            # writes README.md
    python scripts/maintenance/readme_blocks.py --check    # checks that it is up to date

A block is the text between <!-- name --> and <!-- /name -->.
"""

import argparse
import math
import re
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.blocks import fill
from common.paths import README
from edgekit.focus.measures import MEASURES
from edgekit.operators.table import OPERATORS, Kind, Operator
from evaluation.dark_edges import summary


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


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the README, or check it."""
    parser = argparse.ArgumentParser(description="Fill the README's generated blocks.")
    parser.add_argument("--check", action="store_true", help="change nothing; exit with status 1 if it is out of date")
    check = parser.parse_args(arguments).check
    old = README.read_text(encoding="utf-8")
    new = old
    for name, content in (("operators", operators()), ("measures", measures()), ("dark", summary())):
        new = fill(new, name, content)
    if check:
        sys.exit(0 if new == old else "README.md is out of date; run python scripts/maintenance/readme_blocks.py")
    README.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
