"""Fills the README's generated blocks: operators and measures from their rows, the figures of edges in the dark.

    python scripts/readme.py            # writes README.md
    python scripts/readme.py --check    # says whether it is fresh

A block stands between <!-- name --> and <!-- /name -->.
"""

import argparse
import math
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from dark_edges import summary

from edgekit.focus.measures import MEASURES
from edgekit.operators.table import OPERATORS, Kind, Operator

README = Path(__file__).resolve().parents[1] / "README.md"


def operators() -> str:
    """Return the table of operators."""
    lines = ["| command | operator | taps at 0° | divided by | accuracy | reference |", "|---|---|---|---|---|---|"]
    lines += [_row(operator) for operator in OPERATORS.values()]
    return "\n".join(lines)


def _row(operator: Operator) -> str:
    kernel = operator.kernels()[0]
    if kernel.grain >= 1 and max(kernel.shape) <= 3:
        taps = f"`{' / '.join(' '.join(f'{t:g}' for t in line) for line in kernel.taps)}`"
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
    lines = ["| measure | definition | range | grows with contrast to the | reference |", "|---|---|---|---:|---|"]
    for row in MEASURES.values():
        low, high = ("−∞" if e == -math.inf else "∞" if e == math.inf else f"{e:g}" for e in row.limits)
        formula = row.formula.replace("|", "\\|")
        lines.append(f"| `{row.name}` | {formula} | {low} to {high} | {row.contrast} | {_linked(row.reference)} |")
    return "\n".join(lines)


def _linked(reference: str) -> str:
    return re.sub(r"(10\.\d{4,}/\S+?)(?=[,; ]|$)", r"[doi](https://doi.org/\1)", reference)


def fill(text: str, name: str, content: str) -> str:
    """Return `text` with the block called `name` replaced."""
    block = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    if not block.search(text):
        raise SystemExit(f"README.md has no block <!-- {name} -->")
    return block.sub(lambda m: f"{m[1]}\n{content}\n\n{m[2]}", text)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the README, or check it."""
    parser = argparse.ArgumentParser(description="Fill the README's generated blocks.")
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 if it is not fresh")
    check = parser.parse_args(arguments).check
    old = README.read_text(encoding="utf-8")
    new = old
    for name, content in (("operators", operators()), ("measures", measures()), ("dark", summary())):
        new = fill(new, name, content)
    if check:
        sys.exit(0 if new == old else "README.md is not fresh; run python scripts/readme.py")
    README.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
