"""What to do to one image, as a value: picklable, hashable, the same on every engine."""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from edgekit.backends import Array, load
from edgekit.dispatch import apply, plan_for
from edgekit.display import MODES, overlay, to_display, white_level
from edgekit.errors import ParameterError
from edgekit.io.reading import decode
from edgekit.io.writing import encode, writable
from edgekit.kernels import Operator, find, own
from edgekit.taps import Matrix

#: Raised when the same job would give other pixels than before, so that old results count as stale.
REVISION = 1

#: Photographs have few steps over their whole range: this share of one is drawn opaque.
OVERLAY_WHITE = 0.25

DEPTHS = ("8", "16", "float")


class Filtered(NamedTuple):
    """One image's result.

    Attributes
    ----------
    data : bytes
        The content of the output file.
    rows, columns : int
        The input's size in pixels.
    clipped : int
        Values beyond what the picture can show.
    """

    data: bytes
    rows: int
    columns: int
    clipped: int


@dataclass(frozen=True)
class FilterJob:
    """Filter an image and make a picture of the response.

    Attributes
    ----------
    operator : str
        A row's name; with `taps`, what to call a kernel of one's own.
    parameters : tuple of (name, value)
        Values for the operator's own parameters.
    taps : matrix, optional
        A kernel of one's own.
    angle, angle_of, rotate, scale, border, channel, tone
        As for `edgekit.sobel`; luminance is the default here.
    display : {"full", "stretch", "signed"}
        How the response is shown; see `edgekit.to_display`.
    depth : {"8", "16", "float"}
        Bits of the output; ``float`` keeps the signed response as it is.
    overlay : bool
        Draw the response in colour over the image.
    ending : str
        Of the output file, with its dot.
    backend, device : str
        Where to compute.
    """

    operator: str
    parameters: tuple[tuple[str, Any], ...] = ()
    taps: Matrix | None = None
    angle: float | None = None
    angle_of: str = "gradient"
    rotate: str = "steer"
    scale: str = "unit"
    border: str = "reflect"
    channel: str = "luminance"
    tone: str = "linear"
    display: str = "full"
    depth: str = "8"
    overlay: bool = False
    ending: str = ".png"
    backend: str = "cv2"
    device: str | None = None

    @property
    def row(self) -> Operator:
        """The operator's row."""
        return find(self.operator) if self.taps is None else own(self.taps)

    @property
    def options(self) -> dict[str, Any]:
        """What the filter itself is told."""
        turning = ("angle_of", "rotate") if self.row.directed else ()
        return {n: getattr(self, n) for n in ("angle", *turning, "scale", "border", "channel", "tone")}

    @property
    def tag(self) -> str:
        """The part of an output's name that tells the filter, such as ``sobel-45``."""
        parameters = (f"{k}{v:g}" if isinstance(v, float) else f"{k}{v}" for k, v in self.parameters)
        turned = () if self.angle is None else (f"{'edge' if self.angle_of == 'edge' else ''}{self.angle:.12g}",)
        unusual = (
            getattr(self, name)
            for name in ("rotate", "scale", "border", "channel", "tone", "display")
            if getattr(self, name) != type(self).__dataclass_fields__[name].default
        )
        return "-".join((self.operator, *parameters, *turned, *unusual, *(("overlay",) if self.overlay else ())))

    @property
    def key(self) -> str:
        """A text of everything that decides the output; equal for equal jobs, in every process."""
        angle = None if self.angle is None else float(self.angle)
        return f"{replace(self, angle=angle)!r} revision {REVISION}"

    def check(self) -> None:
        """Raise what is wrong with the job itself, before any image is read.

        Raises
        ------
        ParameterError, KernelError, MissingExtraError
            For the first option that does not fit.
        """
        plan_for(self.row, dict(self.parameters), **self.options)
        if self.display not in MODES:
            raise ParameterError(f"display={self.display!r} is not known; choose one of {', '.join(MODES)}")
        if self.depth not in DEPTHS:
            raise ParameterError(f"depth={self.depth!r} is not known; choose one of {', '.join(DEPTHS)}")
        kind = writable(self.ending)
        if self.depth not in kind.depths:
            raise ParameterError(
                f"{kind.name} cannot hold depth {self.depth}; it holds {' or '.join(kind.depths)}. "
                f"Write {'.tif or .npy' if self.depth == 'float' else '.png, .tif or .npy'}"
            )
        if self.overlay and self.depth != "8":
            raise ParameterError(f"an overlay has 8 bits; found depth {self.depth}")
        if self.overlay and self.display == "signed":
            raise ParameterError('an overlay draws strength and no sign; choose another display than "signed"')
        if self.depth == "float" and self.display != "full":
            raise ParameterError(f"depth float keeps the response as it is; display {self.display} has no effect on it")
        if self.overlay and self.border == "valid":
            raise ParameterError('an overlay needs a response of the image\'s size; choose a border other than "valid"')
        if self.device is not None and self.backend != "torch":
            raise ParameterError(f"device={self.device!r} is for the torch backend; choose backend torch")
        load(self.backend, self.device)

    def run(self, data: bytes, name: str) -> Filtered:
        """Turn an input file's content into an output file's.

        Raises
        ------
        EdgekitError
            If the input is not an image, or the job does not fit it.
        """
        image = decode(data, name, colour=not self._grey_will_do)
        rows, columns = image.shape[:2]
        response = self._filter(image)
        if self.depth == "float":
            # Files hold no half precision.
            kept = response.astype(np.float32) if response.dtype == np.float16 else response
            return Filtered(encode(kept, self.ending), rows, columns, 0)
        white = white_level(image, self.row, dict(self.parameters), **self.options)
        if self.overlay:
            white *= OVERLAY_WHITE
        shown, clipped = to_display(response, self.display, int(self.depth), white=white)
        if self.overlay:
            shown = overlay(image, shown)
        return Filtered(encode(shown, self.ending), rows, columns, clipped)

    @property
    def _grey_will_do(self) -> bool:
        """Whether the decoder's own grey, in whole levels and sooner there, is as good as luminance in the picture."""
        return (self.channel, self.tone, self.depth, self.overlay) == ("luminance", "linear", "8", False)

    def _filter(self, image: Array) -> Array:
        computer = load(self.backend, self.device)
        lent = computer.lend(image, self.device)
        return computer.give_back(apply(lent, self.row, dict(self.parameters), **self.options))
