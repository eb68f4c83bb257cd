"""Make docs/architecture.svg: the folders of the package on their layers, and which folder imports which.

Run `python scripts/figures/architecture.py`. Layers and imports are read from the code. Standard library only.
"""

import argparse
import ast
from collections.abc import Sequence
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE, DRAWING = ROOT / "edgekit", ROOT / "docs" / "architecture.svg"

#: The content of each part.
HOLDS = {
    "cli": "commands, options, messages",
    "report": "review page, plots",
    "batch": "jobs, runner, engines, output log",
    "nn": "torch modules, losses",
    "learn": "kernels from examples",
    "metrology": "contours, fits, slanted-edge MTF",
    "focus": "focus measures, score, focus search",
    "edges": "Canny, thresholds, boundaries",
    "display": "rendering, range of values",
    "io": "image files, stores, videos",
    "filters": "public filters, path to a response",
    "backends": "NumPy with OpenCV, torch",
    "operators": "kernels, table of operators, borders",
    "common": "names, install commands, types",
    "errors": "exceptions",
}

BOX, GAP, ROW, MARGIN = (216, 54), 26, 92, 24
INK, FAINT, FILL = "#1b1f24", "#8c959f", "#ddf4ff"


def part(module: str) -> str:
    """Return the folder of a module, or the module itself at the top level."""
    return module.split(".")[1] if module.startswith("edgekit.") else ""


def imports() -> dict[str, set[str]]:
    """Return the parts that each part imports."""
    found: dict[str, set[str]] = {name: set() for name in HOLDS}
    for path in PACKAGE.rglob("*.py"):
        name = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            modules = [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if name in found:
                found[name] |= {part(m) for m in modules} & (HOLDS.keys() - {name})
    return found


def layers(needs: dict[str, set[str]]) -> list[list[str]]:
    """Return the parts by layer, the lowest first. A part is above all parts that it imports."""
    level: dict[str, int] = {}
    while len(level) < len(needs):
        for name, others in needs.items():
            if name not in level and others <= level.keys():
                level[name] = 1 + max((level[o] for o in others), default=-1)
    return [[name for name in needs if level[name] == n] for n in range(max(level.values()) + 1)]


def direct(needs: dict[str, set[str]]) -> dict[str, set[str]]:
    """Leave out imports that a path of other imports shows, so that the drawing is legible."""
    reached: dict[str, set[str]] = {}
    for layer in layers(needs):
        for name in layer:
            reached[name] = needs[name].union(*(reached[o] for o in needs[name]))
    return {name: {o for o in others if not any(o in reached[x] for x in others)} for name, others in needs.items()}


def drawing() -> str:
    """Return the drawing as SVG."""
    needs = imports()
    rows = layers(needs)[::-1]
    width = max(len(row) for row in rows) * (BOX[0] + GAP) - GAP + 2 * MARGIN
    height = len(rows) * ROW - (ROW - BOX[1]) + 2 * MARGIN
    at = {
        name: ((width - len(row) * (BOX[0] + GAP) + GAP) / 2 + i * (BOX[0] + GAP), MARGIN + n * ROW)
        for n, row in enumerate(rows)
        for i, name in enumerate(row)
    }
    lines = [
        f'<line x1="{at[name][0] + BOX[0] / 2:.0f}" y1="{at[name][1] + BOX[1]:.0f}" '
        f'x2="{at[other][0] + BOX[0] / 2:.0f}" y2="{at[other][1] - 7:.0f}" stroke="{FAINT}" marker-end="url(#tip)"/>'
        for name, others in direct(needs).items()
        for other in sorted(others)
    ]
    boxes = [
        f'<rect x="{x:.0f}" y="{y:.0f}" width="{BOX[0]}" height="{BOX[1]}" rx="6" fill="{FILL}" stroke="{INK}"/>'
        f'<text x="{x + BOX[0] / 2:.0f}" y="{y + 23:.0f}" font-weight="bold">{name}</text>'
        f'<text x="{x + BOX[0] / 2:.0f}" y="{y + 41:.0f}" font-size="11">{escape(HOLDS[name])}</text>'
        for name, (x, y) in at.items()
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
            f'height="{height:.0f}" font-family="sans-serif" font-size="15" text-anchor="middle" fill="{INK}">',
            "<title>The folders of edgekit. An arrow points to an imported folder.</title>",
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="4" refY="4" markerWidth="8" markerHeight="8" '
            f'orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="{FAINT}"/></marker></defs>',
            '<rect width="100%" height="100%" fill="white"/>',
            *lines,
            *boxes,
            "</svg>\n",
        ]
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the drawing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=DRAWING)
    output = parser.parse_args(arguments).output
    output.write_text(drawing(), encoding="utf-8")
    print(output)


if __name__ == "__main__":
    main()
