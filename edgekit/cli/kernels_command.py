"""``edgekit kernels``: what operators there are, and the taps of one."""

import json
from typing import Any

import click

from edgekit.cli.options import DIRECTION, PARAMETERS, Words, options
from edgekit.operators.kernels import Matrix
from edgekit.operators.table import OPERATORS, Kind, Operator, find

#: One arrow for each eighth of a turn clockwise from +x.
ARROWS = "→↘↓↙←↖↑↗"


@click.command(short_help="List the operators, or print the taps of one.")
@click.argument("operator", type=Words(OPERATORS), required=False, metavar="[OPERATOR]")
@options((*DIRECTION, *PARAMETERS, "json"))
def kernels(operator: str | None, as_json: bool, **values: Any) -> None:
    """List the operators, or print the taps of one as they are correlated with the image.

    \b
      edgekit kernels
      edgekit kernels sobel --angle 45
    """
    if operator is None:
        _list(as_json)
    else:
        _show(find(operator), as_json, **values)


def _list(as_json: bool) -> None:
    if as_json:
        names = ("name", "title", "order", "accuracy", "parameters", "reference")
        rows = [{n: getattr(op, n) for n in names} | {"kind": op.kind.value} for op in OPERATORS.values()]
        click.echo(json.dumps(rows, indent=2))
        return
    for op in OPERATORS.values():
        takes = " ".join(f"--{p}" for p in op.parameters)
        choices = "|".join(str(c) for c in op.choices if c is not None)
        click.echo(f"{op.name:<10} {op.title:<24} {op.kind.value:<10} {takes} {choices}".rstrip())


def _show(operator: Operator, as_json: bool, angles: tuple[float, ...], **values: Any) -> None:
    """Print the raw kernels and their divisors: those of the reference, or one for each angle."""
    from edgekit.filters.apply import plan_for
    from edgekit.operators.filter_spec import unscaled

    parameters = {p: v for p in PARAMETERS if (v := values.pop(p)) is not None}
    if not operator.directed:
        values = {}
    if operator.kind is Kind.GRADIENT and not angles:
        angles = (operator.axis, operator.axis + 90)
    # This checks the options, and turns the angle of an edge into that of its gradient.
    checked = [plan_for(operator, parameters, angle, **values) for angle in angles or (None,)]
    directions = tuple(plan.direction for plan in checked if plan.direction is not None)
    printed = unscaled(operator, operator.kernels(**parameters), directions or None, values.get("rotate", "steer"))
    for n, (angle, taps, divisor) in enumerate(zip(printed.angles, printed.tables, printed.divisors, strict=True)):
        if as_json:
            click.echo(json.dumps({"operator": operator.name, "angle": angle, "divisor": divisor, "taps": taps}))
            continue
        arrow = "" if angle is None else f" at {angle:g}° {ARROWS[round(angle / 45) % 8]}"
        click.echo(("\n" if n else "") + f"{operator.title}{arrow}, divided by {divisor:.6g}:")
        click.echo(_table(taps))


def _table(taps: Matrix) -> str:
    # Adding 0 turns -0 into 0.
    cells = [[f"{t + 0.0:.6g}" for t in line] for line in taps]
    width = max(len(c) for line in cells for c in line)
    return "\n".join("  " + " ".join(c.rjust(width) for c in line) for line in cells)
