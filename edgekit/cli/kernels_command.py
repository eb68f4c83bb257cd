"""``edgekit kernels``: lists the operators, or prints the kernels of one."""

import json
from typing import Any

import click

from edgekit.cli.help_pages import MESSAGES, command
from edgekit.cli.options import DIRECTION, KERNEL, options
from edgekit.cli.parameter_types import Text
from edgekit.operators.kernels import Matrix
from edgekit.operators.table import OPERATORS, Kind, Operator, find

#: One arrow for each 45 degrees, clockwise from +x.
ARROWS = "→↘↓↙←↖↑↗"


@command(
    "kernels", "List the operators, or print the kernels of one.",
    "edgekit kernels",
    "edgekit kernels sobel --angle 45 --rotate ring",
    "edgekit kernels gaussian --sigma 2 --json",
)  # fmt: skip
@click.argument("operator", type=Text(OPERATORS), required=False, metavar="[OPERATOR]")
@options("kernels", {"Filter": (DIRECTION[0], *KERNEL, *DIRECTION[1:]), MESSAGES: ("json",)})
def kernels(operator: str | None, as_json: bool, **values: Any) -> None:
    """List the operators, or print the kernels of one.

    The kernel is printed as it is correlated with the image: with the y axis down, and not divided by its divisor.
    """
    if operator is None:
        _list(as_json)
    else:
        _print(find(operator), as_json, **values)


def _list(as_json: bool) -> None:
    if as_json:
        names = ("name", "title", "order", "accuracy", "parameters", "reference")
        rows = [{n: getattr(op, n) for n in names} | {"kind": op.kind.value} for op in OPERATORS.values()]
        click.echo(json.dumps(rows, indent=2))
        return
    for op in OPERATORS.values():
        parameters = " ".join(f"--{p}" for p in op.parameters)
        choices = "|".join(str(c) for c in op.choices if c is not None)
        click.echo(f"{op.name:<10} {op.title:<24} {op.kind.value:<10} {parameters} {choices}".rstrip())


def _print(operator: Operator, as_json: bool, angles: tuple[float, ...], **values: Any) -> None:
    """Print the raw kernels and their divisors: one for each angle, or those of the reference."""
    from edgekit.filters.apply import specification
    from edgekit.operators.filter_spec import raw_responses

    parameters = {p: v for p in KERNEL if (v := values.pop(p)) is not None}
    if not operator.directed:
        values = {}
    if operator.kind is Kind.GRADIENT and not angles:
        angles = (operator.axis, operator.axis + 90)
    # This checks the options, and converts the direction of an edge to that of the gradient.
    specs = [specification(operator, parameters, angle, values) for angle in angles or (None,)]
    directions = tuple(spec.direction for spec in specs if spec.direction is not None)
    printed = raw_responses(operator, operator.kernels(**parameters), directions or None, values.get("rotate", "steer"))
    responses = zip(printed.angles, printed.coefficients, printed.divisors, strict=True)
    for n, (angle, kernel, divisor) in enumerate(responses):
        if as_json:
            click.echo(json.dumps({"operator": operator.name, "angle": angle, "divisor": divisor, "taps": kernel}))
            continue
        arrow = "" if angle is None else f" at {angle:g}° {ARROWS[round(angle / 45) % 8]}"
        click.echo(("\n" if n else "") + f"{operator.title}{arrow}, divided by {divisor:.6g}:")
        click.echo(_table(kernel))


def _table(kernel: Matrix) -> str:
    # Adding 0 turns -0 into 0.
    cells = [[f"{value + 0.0:.6g}" for value in row] for row in kernel]
    width = max(len(cell) for row in cells for cell in row)
    return "\n".join("  " + " ".join(cell.rjust(width) for cell in row) for row in cells)
