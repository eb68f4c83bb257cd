"""An image file as a whole: how many images it has, what their pixels mean, and each image.

May import `common` and what is below it.
"""

import re
from dataclasses import dataclass
from numbers import Integral
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.common.choices import shown
from edgekit.common.read_options import MAX_PIXELS, ReadOptions
from edgekit.errors import ParameterError
from edgekit.io.files import read_bytes
from edgekit.io.formats import HEAD, sniff
from edgekit.io.pages import images_in
from edgekit.io.reading import Decoded, check_page, decode, orientation_of
from edgekit.io.stores import path_of
from edgekit.io.tiff import stack_axes

Array = NDArray[Any]


@dataclass(frozen=True)
class ImageInfo:
    """What an image file holds.

    Attributes
    ----------
    format : str
        The name of the format.
    pages : int
        The number of images: pages, frames, planes of a stack.
    axes : str
        One letter for each axis of the file, as in tifffile: Y, X, S (samples: colours or bands), and before them
        those of a stack, such as T (time), Z (depth), C (channel).
    width, height : int
        Size of the upright image in pixels.
    channels : tuple of str
        What each channel of an image is: ``gray``, ``red``, ``green``, ``blue``, ``opacity``, ``band 4``.
    names : tuple of str
        The names that the file gives to the channels of a stack.
    dtype : str
        The type of the pixels.
    black, white : float or None
        The values of black and white; None if neither the file nor an unsigned type states them.
    orientation : int
        EXIF orientation of the stored pixels, 1 to 8. `read` applies it: the image that it returns is upright.
    spacing : (float, float) or None
        The size of a pixel along y and x.
    unit : str
        The unit of the spacing; empty if it is not known.
    nodata : float or None
        The value of pixels that were not measured.
    note : str
        What is left out or converted when the image is read.
    """

    format: str
    pages: int
    axes: str
    width: int
    height: int
    channels: tuple[str, ...]
    names: tuple[str, ...]
    dtype: str
    black: float | None
    white: float | None
    orientation: int
    spacing: tuple[float, float] | None
    unit: str
    nodata: float | None
    note: str


def open_image(
    path: str | PathLike[str],
    *,
    max_pixels: int = MAX_PIXELS,
    truncated: str = "refuse",
    background: str = "auto",
    raw: str = "half",
    nodata: float | None = None,
) -> "ImageFile":
    """Open an image file with all of its images.

    Parameters
    ----------
    path : path
        The file, or its URL. Its content is kept in memory.
    max_pixels : int
        An image whose header states more pixels is refused before memory is allocated.
    truncated : {"refuse", "keep"}
        Whether a truncated file is refused, or the part that can be decoded is kept.
    background : str
        What transparent images are laid over: ``white``, ``black``, a colour ``#rrggbb``, or ``auto``: black if the
        opaque pixels are bright, else white.
    raw : {"half", "full", "preview"}
        How raw photographs of cameras are read: each 2x2 cell of the sensor as one pixel, at full size, or the largest
        preview in the file.
    nodata : float, optional
        The value of pixels that were not measured. Default: the value that the file states.

    Returns
    -------
    ImageFile
        Its `info` tells what the file holds; `read` returns an image.

    Raises
    ------
    UnreadableError
        If the file is missing, empty, or access is denied.
    DecodeError
        If it is not an image that can be decoded.
    ParameterError
        If an option has an invalid value.

    Examples
    --------
    >>> import numpy as np, tifffile, edgekit as ek
    >>> tifffile.imwrite("stack.tif", np.zeros((3, 20, 30), np.uint16), photometric="minisblack")
    >>> file = ek.open_image("stack.tif")
    >>> file.pages, file.axes, file.read(page=2).shape
    (3, 'QYX', (20, 30))
    """
    read_options = ReadOptions(max_pixels, truncated, background, raw, nodata)
    read_options.check()
    found = path_of(path)
    return ImageFile(read_bytes(found), str(found), read_options)


class ImageFile:
    """An image file; `open_image` opens it.

    Attributes
    ----------
    info : ImageInfo
        What the file holds.
    pages : int
        The number of images.
    axes : str
        The axes of the file, one letter for each.
    """

    def __init__(self, data: bytes, name: str, read_options: ReadOptions) -> None:
        self._data, self._name, self._read_options = data, name, read_options
        self.pages = images_in(data, name)
        self._first = decode(data, name, read_options=read_options, page=1)
        self.info = self._info(self._first)
        self.axes = self.info.axes

    def __repr__(self) -> str:
        return f"<ImageFile {self._name!r}: {self.pages} x {self.info.width}x{self.info.height} {self.info.dtype}>"

    def read(self, *, page: int = 1, channel: int | None = None) -> Array:
        """Return an image.

        Parameters
        ----------
        page : int
            The number of the image, from 1 on.
        channel : int, optional
            Only this channel, from 0 on.

        Returns
        -------
        ndarray
            (H, W), or (H, W, channels) in RGB order, as from `read_image`. Pixels without data are NaN.

        Raises
        ------
        DecodeError
            If the file has no such image, or it is damaged.
        ParameterError
            If the image has no such channel, or an argument is not an integer.
        """
        check_page(page)
        image = self._first.image if page == 1 else self._decoded(page).image
        if channel is None:
            return image
        count = image.shape[2] if image.ndim == 3 else 1
        if isinstance(channel, bool) or not isinstance(channel, Integral) or not 0 <= channel < count:
            raise ParameterError(f"{self._name}: channel={shown(channel)} must be an integer from 0 to {count - 1}")
        return image if image.ndim == 2 else np.ascontiguousarray(image[:, :, channel])

    def _decoded(self, page: int) -> Decoded:
        return decode(self._data, self._name, read_options=self._read_options, page=page)

    def _info(self, first: Decoded) -> ImageInfo:
        found = sniff(self._data[:HEAD])
        pixels = first.pixels
        rows, columns = first.image.shape[:2]
        count = first.image.shape[2] if first.image.ndim == 3 else 1
        colours = ("red", "green", "blue") if pixels.rgb else ("gray",) if count == 1 else ()
        bands = tuple(f"band {n}" for n in range(len(colours) + 1, count + 1))
        axes = stack_axes(self._data) or ("Q" * (self.pages > 1)) + "YX" + "S" * (count > 1)
        plain = pixels.range is None and not first.stored.startswith(("uint", "bool"))
        black, white = (None, None) if plain else first.limits
        return ImageInfo(
            format=first.format,
            pages=self.pages,
            axes=axes,
            width=columns,
            height=rows,
            channels=(*colours, *bands, *(("opacity",) if first.opacity else ())),
            names=tuple(re.findall(r'<Channel [^>]*Name="([^"]+)"', self._data.decode("latin-1")))
            if found is not None and found.name == "TIFF" and b"<OME" in self._data
            else (),
            dtype=first.stored,
            black=black,
            white=white,
            orientation=orientation_of(self._data, self._name),
            spacing=None if pixels.spacing is None else (pixels.spacing.y, pixels.spacing.x),
            unit="" if pixels.spacing is None else pixels.spacing.unit,
            nodata=pixels.nodata,
            note=first.note,
        )
