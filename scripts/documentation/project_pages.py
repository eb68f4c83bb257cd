"""Copies the pages of the repository that are not in docs/ into the site, with their links rewritten.

python scripts/documentation/project_pages.py FOLDER
"""

import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from common.paths import DOCS, ROOT

#: The folder of the copies.
FOLDER = DOCS / "generated" / "project"

#: The pages by their names in the site.
PAGES = {
    "changelog.md": "CHANGELOG.md",
    "contributing.md": "CONTRIBUTING.md",
    "security.md": "SECURITY.md",
    "scripts.md": "scripts/README.md",
    "samples.md": "samples/README.md",
}

_LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?:|#)([^)#]+)(#[^)]*)?\)")


def rewritten(text: str, source: Path, folder: Path) -> str:
    """Return the text of a page with links that lead to the same files from `folder`.

    A link to a file that is neither in docs/ nor one of `PAGES` becomes its text.
    """
    pages = {ROOT / path: FOLDER / name for name, path in PAGES.items()}

    def link(match: re.Match[str]) -> str:
        image, title, target, anchor = match.groups()
        path = Path(os.path.normpath(source.parent / target))
        path = pages.get(path, path)
        if path.is_relative_to(DOCS) or image:
            return f"{image}[{title}]({Path(os.path.relpath(path, folder)).as_posix()}{anchor or ''})"
        return title if "`" in title else f"`{title}`"

    return _LINK.sub(link, text)


def write_pages(folder: Path) -> None:
    """Write every page into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, path in PAGES.items():
        text = rewritten((ROOT / path).read_text(encoding="utf-8"), ROOT / path, folder)
        made = folder / name
        if not made.exists() or made.read_text(encoding="utf-8") != text:
            made.write_text(text, encoding="utf-8")
    licence = (ROOT / "LICENSE").read_text(encoding="utf-8")
    (folder / "licence.md").write_text(f"# Licence\n\n```text\n{licence}```\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the pages."""
    parser = argparse.ArgumentParser(description="Copy the pages of the repository into the site.")
    parser.add_argument("folder", type=Path)
    write_pages(parser.parse_args(arguments).folder)


if __name__ == "__main__":
    main()
