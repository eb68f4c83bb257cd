"""Make docs/angles.svg: the angle of a gradient and of an edge.

Run `python scripts/figures/angles.py`. Standard library only.
"""

import argparse
from collections.abc import Sequence
from math import cos, radians, sin
from pathlib import Path

Point = tuple[float, float]

DRAWING = Path(__file__).resolve().parents[2] / "docs" / "angles.svg"

WIDTH, HEIGHT = 720, 360
INK, FAINT, GRADIENT, EDGE = "#1b1f24", "#59636e", "#d1242f", "#0969da"

#: Centres of the compass and of the edge, and the length of their arrows.
COMPASS, PICTURE, REACH = (180, 196), (540, 196), 104

#: Half the side of the edge image.
HALF = 120

#: The direction of the gradient that is drawn.
ANGLE = 45


def point(centre: Point, angle: float, radius: float) -> Point:
    """Return the point in direction `angle`; y runs down in SVG as it does in an image."""
    return centre[0] + radius * cos(radians(angle)), centre[1] + radius * sin(radians(angle))


def line(start: Point, end: Point, colour: str, *, width: float = 2, head: bool = True) -> str:
    """Draw a line, by default with an arrowhead at its end."""
    tip = f' marker-end="url(#{colour[1:]})"' if head else ""
    (x1, y1), (x2, y2) = start, end
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
        f'stroke="{colour}" stroke-width="{width:g}"{tip}/>'
    )


def text(at: Point, words: str, colour: str = INK, *, anchor: str = "middle", weight: int = 400) -> str:
    """Draw a line of text."""
    style = f'fill="{colour}" text-anchor="{anchor}" font-weight="{weight}"'
    return f'<text x="{at[0]:.1f}" y="{at[1]:.1f}" {style}>{words}</text>'


def heads() -> str:
    """Define an arrowhead in each colour."""
    shape = 'viewBox="0 0 10 10" refX="8" refY="5" markerWidth="13" markerHeight="13"'
    units = 'markerUnits="userSpaceOnUse" orient="auto"'
    return "".join(
        f'<marker id="{colour[1:]}" {shape} {units}><path d="M0 0L10 5L0 10z" fill="{colour}"/></marker>'
        for colour in (INK, FAINT, GRADIENT, EDGE)
    )


def compass() -> list[str]:
    """Draw the axes, and angles growing clockwise from +x."""
    x, y = COMPASS
    turn, stop = point(COMPASS, 6, 66), point(COMPASS, 80, 66)
    labels = (
        (0, "0°", "start", 10, 6), (45, "45°", "start", 6, 14), (90, "90°", "middle", 0, 24),
        (135, "135°", "end", -6, 14), (180, "180°", "end", -10, 6), (225, "225°", "end", -6, -4),
        (270, "270°", "middle", 0, -12), (315, "315°", "start", 6, -4),
    )  # fmt: skip
    parts = [text((x, 40), "Angles grow clockwise", weight=600)]
    for angle, label, anchor, right, down in labels:
        axis = angle in (0, 90)
        end = point(COMPASS, angle, REACH)
        colour = GRADIENT if angle == ANGLE else INK if axis else "#d0d7de"
        parts.append(line(COMPASS, end, colour, width=3 if angle == ANGLE else 2, head=axis or angle == ANGLE))
        colour = GRADIENT if angle == ANGLE else INK if axis else FAINT
        parts.append(text((end[0] + right, end[1] + down), label, colour, anchor=anchor, weight=600 if axis else 400))
    arc = f"M{turn[0]:.1f} {turn[1]:.1f}A66 66 0 0 1 {stop[0]:.1f} {stop[1]:.1f}"
    parts.append(f'<path d="{arc}" fill="none" stroke="{FAINT}" stroke-width="2" marker-end="url(#{FAINT[1:]})"/>')
    parts.append(text((x + 70, y - 10), "x", anchor="start", weight=600))
    parts.append(text((x - 14, y + 88), "y", weight=600))
    return parts


def edge() -> list[str]:
    """Draw an edge from dark to bright, its gradient, and its own direction."""
    x, y = PICTURE
    left, top, right, foot = x - HALF, y - HALF, x + HALF, y + HALF
    parts = [
        text((x, 40), "edge = gradient + 90°", weight=600),
        f'<rect x="{left}" y="{top}" width="{2 * HALF}" height="{2 * HALF}" fill="#e6eaef"/>',
        f'<path d="M{left} {top}H{right}L{left} {foot}z" fill="#3d444d"/>',
        f'<rect x="{left}" y="{top}" width="{2 * HALF}" height="{2 * HALF}" fill="none" stroke="{FAINT}"/>',
        text((left + 48, top + 48), "dark", "#ffffff"),
        text((right - 36, y - 8), "bright"),
    ]
    along = (point(PICTURE, ANGLE - 90, REACH), point(PICTURE, ANGLE + 90, REACH))
    parts.append(line(*along, EDGE, width=4))
    parts.append(line(PICTURE, point(PICTURE, ANGLE, 70), GRADIENT, width=4))
    parts.append(text((right - 8, y + 72), f"gradient {ANGLE}°", GRADIENT, anchor="end", weight=600))
    parts.append(text((x - 34, y + 104), f"edge {ANGLE + 90}°", EDGE, weight=600))
    corner = [point(PICTURE, ANGLE, 16), point(PICTURE, ANGLE + 45, 16 * 2**0.5), point(PICTURE, ANGLE + 90, 16)]
    path = "L".join(f"{a:.1f} {b:.1f}" for a, b in corner)
    parts.append(f'<path d="M{path}" fill="none" stroke="{FAINT}" stroke-width="2"/>')
    return parts


def drawing() -> str:
    """Return the SVG, on a white background, so that it is legible on light and dark pages."""
    words = (
        "Angles grow clockwise from the x axis, which runs right, to the y axis, which runs down. "
        f"An edge from dark at the upper left to bright at the lower right has its gradient at {ANGLE} degrees "
        f"and runs itself at {ANGLE + 90} degrees."
    )
    size = f'width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
    font = 'font-family="Helvetica, Arial, sans-serif" font-size="17"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font} role="img" aria-labelledby="title desc">',
        '<title id="title">The angle convention</title>',
        f'<desc id="desc">{words}</desc>',
        f"<defs>{heads()}</defs>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="16" fill="#ffffff"/>',
        *compass(),
        *edge(),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and make the drawing."""
    parser = argparse.ArgumentParser(description="Make the drawing of the angle convention.")
    parser.add_argument("-o", "--output", type=Path, default=DRAWING, help="default: docs/angles.svg")
    output = parser.parse_args(arguments).output
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(drawing(), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
