"""The generated blocks of the README and of the pages in docs/, between <!-- name --> and <!-- /name -->."""

import re
from pathlib import Path


def fill(text: str, name: str, content: str) -> str:
    """Return `text` with the block called `name` replaced."""
    block = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    if not block.search(text):
        raise SystemExit(f"the page has no block <!-- {name} --> to fill")
    return block.sub(lambda m: f"{m[1]}\n{content}\n\n{m[2]}", text)


def fill_page(path: Path, name: str, content: str) -> None:
    """Replace the block called `name` in a file."""
    path.write_text(fill(path.read_text(encoding="utf-8"), name, content), encoding="utf-8")


def block(path: Path, name: str) -> str:
    """Return the content of the block called `name` in a file."""
    found = re.search(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", path.read_text(encoding="utf-8"), re.DOTALL)
    if not found:
        raise SystemExit(f"{path.name} has no block <!-- {name} -->")
    return found[1].strip()


def table_cell(text: str, row: str, column: str) -> str:
    """Return a cell of the first table in `text` that has this column, by the text of the row's first cell."""
    head: list[str] = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []
        if not cells or column in cells:
            head = cells
        elif cells[0] == row and column in head:
            return cells[head.index(column)]
    raise SystemExit(f"no table has the row {row} and the column {column}")
