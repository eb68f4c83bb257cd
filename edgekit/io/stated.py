"""The range of values that a file states where it is narrower than that of its type, as for 12 bits stored in 16."""

import io
import math
import re
from typing import Any

import numpy as np

from edgekit.io.decoders import load_tifffile
from edgekit.io.formats import HEAD, sniff

Range = tuple[float, float]

#: TIFF tags with the least and the largest value; those that hold every type come first.
_TAGS = (("SMinSampleValue", "SMaxSampleValue"), ("MinSampleValue", "MaxSampleValue"))

#: Photometric interpretations whose pixels are values: WhiteIsZero, BlackIsZero and RGB.
_VALUES = (0, 1, 2)


def stated_range(data: bytes, dtype: np.dtype[Any]) -> Range | None:
    """Return the range that a file states for its values; None where it states none, or has 8 bits.

    Parameters
    ----------
    data : bytes
        The content of the file.
    dtype : dtype
        Of the decoded pixels.
    """
    found = sniff(data[:HEAD]) if dtype.itemsize > 1 else None
    if found is None or found.name not in ("netpbm", "TIFF"):
        return None
    if found.name == "netpbm":
        return _netpbm(data, dtype)
    try:
        with load_tifffile().TiffFile(io.BytesIO(data)) as file:
            page = file.pages.first
            # Of other depths the decoders disagree on the scale.
            return range_of_page(page) if page.bitspersample == 8 * dtype.itemsize else None
    except Exception:  # The pixels could be decoded; what else is damaged states nothing.
        return None


def range_of_page(page: Any) -> Range | None:
    """Return the range that the tags of one of tifffile's pages state; None where they state none."""
    if page.photometric not in _VALUES:
        return None
    for names in _TAGS:
        stated = [page.tags.valueof(name) for name in names]
        if None in stated:
            continue
        # A value for each channel, or one for all.
        low, high = float(np.min(stated[0])), float(np.max(stated[1]))
        if math.isfinite(high - low) and low < high:
            if page.photometric == 0 and page.dtype.kind == "u":
                # The pixels are inverted when they are read.
                top = float(np.iinfo(page.dtype).max)
                low, high = top - high, top - low
            return low, high
    return None


def _netpbm(data: bytes, dtype: np.dtype[Any]) -> Range | None:
    # Of 16 bits OpenCV keeps the values as they are stored; what Pillow decodes is of another type, and scaled.
    head = re.sub(rb"#[^\r\n]*", b"", data[:4096])
    found = re.search(rb"\bMAXVAL\s+(\d+)", head) or re.match(rb"P[2356]\s+\d+\s+\d+\s+(\d+)\s", head)
    return (0.0, float(found[1])) if found and dtype == np.uint16 and int(found[1]) else None
