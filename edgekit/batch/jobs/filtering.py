"""Jobs that filter an image."""

import math
from dataclasses import dataclass, replace
from typing import Any

from edgekit.backends.interface import Array
from edgekit.batch.jobs.render import PictureJob, Shown
from edgekit.common.names import unknown
from edgekit.display.rendering import MODES, largest, picture, to_display, white_level
from edgekit.display.value_range import Range
from edgekit.errors import ParameterError
from edgekit.filters.apply import apply, plan_for
from edgekit.operators.kernels import Matrix
from edgekit.operators.table import Operator, find, own


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
        As for `edgekit.sobel`; luminance is the default here. A picture is the same at every scale.
    white : float or str, optional
        The response at unit scale that is shown white, or as ``"50%"`` a part of the response to an ideal
        step over the range of the image. The default is that of `edgekit.white_level`.
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
    white: float | str | None = None

    @property
    def row(self) -> Operator:
        """The operator's row."""
        return find(self.operator) if self.taps is None else own(self.taps)

    @property
    def options(self) -> dict[str, Any]:
        """What the filter itself is told."""
        turning = ("angle_of", "rotate") if self.row.directed else ()
        told = {n: getattr(self, n) for n in ("angle", *turning, "border", "channel", "tone")}
        return {**told, "scale": self.scale if self.depth == "float" else "unit"}

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
        unit = "percent" if isinstance(self.white, str) else ""
        white = () if self.white is None else (f"white{_number(self.white):.12g}{unit}",)
        overlay = ("overlay",) if self.overlay else ()
        return "-".join((self.operator, *parameters, *turned, *unusual, *white, *overlay))

    @property
    def key(self) -> str:
        """A text of everything that decides the output; equal for equal jobs, in every process."""
        same = self if self.angle is None else replace(self, angle=float(self.angle))
        if same.white is not None:
            number = _number(same.white)
            same = replace(same, white=f"{number!r}%" if isinstance(same.white, str) else number)
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
            raise ParameterError(unknown("display", self.display, MODES))
        super().check()
        if self.white is not None:
            self._check_white(self.white)
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

    def _check_white(self, white: float | str) -> None:
        if not 0 < _number(white) < math.inf:
            raise ParameterError(
                f"white={white!r} must be positive and finite: levels per pixel, or a percentage such as '50%'"
            )
        if self.display == "stretch":
            raise ParameterError(
                "display stretch shows the largest response white; remove --white, or choose another --display"
            )
        if self.depth == "float":
            raise ParameterError("depth float keeps the response as it is; white has no effect on it")

    def respond(self, image: Array) -> Array:
        return apply(image, self.row, dict(self.parameters), **self.options)

    def show(self, image: Array, in_range: Range | None = None) -> Shown:
        if self.display == "stretch":
            response = self.respond(image)
            white = largest(response.reshape(-1)) or 1.0
            return Shown(*to_display(response, "full", depth=int(self.depth), white=white), white)
        white = self.white_level(image, in_range)
        what = (image, self.row, dict(self.parameters))
        return Shown(*picture(*what, mode=self.display, depth=int(self.depth), white=white, **self.options), white)

    def white_level(self, image: Array, in_range: Range | None = None) -> float:
        """Return the response that is shown white; where the range is given, only the type of the image counts."""
        if self.white is not None and not isinstance(self.white, str):
            return float(self.white)
        fraction = None if self.white is None else _number(self.white) / 100
        what = (image, self.row, dict(self.parameters))
        return white_level(*what, step_fraction=fraction, in_range=in_range, **self.options)


def _number(white: float | str) -> float:
    """Return the number of a white level or of a percentage such as "50%"; NaN where it is neither."""
    if isinstance(white, str) and not white.endswith("%"):
        return math.nan
    try:
        return float(white[:-1] if isinstance(white, str) else white)
    except ValueError:
        return math.nan
