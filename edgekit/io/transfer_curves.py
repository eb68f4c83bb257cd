"""How the values of a file become linear light: what its profile and its tags say.

May import `common` and what is below it.
"""

import io
import struct
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgekit.io.raw_headers import is_raw

Array = NDArray[Any]

#: The EXIF tag ColorSpace in the directory of the camera: 1 is sRGB, 2 is Adobe RGB.
_EXIF, _COLOR_SPACE = 0x8769, 0xA001

#: Values for which curves are tabulated.
_VALUES = np.linspace(0, 1, 8192)

#: The power of Adobe RGB (1998).
_ADOBE = 563 / 256


class TransferCurve(NamedTuple):
    """A transfer curve.

    Attributes
    ----------
    gamma : float, ndarray, "srgb" or None
        As for `edgekit.mtf`; None if the values are linear or nothing is known.
    source : str
        Which part of the file states the curve; empty if the file does not state one.
    """

    gamma: Any
    source: str


def transfer_curve(data: bytes) -> TransferCurve:
    """Return the transfer curve that an image file states: in an ICC profile, a PNG chunk or an EXIF tag.

    Raw photographs are developed with the curve of BT.709; see `edgekit.io.raw_photographs`.
    """
    if is_raw(data):
        return TransferCurve(_from_bt709(_VALUES), "raw photograph, developed with the curve of BT.709")
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data)) as image:
            info, exif = image.info, image.getexif().get_ifd(_EXIF)
    except Exception:  # Not a format of Pillow, or damaged: then nothing is stated.
        return TransferCurve(None, "")
    profile = info.get("icc_profile")
    if profile and (curve := _curve_of(profile)) is not None:
        return TransferCurve(curve(_VALUES), "ICC profile")
    if "srgb" in info:
        return TransferCurve("srgb", "PNG chunk sRGB")
    if info.get("gamma"):
        return TransferCurve(1 / info["gamma"], "PNG chunk gAMA")
    if exif.get(_COLOR_SPACE) == 1:
        return TransferCurve("srgb", "EXIF tag ColorSpace")
    if exif.get(_COLOR_SPACE) == 2:
        return TransferCurve(_ADOBE, "EXIF tag ColorSpace: Adobe RGB")
    return TransferCurve(None, "")


def _from_bt709(values: Array) -> Array:
    """Return light by the inverse of LibRaw's curve: a slope of 4.5 in the dark, then a power of 1 / 2.222."""
    # LibRaw computes the constants so that both parts join smoothly; these are those of BT.709.
    return np.where(values < 0.081, values / 4.5, ((values + 0.099) / 1.099) ** 2.222)


def _curve_of(profile: bytes) -> Callable[[Array], Array] | None:
    """Return the curve of the red or gray channel of an ICC profile; None if it has none."""
    try:
        (count,) = struct.unpack_from(">I", profile, 128)
        for n in range(min(count, 100)):
            name, offset, size = struct.unpack_from(">4sII", profile, 132 + 12 * n)
            if name in (b"rTRC", b"kTRC"):
                curve = _curve(profile[offset : offset + size])
                return curve if curve is not None and _is_increasing(curve) else None
    except (struct.error, ValueError, ArithmeticError):
        pass
    return None


def _is_increasing(curve: Callable[[Array], Array]) -> bool:
    """Tell whether a curve can be that of an image; those of damaged profiles often cannot."""
    with np.errstate(all="ignore"):
        light = curve(np.linspace(0, 1, 256))
    return bool(np.isfinite(light).all() and (np.diff(light) >= 0).all() and light[-1] > light[0])


def _curve(tag: bytes) -> Callable[[Array], Array] | None:
    """Return the function of a tag of the type curv or para of ICC.1:2022."""
    if tag[:4] == b"curv":
        (count,) = struct.unpack_from(">I", tag, 8)
        values = np.frombuffer(tag, ">u2", count, 12).astype(float)
        if count < 2:
            power = float(values[0]) / 256 if count else 1.0
            return lambda x: x**power
        return lambda x: np.interp(x, np.linspace(0, 1, count), values / 65535)
    if tag[:4] != b"para":
        return None
    (kind,) = struct.unpack_from(">H", tag, 8)
    if kind > 4:
        return None
    given = np.frombuffer(tag, ">i4", (1, 3, 4, 5, 7)[kind], 12) / 65536
    g, a, b, c, d, e, f = (float(given[n]) if n < len(given) else 0.0 for n in range(7))
    if kind == 0:
        a, d = 1.0, -1.0
    elif kind < 3:
        # Constant below −b / a: 0, or c.
        d, e, f, c = -b / a, c, c, 0.0
    return lambda x: np.where(x >= d, np.maximum(a * x + b, 0) ** g + e, c * x + f)
