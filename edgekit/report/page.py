"""The review page: one HTML file with the rows of scores, which opens from disk without a network.

May import `batch` and what is below it. Jinja2 is loaded when a page is made.
"""

import base64
import hashlib
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from edgekit import __version__
from edgekit.batch.score_cache import Row
from edgekit.common.choices import SCORE
from edgekit.common.escaping import escape_controls, unambiguous_path
from edgekit.common.extras import install_command
from edgekit.errors import MissingExtraError
from edgekit.focus.blur_threshold import Threshold
from edgekit.focus.measures import MEASURES
from edgekit.report.images import Names

if TYPE_CHECKING:
    from jinja2 import Template

ASSETS = Path(__file__).parent / "assets"

#: In order of their dependencies; they share one scope.
SCRIPTS = ("rows.js", "histogram.js", "grid.js", "viewer.js", "moment.js", "main.js")

_NO_MOMENTS: Mapping[tuple[str, int | None], int] = {}

#: Parts of the template's output that are written together.
PIECES = 256


class Page:
    """Writes the page.

    Parameters
    ----------
    folder : Path
        The folder of the page; links are relative to it.

    Raises
    ------
    MissingExtraError
        If Jinja2 is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._template = _template()

    def content(
        self,
        rows: Iterable[Row],
        failed: Iterable[Row],
        measures: tuple[str, ...],
        threshold: Threshold,
        moments: Mapping[tuple[str, int | None], int] = _NO_MOMENTS,
    ) -> Iterator[bytes]:
        """Yield the page in pieces, since it may not fit in memory.

        Parameters
        ----------
        rows : iterable of Row
            The images that were scored; their score may be undefined.
        failed : iterable of Row
            The images that failed.
        measures : tuple of str
            Names of the rows' values; the first is the one shown.
        threshold : Threshold
            The threshold that the page shows at first.
        moments : mapping
            The number of the moment of each row, by path and frame.
        """
        script, style = _script(), _style()
        stream = self._template.stream(
            version=__version__,
            script=script,
            style=style,
            script_hash=_hash(script),
            style_hash=_hash(style),
            settings=settings(measures, threshold),
            rows=(record(row, self._folder, moments.get((row.path, row.frame))) for row in rows),
            failed=((escape_controls(r.path), escape_controls(r.reason.removeprefix(f"{r.path}: "))) for r in failed),
        )
        stream.enable_buffering(PIECES)
        for piece in stream:
            yield piece.encode()


def settings(measures: tuple[str, ...], threshold: Threshold) -> dict[str, Any]:
    """Return the data of the whole page."""
    first = measures[0]
    limits = (0.0, 1.0) if first == SCORE else MEASURES[first].range
    value = threshold.value
    # JSON has no infinity.
    kept = str(value).replace("inf", "Infinity") if value is not None and math.isinf(value) else value
    return {"measures": measures, "unit": limits == (0, 1), "threshold": kept, "note": threshold.note}


def record(row: Row, folder: Path, moment: int | None = None) -> list[Any]:
    """Return the data of an image, in the order that rows.js expects."""
    frame = None if row.time is None else row.frame
    names = Names(Path(row.path), frame)
    preview = (folder / names.preview).exists()
    values = [None if math.isnan(v) else v for v in row.values]
    link = address(Path(row.path), folder)
    size = [row.width, row.height, row.bytes]
    return [unambiguous_path(row.path), link, names.stem, *size, int(preview), values, frame, row.time, moment]


def address(path: Path, folder: Path) -> str:
    """Return a relative link from a page in `folder` to a file, so that both can be moved together.

    Examples
    --------
    >>> address(Path("/photos/50% #1?.jpg"), Path("/photos/review"))
    '../50%25%20%231%3F.jpg'
    """
    try:
        # Symbolic links are not resolved, since browsers do not resolve them.
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
    """Return the hash of a script or a style sheet, so that the browser runs nothing else."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
