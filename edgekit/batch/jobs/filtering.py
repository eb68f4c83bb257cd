"""Jobs that filter an image. May import `io` and what is below it."""

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from edgekit.backends.interface import Array
from edgekit.batch.jobs.render import RenderedResponse, RenderJob
from edgekit.common.choices import unknown_choice
from edgekit.display.rendering import MODES, largest, picture, to_display, white_level
from edgekit.display.value_range import Range
from edgekit.errors import ParameterError
from edgekit.filters.apply import apply, specification
from edgekit.io.opening import WINDOW_ENDINGS, has_windows
from edgekit.io.pixels import Spacing as FileSpacing
from edgekit.operators.kernels import Matrix
from edgekit.operators.spacing import PIXELS, Spacing, pixel_spacing
from edgekit.operators.table import Operator, find, own_operator


@dataclass(frozen=True)
class FilterJob(RenderJob):
    """Filter an image and render the response.

    Attributes
    ----------
    operator : str
        Name of the operator; with `kernel`, the name in outputs, such as ``filter-sharpen``.
    parameters : tuple of (name, value)
        Parameters of the operator.
    kernel : matrix, optional
        A custom kernel.
    angle, angle_of, rotate, scale, border, channel, tone
        As for `edgekit.sobel`, with luminance as the default channel. A rendered response is the same at every scale.
    white : float or str, optional
        The response at unit scale that is shown white; or, as ``"50%"``, a percentage of the response to an ideal step
        over the range of the image. Default: that of `edgekit.white_level`.
    spacing : float or (float, float)
        As for `edgekit.sobel`. A rendered response depends only on the ratio of the two distances: it is computed with
        the shorter one as unit, which `white` refers to as well.
    """

    operator: str
    parameters: tuple[tuple[str, Any], ...] = ()
    kernel: Matrix | None = None
    angle: float | None = None
    angle_of: str = "gradient"
    rotate: str = "steer"
    scale: str = "unit"
    border: str = "reflect"
    channel: str = "luminance"
    tone: str = "linear"
    white: float | str | None = None
    # The key contains it only if it is not 1: results of earlier runs stay valid.
    spacing: Spacing | Literal["auto"] = field(default=1.0, repr=False)

    @property
    def row(self) -> Operator:
        """The operator."""
        return find(self.operator) if self.kernel is None else own_operator(self.kernel)

    @property
    def options(self) -> dict[str, Any]:
        """The options of the filter itself."""
        directed = ("angle_of", "rotate") if self.row.directed else ()
        options = {n: getattr(self, n) for n in ("angle", *directed, "border", "channel", "tone")}
        dy, dx = PIXELS if self.spacing == "auto" else pixel_spacing(self.spacing)
        if self.depth == "float":
            return {**options, "scale": self.scale, "spacing": (dy, dx)}
        shorter = min(dy, dx)
        return {**options, "scale": "unit", "spacing": (dy / shorter, dx / shorter)}

    @property
    def tag(self) -> str:
        """The part of an output's name that describes the filter, such as ``sobel-45``."""
        parameters = (f"{k}{v:g}" if isinstance(v, float) else f"{k}{v}" for k, v in self.parameters)
        angle = () if self.angle is None else (f"{'edge' if self.angle_of == 'edge' else ''}{self.angle:.12g}",)
        changed = (
            getattr(self, name)
            for name in ("rotate", "scale", "border", "channel", "tone", "display")
            if getattr(self, name) != type(self).__dataclass_fields__[name].default
        )
        unit = "percent" if isinstance(self.white, str) else ""
        white = () if self.white is None else (f"white{_number(self.white):.12g}{unit}",)
        overlay = ("overlay",) if self.overlay else ()
        distances = _spacing_text(self.spacing)
        spacing = () if distances == "1" else (f"spacing{distances}",)
        return "-".join((self.operator, *parameters, *angle, *changed, *white, *spacing, *overlay))

    @property
    def key(self) -> str:
        """A text that contains everything the output depends on; equal for equal jobs, in every process."""
        job = self if self.angle is None else replace(self, angle=float(self.angle))
        if job.white is not None:
            number = _number(job.white)
            job = replace(job, white=f"{number!r}%" if isinstance(job.white, str) else number)
        key = super(FilterJob, job).key
        spacing = self.spacing if self.spacing == "auto" else pixel_spacing(self.spacing)
        return key if spacing == PIXELS else f"{key} spacing {spacing}"

    def check(self) -> None:
        """Check the job itself, before any image is read.

        Raises
        ------
        ParameterError, KernelError, MissingExtraError
            For the first invalid option.
        """
        options = {**self.options, "spacing": 1.0 if self.spacing == "auto" else self.spacing}
        specification(self.row, dict(self.parameters), options.pop("angle"), options)
        if self.display not in MODES:
            raise ParameterError(unknown_choice("display", self.display, MODES))
        super().check()
        if self.white is not None:
            self._check_white(self.white)
        if self.overlay and self.display == "signed":
            raise ParameterError('an overlay shows no sign; choose another display than "signed"')
        if self.depth == "float" and self.display != "full":
            raise ParameterError(
                f"depth float keeps the response unchanged; display {self.display} has no effect on it"
            )
        if self.overlay and self.border == "valid":
            raise ParameterError('an overlay needs a response of the image\'s size; choose a border other than "valid"')

    @property
    def decodes_to_gray(self) -> bool:
        """Whether the gray image of the decoder, in whole levels and faster, can be used for luminance."""
        return (self.channel, self.tone, self.depth, self.overlay) == ("luminance", "linear", "8", False)

    @property
    def uses_bands(self) -> bool:
        return self.channel != "luminance"

    @property
    def offset(self) -> tuple[int, int]:
        if self.border != "valid":
            return 0, 0
        options = self.options
        top, _, left, _ = specification(self.row, dict(self.parameters), options.pop("angle"), options).halo
        return left, top

    def placed(self, spacing: FileSpacing | None) -> "FilterJob":
        if self.spacing != "auto":
            return self
        if spacing is None:
            raise ParameterError("the file states no size of its pixels; pass it as a number (--spacing N)")
        return replace(self, spacing=(spacing.y, spacing.x))

    def holds_all(self, path: Path) -> bool:
        return self.ending in WINDOW_ENDINGS and has_windows(path)

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
            raise ParameterError("depth float keeps the response unchanged; white has no effect on it")

    def respond(self, image: Array) -> Array:
        return apply(image, self.row, dict(self.parameters), **self.options)

    def show(self, image: Array, in_range: Range | None = None) -> RenderedResponse:
        if self.display == "stretch":
            response = self.respond(image)
            white = largest(response.reshape(-1)) or 1.0
            return RenderedResponse(*to_display(response, "full", depth=self.bits, white=white), white)
        white = self.white_level(image, in_range)
        filtered = (image, self.row, dict(self.parameters))
        rendered = picture(*filtered, mode=self.display, depth=self.bits, white=white, **self.options)
        return RenderedResponse(*rendered, white)

    def white_level(self, image: Array, in_range: Range | None = None) -> float:
        """Return the response that is shown white. If the range is given, only the type of the image matters."""
        if self.white is not None and not isinstance(self.white, str):
            return float(self.white)
        fraction = None if self.white is None else _number(self.white) / 100
        filtered = (image, self.row, dict(self.parameters))
        return white_level(*filtered, step_fraction=fraction, in_range=in_range, **self.options)


def _spacing_text(spacing: Spacing | Literal["auto"]) -> str:
    """Return the part of an output's name for a spacing."""
    if spacing == "auto":
        return spacing
    return "x".join(f"{d:.12g}" for d in dict.fromkeys(pixel_spacing(spacing)))


def _number(white: float | str) -> float:
    """Return the number of a white level, or of a percentage such as "50%"; NaN if it is neither."""
    if isinstance(white, str) and not white.endswith("%"):
        return math.nan
    try:
        return float(white[:-1] if isinstance(white, str) else white)
    except ValueError:
        return math.nan
