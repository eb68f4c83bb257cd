"""Commands that install the missing libraries, for error messages. Imports the standard library only.

The command fits how edgekit was installed: from an index, a repository, a folder or a wheel, editable or not. Every
command of edgekit imports this module, so that it imports what makes the install command only when it is needed.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.metadata import Distribution

#: The folder of the edgekit package.
PACKAGE = Path(__file__).resolve().parents[1]


def pip_command(*arguments: str) -> str:
    """Return a command that runs pip for this interpreter. It works in any folder, without an active environment."""
    import shlex
    import subprocess
    from importlib.metadata import distributions

    python = sys.executable or "python3"
    words = [python, "-m", "pip", *arguments]
    # find_spec("pip") would make setuptools assume that pip is running and drop its own distutils.
    if next(iter(distributions(name="pip")), None) is None:
        # Environments made by uv have no pip.
        words = ["uv", "pip", arguments[0], "--python", python, *arguments[1:]]
    return subprocess.list2cmdline(words) if sys.platform == "win32" else shlex.join(words)


def install_command(extra: str) -> str:
    """Return a command that installs one of the extras of edgekit.

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
    return pip_command("install", *requirements(extra, found))


def requirements(extra: str, found: "Distribution | None", package: Path = PACKAGE) -> list[str]:
    """Return the arguments of pip install: the same edgekit with the extra, or the libraries of the extra.

    The libraries are named if the folder or wheel from which edgekit was installed no longer exists.

    Parameters
    ----------
    extra : str
        The name of the extra.
    found : Distribution, optional
        The edgekit that is installed in this environment, if there is one.
    package : Path
        The folder of the edgekit that runs.
    """
    import json

    tree = package.parent
    source = {} if found is None else json.loads(found.read_text("direct_url.json") or "{}")
    url, folder = source.get("url", ""), "dir_info" in source
    here = _local_path(url)
    if (tree / "pyproject.toml").exists():
        # edgekit runs from its source tree: it is an editable install, or not installed at all.
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


def _local_path(url: str) -> Path | None:
    """Return the path of a file:// URL, None for other URLs."""
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    parts = urlsplit(url)
    return Path(url2pathname(parts.path)) if parts.scheme == "file" else None


def _libraries(extra: str, found: "Distribution | None") -> Iterator[str]:
    """Give the requirements of an extra, from the metadata of the installed edgekit."""
    for line in (found.requires if found is not None else None) or ():
        library, _, marker = line.partition(";")
        if marker.replace("'", '"').strip() == f'extra == "{extra}"':
            yield library.strip()
