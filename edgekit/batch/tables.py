"""Rows of scores as records, or as a table to read."""

import math
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from edgekit.batch.jobs.scoring import SCORER
from edgekit.batch.score_cache import Row
from edgekit.common.text import legible, printable, unmistakable

#: Columns before and after those of the measures.
BEFORE = ("path", "bytes", "mtime", "width", "height")
AFTER = ("blurred", "status", "reason", "scorer")


class Table(NamedTuple):
    """What the columns of a run's rows are.

    Attributes
    ----------
    measures : tuple of str
        Names of the values.
    threshold : float or None
        An image whose first value is below is blurred.
    clips : bool
        Whether rows may be frames of a clip: then there are columns for frame and time.
    """

    measures: tuple[str, ...]
    threshold: float | None
    clips: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, in their order."""
        path, *rest = BEFORE
        return (path, *(("frame", "time") if self.clips else ()), *rest, *self.measures, *AFTER)

    def record(self, row: Row) -> dict[str, Any]:
        """Return a row as a mapping; None where there is no value."""
        values = row.values or (math.nan,) * len(self.measures)
        measured = {m: None if math.isnan(v) else v for m, v in zip(self.measures, values, strict=True)}
        first = measured[self.measures[0]]
        blurred = None if self.threshold is None or first is None else first < self.threshold
        frame = {"frame": row.frame, "time": row.time} if self.clips else {}
        return {
            "path": unmistakable(row.path), **frame, "bytes": row.bytes, "mtime": row.mtime / 1e9,
            "width": row.width, "height": row.height, **measured,
            "blurred": blurred, "status": row.status, "reason": legible(row.reason), "scorer": SCORER,
        }  # fmt: skip

    def text(self, rows: Iterable[Row]) -> Iterator[str]:
        """Give a table to read: the values, a mark where blurred, the path."""
        widths = [max(8, len(m)) for m in self.measures]
        yield "  ".join([*(m.rjust(w) for m, w in zip(self.measures, widths, strict=True)), " " * 9, "path"]) + "\n"
        for row in rows:
            record = self.record(row)
            values = ("-" if record[m] is None else f"{record[m]:.4g}" for m in self.measures)
            mark = row.status if row.status != "ok" else "blurred" if record["blurred"] else ""
            name = printable(record["path"]) + ("" if row.frame is None else f" {row.frame} ({row.time:.3f} s)")
            yield "  ".join([*(v.rjust(w) for v, w in zip(values, widths, strict=True)), mark.ljust(9), name]) + "\n"
