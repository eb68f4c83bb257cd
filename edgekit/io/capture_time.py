"""When a photograph was taken, by its Exif data. May import `common` and what is below it."""

import contextlib
import datetime
import io
import math
import warnings
from typing import Any

#: Tags of Exif: the folder of tags of the photograph, the time, its fraction of a second, its offset from UTC.
_PHOTOGRAPH, _TIME, _FRACTION, _OFFSET = 0x8769, 0x9003, 0x9291, 0x9011

#: The time of the file's last change, by the camera, among the main tags.
_CHANGED = 0x0132


def capture_time(data: Any) -> float:
    """Return when a photograph was taken, in seconds; NaN if its file does not say.

    Without a valid offset from UTC in the file, which older cameras do not write, the time counts as UTC.
    """
    from PIL import Image

    found = {}
    with contextlib.suppress(Exception), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(io.BytesIO(data)) as image:
            exif = image.getexif()
            found = {_TIME: exif.get(_CHANGED), **exif.get_ifd(_PHOTOGRAPH)}
    try:
        taken = datetime.datetime.strptime(str(found[_TIME])[:19], "%Y:%m:%d %H:%M:%S")
    except (KeyError, ValueError):
        return math.nan
    offset: datetime.tzinfo | None = datetime.UTC
    with contextlib.suppress(KeyError, ValueError):
        offset = datetime.datetime.strptime(str(found[_OFFSET])[:6], "%z").tzinfo
    digits = str(found.get(_FRACTION) or "").strip()
    fraction = float(f"0.{digits}") if digits.isdecimal() and digits.isascii() else 0.0
    return taken.replace(tzinfo=offset).timestamp() + fraction
