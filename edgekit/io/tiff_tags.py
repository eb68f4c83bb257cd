"""The tags of TIFF files that say where pixels lie: geographic position, size of a pixel, pixels without data.

May import `common` and what is below it.

References
----------
OGC GeoTIFF Standard 1.1 (19-008r4); GDAL's GTiff driver for the tags 42112 and 42113.
"""

import re
from collections.abc import Sequence
from typing import Any

from edgekit.io.pixels import Spacing

#: ModelPixelScale, ModelTiepoint, ModelTransformation, the GeoKeys, GDAL's metadata and its value without data.
PIXEL_SCALE, TIEPOINT, TRANSFORMATION = 33550, 33922, 34264
GEO_KEYS, GEO_DOUBLES, GEO_TEXT = 34735, 34736, 34737
METADATA, NODATA = 42112, 42113

_COPIED = (PIXEL_SCALE, TIEPOINT, TRANSFORMATION, GEO_KEYS, GEO_DOUBLES, GEO_TEXT, METADATA, NODATA)

#: GeoKeys for the kind of coordinates, and for the units of lengths.
_MODEL_TYPE, _LENGTH_UNITS = 1024, (3076, 2052)
_GEOGRAPHIC = 2
_UNITS = {9001: "m", 9002: "ft", 9003: "US survey ft"}

#: The OME attributes of the pixels that hold for results as well.
_OME_ATTRIBUTES = ("PhysicalSizeX", "PhysicalSizeXUnit", "PhysicalSizeY", "PhysicalSizeYUnit", "PhysicalSizeZ",
              "PhysicalSizeZUnit", "TimeIncrement", "TimeIncrementUnit")  # fmt: skip

#: The same for ImageJ: units, the distances of slices and frames, and the names of the images.
_IMAGEJ_NAMES = ("unit", "yunit", "zunit", "tunit", "spacing", "finterval", "fps", "Labels")

#: A tag for a writer of tifffile: code, type, count, value, and whether it is written once.
Tag = tuple[int, int | str, int, Any, bool]


def nodata_of(page: Any) -> float | None:
    """Return the value of pixels that were not measured, of GDAL's tag; None if there is none."""
    text = page.tags.valueof(NODATA)
    try:
        return None if text is None else float(text)
    except (TypeError, ValueError):
        return None


def spacing_of(page: Any) -> Spacing | None:
    """Return the size of a pixel that the tags of GeoTIFF, OME-TIFF or ImageJ state; None if there is none."""
    scale = page.tags.valueof(PIXEL_SCALE)
    if scale is not None and len(scale) >= 2 and min(scale[:2]) > 0:
        return Spacing(float(scale[1]), float(scale[0]), _unit(page.tags.valueof(GEO_KEYS)))
    file = page.parent
    if file.is_ome and (found := _of_ome(file.ome_metadata or "")):
        return found
    unit = (file.imagej_metadata or {}).get("unit", "") if file.is_imagej else ""
    if unit and unit not in ("pixel", "pixels"):
        across, down = page.get_resolution(unit=1)
        if min(across, down) > 0:
            return Spacing(1 / down, 1 / across, {"micron": "µm", "\\u00B5m": "µm"}.get(unit, str(unit)))
    return None


def _unit(keys: Sequence[int] | None) -> str:
    entries = list(keys or ())[4:]
    found = {entries[at]: entries[at + 3] for at in range(0, len(entries) - 3, 4) if entries[at + 1] == 0}
    if found.get(_MODEL_TYPE) == _GEOGRAPHIC:
        return "degrees"
    return next((_UNITS[found[key]] for key in _LENGTH_UNITS if found.get(key) in _UNITS), "")


def _of_ome(text: str) -> Spacing | None:
    sides = [re.search(rf'PhysicalSize{axis}="([^"]+)"', text) for axis in "YX"]
    unit = re.search('PhysicalSizeXUnit="([^"]+)"', text)
    if sides[0] is None or sides[1] is None:
        return None
    try:
        y, x = float(sides[0][1]), float(sides[1][1])
    except ValueError:
        return None
    # Micrometres are the default of OME.
    return Spacing(y, x, unit[1] if unit else "µm") if min(y, x) > 0 else None


def stack_metadata(file: Any) -> dict[str, Any]:
    """Return the metadata of OME or ImageJ that results keep, by ``ome`` or ``imagej``; empty for other files.

    Parameters
    ----------
    file : TiffFile
        The input.
    """
    if file.is_ome:
        return {"ome": _ome_metadata(file.ome_metadata or "")}
    if file.is_imagej:
        stated = file.imagej_metadata or {}
        found = {name: stated[name] for name in _IMAGEJ_NAMES if name in stated}
        return {"imagej": {n: _escaped(v) if n.endswith("unit") else v for n, v in found.items()}}
    return {}


def _escaped(unit: Any) -> str:
    """Return a unit as ImageJ writes it: descriptions of TIFF files are in ASCII."""
    return "".join(c if c.isascii() else f"\\u{ord(c):04X}" for c in str(unit))


def _ome_metadata(description: str) -> dict[str, Any]:
    """Return attributes of the pixels of the first image, and the names of its channels."""
    from xml.etree import ElementTree

    try:
        pixels = next(e for e in ElementTree.fromstring(description).iter() if e.tag.endswith("Pixels"))
    except (ElementTree.ParseError, StopIteration):
        return {}
    names = tuple(e.get("Name", "") for e in pixels if e.tag.endswith("Channel"))
    return {n: pixels.attrib[n] for n in _OME_ATTRIBUTES if n in pixels.attrib} | {"names": names * any(names)}


def copied_tags(page: Any, left: int = 0, top: int = 0) -> list[Tag]:
    """Return the tags that put a result on the same grid as its input.

    Parameters
    ----------
    page : TiffPage
        The input.
    left, top : int
        Columns and rows by which the result begins later.
    """
    found = []
    for code in _COPIED:
        tag = page.tags.get(code)
        if tag is None:
            continue
        value = tag.value
        if code == TIEPOINT and (left or top):
            # Each tie point is a place in the image, and one in the world.
            value = list(value)
            value[0::6] = [column - left for column in value[0::6]]
            value[1::6] = [row - top for row in value[1::6]]
        elif code == TRANSFORMATION and (left or top):
            value = list(value)
            for at in range(0, 12, 4):
                value[at + 3] += value[at] * left + value[at + 1] * top
        text = isinstance(value, str)
        count = 0 if text else len(value) if isinstance(value, list | tuple) else 1
        found.append((code, "s" if text else int(tag.dtype), count, value, True))
    return found


def tags_of_result(copied: Sequence[Tag], dtype: Any, nodata: float | None) -> list[Tag]:
    """Return the tags of a result of this type: with the value without data if that is a float type."""
    found = [tag for tag in copied if tag[0] != NODATA]
    if nodata is not None and dtype.kind == "f":
        found.append((NODATA, "s", 0, f"{nodata:.17g}", True))
    return found
