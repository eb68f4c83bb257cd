"""The review page itself: rows of scores into one HTML file that opens from disk."""

import base64
import hashlib
import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from edgekit import __version__
from edgekit.batch.score_cache import Row
from edgekit.common.extras import install_command
from edgekit.common.names import SCORE
from edgekit.common.text import printable, unmistakable
from edgekit.errors import MissingExtraError
from edgekit.focus.blur_threshold import Threshold
from edgekit.focus.measures import MEASURES
from edgekit.report.pictures import Names

if TYPE_CHECKING:
    from jinja2 import Template

ASSETS = Path(__file__).parent / "assets"

#: In the order in which they build on one another; they share one scope.
SCRIPTS = ("rows.js", "histogram.js", "grid.js", "viewer.js", "main.js")

#: How large a piece of the page is written at a time, in parts of the template's output.
PIECES = 256


class Page:
    """Writes the page.

    Parameters
    ----------
    folder : Path
        Where the page will lie; links lead from there.

    Raises
    ------
    MissingExtraError
        If Jinja2 is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._template = _template()

    def content(
        self, rows: Iterable[Row], failed: Iterable[Row], measures: tuple[str, ...], threshold: Threshold
    ) -> Iterator[bytes]:
        """Give the page piece by piece: it may be longer than memory.

        Parameters
        ----------
        rows : iterable of Row
            The images that have a score, or none because it is undefined.
        failed : iterable of Row
            Those that could not be scored.
        measures : tuple of str
            Names of the rows' values; the first is the one shown.
        threshold : Threshold
            Where the page begins.
        """
        script, style = _script(), _style()
        stream = self._template.stream(
            version=__version__,
            script=script,
            style=style,
            script_hash=_hash(script),
            style_hash=_hash(style),
            settings=settings(measures, threshold),
            rows=(record(row, self._folder) for row in rows),
            failed=((printable(r.path), printable(r.reason.removeprefix(f"{r.path}: "))) for r in failed),
        )
        stream.enable_buffering(PIECES)
        for piece in stream:
            yield piece.encode()


def settings(measures: tuple[str, ...], threshold: Threshold) -> dict[str, Any]:
    """Return what holds for the whole page."""
    first = measures[0]
    limits = (0.0, 1.0) if first == SCORE else MEASURES[first].limits
    value = threshold.value
    # JSON has no infinity.
    kept = str(value).replace("inf", "Infinity") if value is not None and math.isinf(value) else value
    return {"measures": measures, "unit": limits == (0, 1), "threshold": kept, "note": threshold.note}


def record(row: Row, folder: Path) -> list[Any]:
    """Return what the page knows of an image, in the order in which rows.js takes it apart."""
    names = Names(Path(row.path))
    preview = (folder / names.preview).exists()
    values = [None if math.isnan(v) else v for v in row.values]
    link = address(Path(row.path), folder)
    return [unmistakable(row.path), link, names.stem, row.width, row.height, row.bytes, int(preview), values]


def address(path: Path, folder: Path) -> str:
    """Return a link from a page in `folder` to a file: relative, so that both can be moved together.

    Examples
    --------
    >>> address(Path("/photos/50% #1?.jpg"), Path("/photos/review"))
    '../50%25%20%231%3F.jpg'
    """
    try:
        # By the names as they are typed, as browsers resolve them: not by where symbolic links lead.
        relative = os.path.relpath(path.absolute(), folder.absolute())
    except ValueError:  # Another drive.
        return path.absolute().as_uri()
    return quote(os.fsencode(Path(relative).as_posix()))


def _template() -> "Template":
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError as error:
        raise MissingExtraError(f"the review page needs Jinja2: {install_command('report')}") from error
    environment = Environment(
        loader=FileSystemLoader(ASSETS),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html")


def _read(*names: str) -> str:
    return "\n".join((ASSETS / n).read_text("utf-8").strip() for n in names)


def _script() -> str:
    licence = _read("uplot/LICENSE")
    library = f"/*\n{licence}\n*/\n{_read('uplot/uPlot.iife.min.js')}"
    return f"{library}\n(() => {{\n{_read(*SCRIPTS)}\n}})();\n"


def _style() -> str:
    return _read("uplot/uPlot.min.css", "style.css")


def _hash(text: str) -> str:
    """Name a script or a style sheet, so that the browser runs this one and no other."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
