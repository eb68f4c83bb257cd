"""What readers may take on, as a value that a job carries. Imports nothing of edgekit but errors."""

from dataclasses import dataclass, field
from numbers import Integral

from edgekit.common.names import unknown
from edgekit.errors import ParameterError, TooLargeError

#: Pixels of the largest image that is read unless more are asked for: half as many again as a camera of 90 megapixels
#: has. In 8 bits it is decoded, turned to RGB and filtered within 2 GiB; with more bits memory may end sooner.
MAX_PIXELS = 2**27

#: What becomes of a file of which only a part can be decoded.
TRUNCATED = ("keep", "refuse")


@dataclass(frozen=True)
class Limits:
    """What readers may take on.

    Attributes
    ----------
    max_pixels : int
        An image whose header claims more is refused before its pixels have memory.
    truncated : {"refuse", "keep"}
        Whether a file that breaks off is refused, or as much of it kept as can be decoded.
    """

    # Decides whether there is a result, not which: a job that differs in nothing else is the same.
    max_pixels: int = field(default=MAX_PIXELS, repr=False)
    truncated: str = "refuse"

    def check(self) -> None:
        """Raise what is wrong with the limits themselves.

        Raises
        ------
        ParameterError
            For the first that does not fit.
        """
        if not isinstance(self.max_pixels, Integral) or self.max_pixels < 1:
            raise ParameterError(f"max_pixels={self.max_pixels!r} must be a whole number, at least 1")
        if self.truncated not in TRUNCATED:
            raise ParameterError(unknown("truncated", self.truncated, TRUNCATED))

    def admit(self, size: tuple[int, int], name: str) -> None:
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
                "Raise max_pixels (--max-pixels) if it is what it claims and there is memory for it"
            )


#: What holds where nothing else is asked for.
DEFAULT = Limits()
