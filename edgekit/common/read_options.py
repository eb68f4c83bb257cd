"""Limits for reading images, as a value that is part of a job. May import `errors`."""

import re
from dataclasses import dataclass, field
from numbers import Integral, Real

from edgekit.common.choices import check_choice, plain_number, shown
from edgekit.errors import ParameterError, TooLargeError

#: The default of `max_pixels`, 1.5 times the size of a 90-megapixel photo. With 8 bits per channel such an image is
#: decoded, converted to RGB and filtered in 2 GiB of memory; with more bits it may need more.
MAX_PIXELS = 2**27

#: A colour in hexadecimal digits.
_COLOUR = re.compile("#[0-9a-fA-F]{6}")

#: Names of backgrounds for transparent images.
BACKGROUNDS = ("auto", "white", "black")

#: How raw photographs of cameras can be read.
RAW_MODES = ("half", "full", "preview")

#: What can be done with a truncated file.
TRUNCATED = ("keep", "refuse")


@dataclass(frozen=True)
class ReadOptions:
    """Options for reading images.

    Attributes
    ----------
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
    """

    # Not in the repr, from which a job's key is computed: no result depends on it.
    max_pixels: int = field(default=MAX_PIXELS, repr=False)
    truncated: str = "refuse"
    background: str = "auto"
    raw: str = "half"
    nodata: float | None = None

    def check(self) -> None:
        """Raise if an option itself is invalid.

        Raises
        ------
        ParameterError
            For the first invalid value.
        """
        if not isinstance(self.max_pixels, Integral) or self.max_pixels < 1:
            raise ParameterError(f"max_pixels={shown(self.max_pixels)} must be a whole number, at least 1")
        check_choice("truncated", self.truncated, TRUNCATED)
        check_choice("raw", self.raw, RAW_MODES)
        if self.nodata is not None and not isinstance(plain_number(self.nodata), Real):
            raise ParameterError(f"nodata={shown(self.nodata)} must be a number")
        name = str(self.background)
        if name not in BACKGROUNDS and not _COLOUR.fullmatch(name):
            known = f"{', '.join(BACKGROUNDS)}, or a colour such as #8080ff"
            raise ParameterError(f"background={shown(self.background)} must be one of {known}")

    def check_size(self, size: tuple[int, int], name: str) -> None:
        """Raise if an image of this width and height is too large.

        Raises
        ------
        TooLargeError
            If it has more than `max_pixels`.
        """
        width, height = size
        if width * height > self.max_pixels:
            raise TooLargeError(
                f"{name}: claims {width:,} x {height:,} pixels; at most {self.max_pixels:,} are read. "
                "If the size is right and there is enough memory, raise max_pixels (--max-pixels)"
            )


#: The options that hold unless others are given.
DEFAULT_READ_OPTIONS = ReadOptions()
