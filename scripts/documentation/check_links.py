"""Checks a built site without a network: every link, image, script and style leads to a file of the site.

    python scripts/documentation/check_links.py docs/build

Scripts, styles, fonts and images from other hosts are errors; links to other hosts are not followed.
"""

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

#: Attributes that contain a URL, by element. The browser loads all of them except those of `a`.
_LEADING = {"a": "href", "link": "href", "img": "src", "script": "src", "source": "src", "iframe": "src"}


class Page(HTMLParser):
    """Collects the links and the anchors of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[tuple[str, str]] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.anchors.update(value for key in ("id", "name") if (value := named.get(key)))
        relation = (named.get("rel") or "").split()
        if (target := named.get(_LEADING.get(tag, ""))) and "canonical" not in relation:
            self.links.append((tag, target))


def broken(site: Path) -> Iterator[str]:
    """Give a line for each broken link of the site, and for each file that a browser would load from another host."""
    # Files of the theme in _static/ are templates.
    paths = [path for path in sorted(site.rglob("*.html")) if "_static" not in path.parts]
    pages = {path.resolve(): Page(path.read_text(encoding="utf-8")) for path in paths}
    for path, page in pages.items():
        name = path.relative_to(site.resolve())
        for tag, target in page.links:
            parts = urlsplit(target)
            if parts.scheme in ("data", "mailto"):
                continue
            if parts.scheme or parts.netloc:
                if tag != "a":
                    yield f"{name}: <{tag}> loads {target}"
                continue
            file = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if file.is_dir():
                file /= "index.html"
            if not file.exists():
                yield f"{name}: {target} does not exist"
            elif parts.fragment and file in pages and unquote(parts.fragment) not in pages[file].anchors:
                yield f"{name}: {target} has no such anchor"
    for style in sorted(site.rglob("*.css")):
        for url in re.findall(r"url\(['\"]?(https?:[^)'\"]+)", style.read_text(encoding="utf-8")):
            yield f"{style.relative_to(site)}: loads {url}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Check a site; exit with status 1 if a link is broken."""
    parser = argparse.ArgumentParser(description="Check the links of a built site without a network.")
    parser.add_argument("site", type=Path)
    site = parser.parse_args(arguments).site
    if not (site / "index.html").exists():
        sys.exit(f"{site} has no index.html; build the site first")
    wrong = list(broken(site))
    print(*wrong, sep="\n", end="\n" if wrong else "")
    print(f"{len(list(site.rglob('*.html')))} pages, {len(wrong)} broken links")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
