"""HTML for notebooks: small tables, and kernels as coloured grids. Standard library only."""

from collections.abc import Mapping, Sequence
from html import escape

#: Colours of the largest positive and the largest negative coefficient, distinguishable by colour-blind people.
_POSITIVE, _NEGATIVE = (230, 120, 40), (45, 125, 205)

#: Wider kernels are shown without numbers, in smaller cells.
_WIDEST_WITH_NUMBERS = 9


def fields_table(title: str, fields: Mapping[str, object]) -> str:
    """Return a small table: a title, and a line for each name and value.

    Examples
    --------
    >>> "0.3333" in fields_table("Peak", {"position": 1 / 3})
    True
    """
    lines = "".join(
        f'<tr><th style="text-align:left;font-weight:normal">{escape(name)}</th>'
        f'<td style="text-align:left"><b>{escape(short(value))}</b></td></tr>'
        for name, value in fields.items()
    )
    return f'<div><div>{escape(title)}</div><table style="width:auto">{lines}</table></div>'


def short(value: object) -> str:
    """Return a value as a short text: numbers with four digits, of long sequences only the length.

    Examples
    --------
    >>> short(2 / 3), short("peak"), short(None), short(tuple(range(99)))
    ('0.6667', 'peak', '-', '99 values')
    """
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, tuple | list):
        return f"{len(value)} values"
    return str(value)


def coloured_grid(title: str, rows: Sequence[Sequence[float]], note: str = "") -> str:
    """Return a table of numbers, positive ones orange and negative ones blue; 0 has no colour.

    Parameters
    ----------
    title : str
        Shown above the grid.
    rows : sequence of sequence of float
        The numbers.
    note : str
        Shown below the grid.
    """
    largest = max((abs(value) for row in rows for value in row), default=0.0) or 1.0
    numbers = max(len(rows), *map(len, rows)) <= _WIDEST_WITH_NUMBERS
    side = "min-width:2.6em;height:2.2em;padding:0 .4em" if numbers else "width:.9em;height:.9em;padding:0"
    body = ""
    for row in rows:
        cells = (_cell(value, largest, side, numbers) for value in row)
        body += f'<tr style="background:none">{"".join(cells)}</tr>'
    # Not a caption, which would be as narrow as the grid.
    above = f"<div>{escape(title)}</div>"
    below = f'<div style="font-size:small">{escape(note)}</div>' if note else ""
    return f'<div>{above}<table style="border-collapse:collapse;width:auto">{body}</table>{below}</div>'


def _cell(value: float, largest: float, side: str, with_number: bool) -> str:
    red, green, blue = _POSITIVE if value > 0 else _NEGATIVE
    # The text has the colour of the page, so that the background stays pale enough for black and for white text.
    colour = f"rgba({red},{green},{blue},{0.75 * abs(value) / largest:.3f})"
    # Adding 0 turns -0 into 0.
    text = f"{value + 0.0:.4g}"
    return (
        f'<td style="background:{colour};border:1px solid rgba(128,128,128,.5);text-align:center;{side}" '
        f'title="{text}">{text if with_number else ""}</td>'
    )
