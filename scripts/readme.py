"""Fills the README's generated blocks: the operators from their rows, the figures of edges in the dark.

    python scripts/readme.py            # writes README.md
    python scripts/readme.py --check    # says whether it is fresh

A block stands between <!-- name --> and <!-- /name -->.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from dark_edges import summary

from edgekit.kernels import OPERATORS, Kind, Operator

README = Path(__file__).resolve().parents[1] / "README.md"


def operators() -> str:
    """Return the table of operators."""
    lines = ["| command | operator | taps at 0° | divided by | accuracy | reference |", "|---|---|---|---|---|---|"]
    lines += [_row(operator) for operator in OPERATORS.values()]
    return "\n".join(lines)


def _row(operator: Operator) -> str:
    kernel = operator.kernels()[0]
    if kernel.integer and max(kernel.shape) <= 3:
        taps = f"`{' / '.join(' '.join(f'{t:g}' for t in line) for line in kernel.taps)}`"
    else:
        taps = "{}×{}, decimal".format(*kernel.shape)
    divisor = f"{operator.divisor(kernel, operator.axis):.4g}"
    if operator.kind is Kind.GRADIENT and operator.axis:
        taps += f" (at {operator.axis:g}°)"
    choices = "".join(f" `--{p}`" for p in operator.parameters)
    sizes = "".join(f" {c}" for c in operator.choices if c is not None)
    reference = re.sub(r"(10\.\d{4,}/\S+?)(?=[,; ]|$)", r"[doi](https://doi.org/\1)", operator.reference)
    return (
        f"| `{operator.name}`{choices}{sizes} | {operator.title} | {taps} | {divisor} "
        f"| {operator.accuracy} | {reference} |"
    )


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
    new = fill(fill(old, "operators", operators()), "dark", summary())
    if check:
        sys.exit(0 if new == old else "README.md is not fresh; run python scripts/readme.py")
    README.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
