"""Install commands for extras that fit how edgekit was installed. Standard library only."""

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

if TYPE_CHECKING:
    from importlib.metadata import Distribution

#: The folder of this package.
PACKAGE = Path(__file__).resolve().parent


def pip(*arguments: str) -> str:
    """Return a command that runs pip for this interpreter, as it is typed in any folder and without activation."""
    from importlib.metadata import distributions

    python = sys.executable or "python3"
    words = [python, "-m", "pip", *arguments]
    # Not by find_spec: setuptools takes the search for pip's module as a sign that pip runs, and gives up distutils.
    if next(iter(distributions(name="pip")), None) is None:
        # uv makes environments without pip.
        words = ["uv", "pip", arguments[0], "--python", python, *arguments[1:]]
    return subprocess.list2cmdline(words) if sys.platform == "win32" else shlex.join(words)


def install_command(extra: str) -> str:
    """Return a command that installs an extra of edgekit.

    Examples
    --------
    >>> "pip install" in install_command("report")
    True
    """
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        found = distribution("edgekit")
    except PackageNotFoundError:
        found = None
    return pip("install", *requirements(extra, found))


def requirements(extra: str, found: "Distribution | None", package: Path = PACKAGE) -> list[str]:
    """Return what pip is asked for: the same edgekit with the extra, or the libraries of the extra where it is gone.

    Parameters
    ----------
    extra : str
        Its name.
    found : Distribution, optional
        The edgekit that is installed in this environment, if there is one.
    package : Path
        The edgekit that runs.
    """
    tree = package.parent
    source = {} if found is None else json.loads(found.read_text("direct_url.json") or "{}")
    url, folder = source.get("url", ""), "dir_info" in source
    here = _path(url)
    if (tree / "pyproject.toml").exists():
        # A source tree, installed as editable or not at all.
        editable = folder and source["dir_info"].get("editable") and here is not None and here.resolve() == tree
        return [*(["-e"] if editable else []), f"{tree}[{extra}]"]
    if here is not None and not here.exists():
        return list(_libraries(extra, found))
    if folder:
        return [f"{here}[{extra}]"]
    if not url:
        return [f"edgekit[{extra}]"]
    if "vcs_info" in source:
        revision = source["vcs_info"].get("requested_revision")
        url = f"{source['vcs_info']['vcs']}+{url}" + (f"@{revision}" if revision else "")
    if "subdirectory" in source:
        url += f"#subdirectory={source['subdirectory']}"
    return [f"edgekit[{extra}] @ {url}"]


def _path(url: str) -> Path | None:
    """Return the file or folder that a URL names, if it is one of this machine."""
    parts = urlsplit(url)
    return Path(url2pathname(parts.path)) if parts.scheme == "file" else None


def _libraries(extra: str, found: "Distribution | None") -> Iterator[str]:
    for line in (found.requires if found is not None else None) or ():
        library, _, marker = line.partition(";")
        if marker.replace("'", '"').strip() == f'extra == "{extra}"':
            yield library.strip()
