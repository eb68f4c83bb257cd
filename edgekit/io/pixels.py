"""What a decoder returns: pixels, and what they mean. They are turned upright, laid over a background, made gray.

May import `common` and what is below it.
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


def with_nodata(array: Array, nodata: float | None) -> Array:
    """Return a result with the value `nodata` where it is NaN."""
    if nodata is None or nodata != nodata or array.dtype.kind != "f":
        return array
    return np.where(np.isnan(array), array.dtype.type(nodata), array)


def _holds(dtype: np.dtype[Any], value: float) -> bool:
    """Tell whether pixels of this type can have a value."""
    if dtype.kind not in "iu":
        return dtype.kind == "f"
    return float(value).is_integer() and np.iinfo(dtype).min <= value <= np.iinfo(dtype).max


class Light(NamedTuple):
    """The brightness of opaque pixels: its sum, from 0 for black to 1 for white, and the sum of their opacity."""

    total: float
    opacity: float

    def plus(self, other: "Light") -> "Light":
        """Return the sum over two parts of an image."""
        return Light(self.total + other.total, self.opacity + other.opacity)

    @property
    def background(self) -> str:
        """The background on which these pixels can be seen."""
        return "black" if self.total > self.opacity / 2 else "white"


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
    notes: tuple[str, ...] = ()

    @property
    def bands(self) -> int:
        """The number of channels that are not opacity."""
        return (self.array.shape[2] if self.array.ndim == 3 else 1) - self.opacity

    def measured(self, nodata: float | None, *, as_floats: bool = False) -> "Pixels":
        """Return the pixels as floats with NaN where they have the value `nodata`, in all channels of a colour image.

        Without such pixels integers stay as they are, unless they are wanted `as_floats`.
        """
        if nodata is None or not _holds(self.array.dtype, nodata):
            return self
        with np.errstate(over="ignore"):
            missing = np.isnan(self.array) if nodata != nodata else self.array == self.array.dtype.type(nodata)
        if self.rgb:
            missing = np.broadcast_to(missing.all(axis=2, keepdims=True), missing.shape)
        if not missing.any() and not as_floats:
            return self
        small = self.array.dtype.itemsize <= 2
        floats = self.array.astype(np.float32 if small else np.float64) if self.array.dtype.kind != "f" else self.array
        array = np.where(missing, floats.dtype.type(np.nan), floats)
        pixels = int(missing.all(axis=2).sum() if missing.ndim == 3 else missing.sum())
        stated = self.limits() if self.range is None and small and self.array.dtype.itemsize == 1 else self.range
        note = f"{pixels:,} pixels without data ({nodata:g})" if pixels else ""
        return replace(self, array=array, range=stated).with_notes(note)

    def upright(self, orientation: int) -> "Pixels":
        """Return the pixels turned upright."""
        turned = self if orientation < 5 or self.spacing is None else replace(
            self, spacing=Spacing(self.spacing.x, self.spacing.y, self.spacing.unit)
        )  # fmt: skip
        return replace(turned, array=upright(self.array, orientation))

    def with_notes(self, *notes: str) -> "Pixels":
        """Return the pixels with more notes; empty ones are left out."""
        return replace(self, notes=(*self.notes, *filter(None, notes)))

    def limits(self) -> Range:
        """Return the values of black and white: those that the file states, else those of the type."""
        if self.range is not None:
            return self.range
        kind = self.array.dtype.kind
        if kind == "f":
            return 0.0, 1.0
        return (0.0, 1.0) if kind == "b" else (0.0, float(np.iinfo(self.array.dtype).max))

    def _weighted(self) -> tuple[Array, Array]:
        """Return the opacity from 0 to 1, (H, W, 1), and the colours multiplied by it."""
        work: Any = np.float64 if self.array.dtype.itemsize > 2 else np.float32
        opacity = self.array[:, :, -1:].astype(work)
        weight = (opacity / work(self._full_opacity())).clip(0, 1)
        return weight, self.array[:, :, :-1].astype(work) * (1 if self.premultiplied else weight)

    def _full_opacity(self) -> float:
        return 1.0 if self.array.dtype.kind == "f" else self.limits()[1]

    def light(self) -> "Light":
        """Return how bright the opaque pixels are."""
        weight, light = self._weighted()
        low, high = self.limits()
        total = float(weight.sum(dtype=np.float64)) * light.shape[2]
        return Light((float(light.sum(dtype=np.float64)) - low * total) / ((high - low) or 1), total)

    def over(self, background: str) -> "Pixels":
        """Return the pixels laid over a background, without opacity.

        Parameters
        ----------
        background : str
            ``white``, ``black``, a colour ``#rrggbb``, or ``auto``: black if the opaque pixels are bright, else white.
        """
        if not self.opacity:
            return self
        colours, opacity = self.array[:, :, :-1], self.array[:, :, -1]
        plain = replace(self, array=np.squeeze(colours, 2) if colours.shape[2] == 1 else colours, opacity=False)
        if opacity.size == 0 or opacity.min() >= self._full_opacity():
            return plain
        weight, light = self._weighted()
        low, high = self.limits()
        if background == "auto":
            background = self.light().background
        shown = _background(background, self.rgb, light.shape[2])
        light += (low + (high - low) * shown).astype(light.dtype) * (1 - weight)
        if self.array.dtype.kind in "iu":
            np.rint(light, out=light)
        laid = light.astype(self.array.dtype)
        return replace(plain, array=laid[:, :, 0] if laid.shape[2] == 1 else laid).with_notes(
            f"transparent: laid over {background}"
        )

    def gray(self) -> "Pixels":
        """Return the luminance, or the mean of bands that have no colours. Types that OpenCV does not convert stay."""
        plain = self.colours()
        return plain if plain.array.ndim == 2 else replace(plain, array=to_gray(plain.array))

    def colours(self) -> "Pixels":
        """Return red, green and blue; or one channel, the mean of bands that have no colours."""
        if self.array.ndim == 2 or (self.rgb and self.bands == 3):
            return self
        if self.rgb:
            more = self.bands - 3
            note = f"luminance: of red, green and blue, without {more} further band{'s' * (more > 1)}"
            return replace(self, array=self.array[:, :, :3]).with_notes(note)
        mean = self.array.mean(axis=2, dtype=np.float64)
        mean = np.rint(mean) if self.array.dtype.kind in "iu" else mean
        return replace(self, array=mean.astype(self.array.dtype)).with_notes(
            f"luminance: the mean of {self.bands} bands"
        )


def _background(name: str, rgb: bool, channels: int) -> Array:
    """Return a background as a fraction between black and white for each channel."""
    text = {"white": "#ffffff", "black": "#000000"}.get(name, name)
    colour = np.array([int(text[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    luminance = float(colour @ (0.299, 0.587, 0.114))
    made = np.full(channels, luminance)
    if rgb:
        made[:3] = colour
    return made
