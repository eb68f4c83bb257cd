"""Writes the page that lists every public name, from `edgekit/__init__.pyi`; Sphinx makes a page for each of them.

python scripts/documentation/api_pages.py FILE
"""

import argparse
import ast
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.paths import ROOT

#: Headings by the folder or module that a name comes from. A new folder has its own name as heading.
HEADINGS = {
    "filters": "Filters",
    "edges": "Edges and regions",
    "metrology": "Measuring with edges",
    "focus": "Sharpness and focus",
    "display": "Display",
    "io": "Files",
    "batch": "Many files",
    "learn": "Learned kernels",
    "errors": "Errors",
}

#: Modules whose public names are listed in a separate section.
MODULES = {"nn": "Modules and losses for torch"}

#: Values are described here, because Sphinx would print them whole.
VALUES = {
    "MEASURES": "The focus measures by name: a mapping to rows with formula, range and reference. See :doc:`/scoring`."
}


def names_by_folder() -> dict[str, list[str]]:
    """Return the public names by the folder that they come from, in the order of the stub."""
    tree = ast.parse((ROOT / "edgekit" / "__init__.pyi").read_text(encoding="utf-8"))
    found: dict[str, list[str]] = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module:
            names = found.setdefault(node.module.split(".")[0], [])
            names += [alias.asname or alias.name for alias in node.names]
    return found


def page() -> str:
    """Return the page in reStructuredText."""
    import importlib

    lines = ["Python functions and classes", "============================", ""]
    lines += ["``import edgekit as ek`` gives all of these names.", ""]
    found = names_by_folder()
    order = sorted(found, key=lambda folder: [*HEADINGS, folder].index(folder))
    # Errors come last, new folders before them.
    order.sort(key=lambda folder: folder == "errors")
    for folder in order:
        heading = HEADINGS.get(folder, folder.capitalize())
        lines += _section(heading, [f"edgekit.{name}" for name in found[folder] if name not in VALUES])
        lines += [
            line for name in found[folder] if name in VALUES for line in (f"``{name}``", f"    {VALUES[name]}", "")
        ]
    for module, heading in MODULES.items():
        names = importlib.import_module(f"edgekit.{module}").__all__
        lines += _section(heading, [f"edgekit.{module}.{name}" for name in names])
    return "\n".join(lines)


def _section(heading: str, names: Sequence[str]) -> list[str]:
    table = [".. autosummary::", "   :toctree: api", "   :nosignatures:", "", *(f"   {name}" for name in names), ""]
    return [heading, "-" * len(heading), "", *table]


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description="Write the page that lists every public name.")
    parser.add_argument("file", type=Path)
    file = parser.parse_args(arguments).file
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists() or file.read_text(encoding="utf-8") != page():
        file.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
