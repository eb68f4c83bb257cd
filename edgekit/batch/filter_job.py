"""Jobs that filter an image."""

from dataclasses import dataclass, replace
from typing import Any

from edgekit.backends.interface import Array
from edgekit.batch.job import PictureJob
from edgekit.dispatch import apply, plan_for
from edgekit.display import MODES, Display, picture, white_level
from edgekit.errors import ParameterError
from edgekit.kernels import Operator, find, own
from edgekit.taps import Matrix

#: Photographs have few steps over their whole range: this share of one is drawn opaque.
OVERLAY_WHITE = 0.25


@dataclass(frozen=True)
class FilterJob(PictureJob):
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
        same = self if self.angle is None else replace(self, angle=float(self.angle))
        return super(FilterJob, same).key

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
        super().check()
        if self.overlay and self.display == "signed":
            raise ParameterError('an overlay draws strength and no sign; choose another display than "signed"')
        if self.depth == "float" and self.display != "full":
            raise ParameterError(f"depth float keeps the response as it is; display {self.display} has no effect on it")
        if self.overlay and self.border == "valid":
            raise ParameterError('an overlay needs a response of the image\'s size; choose a border other than "valid"')

    @property
    def grey_will_do(self) -> bool:
        """Whether the decoder's own grey, in whole levels and sooner there, is as good as luminance in the picture."""
        return (self.channel, self.tone, self.depth, self.overlay) == ("luminance", "linear", "8", False)

    def respond(self, image: Array) -> Array:
        return apply(image, self.row, dict(self.parameters), **self.options)

    def show(self, image: Array) -> Display:
        what = (image, self.row, dict(self.parameters))
        return picture(*what, mode=self.display, depth=int(self.depth), white=self.white(image), **self.options)

    def white(self, image: Array) -> float:
        """Return the response that is shown white; of the image only type and range count."""
        white = white_level(image, self.row, dict(self.parameters), **self.options)
        return white * (OVERLAY_WHITE if self.overlay else 1)
