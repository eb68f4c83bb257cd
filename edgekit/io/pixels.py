"""What a decoder returns: pixels, and what they mean. Also how they are turned upright and laid over a background.

May import `conversion` and NumPy.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgekit.io.conversion import to_gray

Array = NDArray[Any]

#: The values of black and white.
Range = tuple[float, float]

#: How to turn stored rows and columns upright, by the number of the EXIF and TIFF tag Orientation.
_UPRIGHT: dict[int, Callable[[Array], Array]] = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a.swapaxes(0, 1)[:, ::-1],
    7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
    8: lambda a: a.swapaxes(0, 1)[::-1],
}


def upright(array: Array, orientation: int) -> Array:
    """Return an array (H, W) or (H, W, channels) turned upright; unknown orientations change nothing."""
    return _UPRIGHT[orientation](array) if orientation in _UPRIGHT else array


class Spacing(NamedTuple):
    """The distance of neighbouring pixels along y and x, and its unit, such as ``m`` or ``µm``; empty if unknown."""

    y: float
    x: float
    unit: str = ""


@dataclass(frozen=True)
class Pixels:
    """The pixels of one image of a file.

    Attributes
    ----------
    array : ndarray
        (H, W), or (H, W, channels): red, green and blue first, then further bands, then the opacity.
    rgb : bool
        Whether the first three channels are red, green and blue.
    opacity : bool
        Whether the last channel is the opacity.
    premultiplied : bool
        Whether the colours are already multiplied by the opacity.
    range : (float, float) or None
        The values of black and white, if the file states them; else those of the type.
    nodata : float or None
        The value of pixels that were not measured.
    spacing : Spacing or None
        The size of a pixel.
    reduced : bool
        Whether these are not all pixels of the image, because a preview or a smaller version was read.
    notes : tuple of str
        What the user should know about them.
    """

    array: Array
    rgb: bool = False
    opacity: bool = False
    premultiplied: bool = False
    range: Range | None = None
    nodata: float | None = None
    spacing: Spacing | None = None
    reduced: bool = False
    notes: tuple[str, ...] = ()

    @property
    def bands(self) -> int:
        """The number of channels that are not opacity."""
        return (self.array.shape[2] if self.array.ndim == 3 else 1) - self.opacity

    @property
    def note(self) -> str:
        """All notes as one text."""
        return "; ".join(self.notes)

    def upright(self, orientation: int) -> "Pixels":
        """Return the pixels turned upright."""
        turned = self if orientation < 5 or self.spacing is None else replace(
            self, spacing=Spacing(self.spacing.x, self.spacing.y, self.spacing.unit)
        )  # fmt: skip
        return replace(turned, array=upright(self.array, orientation))

    def with_notes(self, *notes: str) -> "Pixels":
        """Return the pixels with more notes; empty ones are left out."""
        return replace(self, notes=(*self.notes, *filter(None, notes)))
