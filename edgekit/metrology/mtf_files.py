"""Slanted-edge measurements as records, for tables and JSON. May import `common`."""

import csv
import io
import math
from collections.abc import Sequence
from typing import Any

from edgekit.metrology.mtf_result import Mtf

#: The numbers of a record, in their order.
_NUMBERS = ("mtf50", "mtf50_error", "mtf50p", "mtf10", "nyquist", "rise", "angle", "direction", "dark", "bright",
            "contrast", "noise", "clipped")  # fmt: skip

#: The arrays of a record.
_ARRAYS = ("frequency", "mtf", "mtf_error", "position", "esf", "lsf")


def mtf_record(result: Mtf, pitch: float | None = None) -> dict[str, Any]:
    """Return the numbers of a measurement; None where there is no number.

    Parameters
    ----------
    result : Mtf
    pitch : float, optional
        Distance of neighbouring pixels in micrometres: adds MTF50 in cycles per millimetre.
    """
    record: dict[str, Any] = {**result.region._asdict(), "channel": result.channel}
    record |= {name: _number(getattr(result, name)) for name in _NUMBERS}
    if pitch is not None:
        record["mtf50_per_mm"] = _number(result.mtf50 * 1000 / pitch)
    return record | {"status": result.status, "reason": result.reason, "warnings": "; ".join(result.warnings)}


def mtf_arrays(result: Mtf) -> dict[str, list[float]]:
    """Return the curves of a measurement."""
    return {name: [float(f"{value:.6g}") for value in getattr(result, name)] for name in _ARRAYS}


def mtf_csv(results: Sequence[Mtf], pitch: float | None) -> str:
    """Return a table with a row for each measurement."""
    records = [mtf_record(result, pitch) for result in results]
    text = io.StringIO()
    writer = csv.DictWriter(text, records[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue()


def _number(value: float) -> float | None:
    return float(f"{value:.6g}") if math.isfinite(value) else None
