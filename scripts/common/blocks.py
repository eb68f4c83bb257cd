"""The generated blocks of the README and of the pages in docs/, between <!-- name --> and <!-- /name -->."""

import re


def fill(text: str, name: str, content: str) -> str:
    """Return `text` with the block called `name` replaced."""
    block = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    if not block.search(text):
        raise SystemExit(f"the page has no block <!-- {name} --> to fill")
    return block.sub(lambda m: f"{m[1]}\n{content}\n\n{m[2]}", text)
