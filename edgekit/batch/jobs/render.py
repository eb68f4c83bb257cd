"""The base of jobs that render an image: filters and edges. May import `io` and what is below it."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

import numpy as np

from edgekit.backends.choice import load
from edgekit.backends.interface import Array
from edgekit.common.choices import unknown_choice
from edgekit.common.read_options import DEFAULT_READ_OPTIONS, ReadOptions
from edgekit.display.overlays import overlay
from edgekit.display.rendering import Mode, to_display
from edgekit.display.value_range import Range
from edgekit.errors import ParameterError
from edgekit.filters.inputs import from_numpy_image, to_numpy_image
from edgekit.io.encoding import encode, writable_format
from edgekit.io.pixels import Spacing as FileSpacing
from edgekit.io.pixels import with_nodata
from edgekit.io.reading import decode
from edgekit.io.tiff import geographic_tags
from edgekit.io.tiff_tags import Tag, tags_of_result

#: Increased when the same job gives other pixels than before, so that old results are stale.
REVISION = 2

DEPTHS = ("8", "16", "float")


class RenderedFile(NamedTuple):
    """The result of a job for one file.

    Attributes
    ----------
    rows, columns : int
        Size of the (first) input image in pixels.
    clipped : int
        Number of values outside the range of the output.
    white : float, optional
        The response that is shown white in the (first) image; None if the output does not show a filter's response.
    note : str
        What the user should know about the input or the result, such as that no edge was found.
    data : bytes
        Content of the output file; empty if the file was written window by window.
    """

    rows: int
    columns: int
    clipped: int
    white: float | None = None
    note: str = ""
    data: bytes = b""


class RenderedResponse(NamedTuple):
    """A response as 8 or 16 bits, the number of clipped values, and the response that is shown white."""

    image: Array
    clipped: int
    white: float | None = None


@dataclass(frozen=True)
class RenderJob(ABC):
    """What is done with one image, as a value: it can be pickled and hashed, and is the same on every engine.

    Attributes
    ----------
    display : {"full", "stretch", "signed"}
        How the response is shown; see `edgekit.to_display`.
    depth : {"8", "16", "float"}
        Bits of the output; ``float`` keeps the response unchanged.
    overlay : bool
        Draw the response in colour over the image.
    ending : str
        Extension of the output file, with its dot.
    backend, device : str
        Where the response is computed.
    read_options : ReadOptions
        Options for reading an image.
    """

    display: Mode = field(default="full", kw_only=True)
    depth: str = field(default="8", kw_only=True)
    overlay: bool = field(default=False, kw_only=True)
    ending: str = field(default=".png", kw_only=True)
    backend: str = field(default="cv2", kw_only=True)
    device: str | None = field(default=None, kw_only=True)
    read_options: ReadOptions = field(default=DEFAULT_READ_OPTIONS, kw_only=True)

    @property
    @abstractmethod
    def tag(self) -> str:
        """The part of an output's name that describes the job, such as ``sobel-45``."""

    @property
    def key(self) -> str:
        """A text that contains everything the output depends on; equal for equal jobs, in every process."""
        return f"{self!r} revision {REVISION}"

    @property
    def bits(self) -> Literal[8, 16]:
        """The bits of a rendered output."""
        return 16 if self.depth == "16" else 8

    @property
    def decodes_to_gray(self) -> bool:
        """Whether the gray image of the decoder, in whole levels and faster, can be used instead of colour."""
        return False

    @property
    def uses_bands(self) -> bool:
        """Whether bands other than red, green and blue are used."""
        return False

    @abstractmethod
    def respond(self, image: Array) -> Array:
        """Return the response that the output shows."""

    def show(self, image: Array, in_range: Range | None = None) -> RenderedResponse:
        """Return the rendered response; `in_range` is the range that the image file states."""
        return RenderedResponse(*to_display(self.respond(image), self.display, depth=self.bits, white=1.0))

    def remark(self, image: Array, shown: Array) -> str:
        """Return what the user should know about the result; empty in the usual case."""
        return ""

    def check(self) -> None:
        """Check the job itself, before any image is read.

        Raises
        ------
        ParameterError, KernelError, MissingExtraError
            For the first invalid option.
        """
        self.read_options.check()
        if self.depth not in DEPTHS:
            raise ParameterError(unknown_choice("depth", self.depth, DEPTHS))
        kind = writable_format(self.ending)
        if self.depth not in kind.depths:
            raise ParameterError(
                f"{kind.name} cannot hold depth {self.depth}; it holds {' or '.join(kind.depths)}. "
                f"Write {'.tif or .npy' if self.depth == 'float' else '.png, .tif or .npy'}"
            )
        if self.overlay and self.depth != "8":
            raise ParameterError(f"an overlay has 8 bits; found depth {self.depth}")
        if self.device is not None and self.backend != "torch":
            raise ParameterError(f"device={self.device!r} needs the torch backend; choose backend torch")
        load(self.backend, self.device)

    @property
    def offset(self) -> tuple[int, int]:
        """Columns and rows by which the result begins later than the image, because its border is left out."""
        return 0, 0

    def placed(self, spacing: FileSpacing | None) -> Self:
        """Return the job for an image whose file states the size of a pixel.

        Raises
        ------
        ParameterError
            If the job needs it, and the file does not state it.
        """
        return self

    def holds_all(self, path: Path) -> bool:
        """Tell whether one output holds the results of all images of an input file."""
        return False

    def run(self, data: bytes, name: str, page: int | None = None) -> RenderedFile:
        """Decode the content of an input file, apply the job and encode the result.

        Parameters
        ----------
        data : bytes
            The content.
        name : str
            The name of the file in messages.
        page : int, optional
            The number of the image in a file with several, from 1 on.

        Raises
        ------
        EdgekitError
            If the input is not an image, or the job does not fit it.
        """
        wanted: Any = {"colour": not self.decodes_to_gray, "bands": self.uses_bands}
        decoded = decode(data, name, read_options=self.read_options, page=page, **wanted)
        image, job = decoded.image, self.placed(decoded.pixels.spacing)
        rows, columns = image.shape[:2]
        stated = decoded.pixels.range
        backend = load(self.backend, self.device)
        pixels = from_numpy_image(image, backend, self.device)
        response = RenderedResponse(job.respond(pixels), 0) if job.depth == "float" else job.show(pixels, stated)
        shown = to_numpy_image(response.image, backend)
        note = "; ".join(filter(None, (decoded.note, job.remark(pixels, shown))))
        # File formats have neither half precision nor booleans.
        shown = shown.astype(np.float32) if shown.dtype in (np.float16, bool) else shown
        if self.overlay:
            shown = overlay(image, shown, in_range=stated)
        tags: tuple[Tag, ...] = ()
        shown = with_nodata(shown, decoded.pixels.nodata)
        if writable_format(self.ending).name == "TIFF":
            copied = geographic_tags(data, (page or 1) - 1, *job.offset)
            tags = tuple(tags_of_result(copied, shown.dtype, decoded.pixels.nodata))
        made = encode(shown, self.ending, bands=image.ndim == 3, tags=tags)
        return RenderedFile(rows, columns, response.clipped, response.white, note, made)
