"""A job that makes a picture of an image: what is common to filters and edges."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from edgekit.backends.choice import load
from edgekit.backends.interface import Array
from edgekit.common.names import unknown
from edgekit.common.read_limits import DEFAULT, Limits
from edgekit.display.rendering import overlay, to_display
from edgekit.display.value_range import Range
from edgekit.errors import ParameterError
from edgekit.io.reading import decode
from edgekit.io.stated import stated_range
from edgekit.io.writing import encode, writable

#: Raised when the same job would give other pixels than before, so that old results count as stale.
REVISION = 2

DEPTHS = ("8", "16", "float")


class Picture(NamedTuple):
    """One image's result.

    Attributes
    ----------
    data : bytes
        The content of the output file.
    rows, columns : int
        The input's size in pixels.
    clipped : int
        Values beyond what the picture can show.
    white : float, optional
        The response that is shown white; None where the output shows no response of a filter.
    note : str
        What the user should know of the input or the result, such as that no edge was found.
    """

    data: bytes
    rows: int
    columns: int
    clipped: int
    white: float | None = None
    note: str = ""


class Shown(NamedTuple):
    """A response as 8 or 16 bits, how many values were clipped, and the response that is shown white."""

    image: Array
    clipped: int
    white: float | None = None


@dataclass(frozen=True)
class PictureJob(ABC):
    """What to do to one image, as a value: picklable, hashable, the same on every engine.

    Attributes
    ----------
    display : {"full", "stretch", "signed"}
        How the response is shown; see `edgekit.to_display`.
    depth : {"8", "16", "float"}
        Bits of the output; ``float`` keeps the response as it is.
    overlay : bool
        Draw the response in colour over the image.
    ending : str
        Of the output file, with its dot.
    backend, device : str
        Where to compute.
    limits : Limits
        What may be taken on of each image.
    """

    display: str = field(default="full", kw_only=True)
    depth: str = field(default="8", kw_only=True)
    overlay: bool = field(default=False, kw_only=True)
    ending: str = field(default=".png", kw_only=True)
    backend: str = field(default="cv2", kw_only=True)
    device: str | None = field(default=None, kw_only=True)
    limits: Limits = field(default=DEFAULT, kw_only=True)

    @property
    @abstractmethod
    def tag(self) -> str:
        """The part of an output's name that tells what was done, such as ``sobel-45``."""

    @property
    def key(self) -> str:
        """A text of everything that decides the output; equal for equal jobs, in every process."""
        return f"{self!r} revision {REVISION}"

    @property
    def grey_will_do(self) -> bool:
        """Whether the decoder's own grey, in whole levels and sooner there, is as good as colour."""
        return False

    @abstractmethod
    def respond(self, image: Array) -> Array:
        """Return what the picture is to show."""

    def show(self, image: Array, in_range: Range | None = None) -> Shown:
        """Return the picture of it; `in_range` is the range that the image's file states."""
        return Shown(*to_display(self.respond(image), self.display, depth=int(self.depth), white=1.0))

    def remark(self, image: Array, shown: Array) -> str:
        """Return what the user should know of the result; nothing in the usual case."""
        return ""

    def check(self) -> None:
        """Raise what is wrong with the job itself, before any image is read.

        Raises
        ------
        ParameterError, KernelError, MissingExtraError
            For the first option that does not fit.
        """
        self.limits.check()
        if self.depth not in DEPTHS:
            raise ParameterError(unknown("depth", self.depth, DEPTHS))
        kind = writable(self.ending)
        if self.depth not in kind.depths:
            raise ParameterError(
                f"{kind.name} cannot hold depth {self.depth}; it holds {' or '.join(kind.depths)}. "
                f"Write {'.tif or .npy' if self.depth == 'float' else '.png, .tif or .npy'}"
            )
        if self.overlay and self.depth != "8":
            raise ParameterError(f"an overlay has 8 bits; found depth {self.depth}")
        if self.device is not None and self.backend != "torch":
            raise ParameterError(f"device={self.device!r} is for the torch backend; choose backend torch")
        load(self.backend, self.device)

    def run(self, data: bytes, name: str) -> Picture:
        """Turn an input file's content into an output file's.

        Raises
        ------
        EdgekitError
            If the input is not an image, or the job does not fit it.
        """
        decoded = decode(data, name, colour=not self.grey_will_do, limits=self.limits)
        image = decoded.image
        rows, columns = image.shape[:2]
        stated = stated_range(data, image.dtype)
        computer = load(self.backend, self.device)
        with computer.without_graph():
            lent = computer.lend(image, self.device)
            made = Shown(self.respond(lent), 0) if self.depth == "float" else self.show(lent, stated)
            shown = computer.give_back(made.image)
            note = "; ".join(filter(None, (decoded.note, self.remark(lent, shown))))
        # Files hold no half precision and no single bits.
        shown = shown.astype(np.float32) if shown.dtype in (np.float16, bool) else shown
        if self.overlay:
            shown = overlay(image, shown, in_range=stated)
        return Picture(encode(shown, self.ending), rows, columns, made.clipped, made.white, note)
