"""Filters and focus measures as modules. May import `focus` and what is below it."""

from typing import Any, Literal

import torch

from edgekit.common.choices import check_choice
from edgekit.common.types import ChannelAxis
from edgekit.errors import ParameterError
from edgekit.filters.apply import filter_image, specification
from edgekit.filters.documentation import documented
from edgekit.filters.vectors import operator_parameters
from edgekit.focus.measures import MEASURES, sharpness_of
from edgekit.operators.borders import Border
from edgekit.operators.filter_spec import NAN_HANDLING, AngleOf, Channel, Nan, Rotate, Scale, Tone
from edgekit.operators.spacing import Spacing
from edgekit.operators.table import Kind, Operator, find

#: Defaults of the options that all filters have; `extra_repr` shows only other values.
DEFAULTS = {
    "angle": None, "angle_of": "gradient", "rotate": "steer", "scale": "unit", "spacing": 1.0, "border": "reflect",
    "channel": "each", "tone": "linear", "channel_axis": "auto", "nan": "ignore",
}  # fmt: skip


class Module(torch.nn.Module):
    """A module that shows its options."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self._shown = {k: v for k, v in options.items() if v is not None and (k not in DEFAULTS or v != DEFAULTS[k])}

    def extra_repr(self) -> str:
        return ", ".join(f"{k}={v!r}" for k, v in self._shown.items())


class _Filter(Module):
    """An operator with its options."""

    def __init__(
        self, operator: str, parameters: dict[str, Any], *, angle: float | None = None, channel_axis: ChannelAxis,
        **options: Any,
    ) -> None:  # fmt: skip
        # Invalid options raise here, and not with the first image.
        specification(find(operator), parameters, angle, options)
        super().__init__(**parameters, angle=angle, **options, channel_axis=channel_axis)
        self.operator, self.values, self.angle = operator, parameters, angle
        self.channel_axis, self.options = channel_axis, options

    def forward(self, image: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Filter (..., C, H, W) or (H, W); `mask` is True where the image is valid."""
        return filter_image(
            image, self.operator, self.values, angle=self.angle, channel_axis=self.channel_axis, mask=mask,
            **self.options,
        )  # fmt: skip


@documented
class Sobel(_Filter):
    """The Sobel operator; see `edgekit.sobel`.

    Parameters
    ----------
    size : {3, 5, 7}
        Rows and columns of the kernel.
    angle : float, optional
        Direction in degrees; without an angle the module returns the magnitude.

    References
    ----------
    Sobel and Feldman, A 3x3 isotropic gradient operator for image processing, 1968.

    Examples
    --------
    >>> import torch, edgekit as ek
    >>> layer = ek.nn.Sobel(angle=0, border="edge")
    >>> layer
    Sobel(size=3, angle=0, border='edge')
    >>> layer(torch.arange(5.0).expand(2, 1, 4, 5))[0, 0, 1]
    tensor([0.5000, 1.0000, 1.0000, 1.0000, 0.5000])
    """

    def __init__(
        self,
        *,
        size: Literal[3, 5, 7] = 3,
        angle: float | None = None,
        angle_of: AngleOf = "gradient",
        rotate: Rotate = "steer",
        scale: Scale = "unit",
        spacing: Spacing = 1.0,
        border: Border = "reflect",
        channel: Channel = "each",
        tone: Tone = "linear",
        channel_axis: ChannelAxis = "auto",
        nan: Nan = "ignore",
    ) -> None:
        super().__init__(
            "sobel", {"size": size}, angle=angle, angle_of=angle_of, rotate=rotate, scale=scale, spacing=spacing,
            border=border, channel=channel, tone=tone, channel_axis=channel_axis, nan=nan,
        )  # fmt: skip


@documented
class Scharr(_Filter):
    """The Scharr operator; see `edgekit.scharr`.

    Parameters
    ----------
    angle : float, optional
        Direction in degrees; without an angle the module returns the magnitude.

    References
    ----------
    Scharr, Optimal operators in digital image processing, 2000.

    Examples
    --------
    >>> import torch, edgekit as ek
    >>> ek.nn.Scharr()(torch.zeros(2, 3, 8, 9)).shape
    torch.Size([2, 3, 8, 9])
    """

    def __init__(
        self,
        *,
        angle: float | None = None,
        angle_of: AngleOf = "gradient",
        rotate: Rotate = "steer",
        scale: Scale = "unit",
        spacing: Spacing = 1.0,
        border: Border = "reflect",
        channel: Channel = "each",
        tone: Tone = "linear",
        channel_axis: ChannelAxis = "auto",
        nan: Nan = "ignore",
    ) -> None:
        super().__init__(
            "scharr", {}, angle=angle, angle_of=angle_of, rotate=rotate, scale=scale, spacing=spacing, border=border,
            channel=channel, tone=tone, channel_axis=channel_axis, nan=nan,
        )  # fmt: skip


@documented
class Laplacian(_Filter):
    """The Laplacian; see `edgekit.laplacian`.

    Parameters
    ----------
    stencil : {4, 8, "isotropic"}
        The neighbours that the kernel covers.
    sigma : float, optional
        Use the Laplacian of a Gaussian of this standard deviation in pixels, at least 0.3, instead of a stencil.

    References
    ----------
    Marr and Hildreth, Theory of edge detection, 1980, 10.1098/rspb.1980.0020.

    Examples
    --------
    >>> import torch, edgekit as ek
    >>> x = torch.arange(6.0)
    >>> ek.nn.Laplacian(stencil=8)((x**2 / 2).expand(3, 6))[1, 1:-1]
    tensor([1., 1., 1., 1.])
    """

    def __init__(
        self,
        *,
        stencil: Literal[4, 8, "isotropic"] = 4,
        sigma: float | None = None,
        scale: Scale = "unit",
        spacing: Spacing = 1.0,
        border: Border = "reflect",
        channel: Channel = "each",
        tone: Tone = "linear",
        channel_axis: ChannelAxis = "auto",
        nan: Nan = "ignore",
    ) -> None:
        super().__init__(
            "laplacian", {"stencil": stencil, "sigma": sigma}, scale=scale, spacing=spacing, border=border,
            channel=channel, tone=tone, channel_axis=channel_axis, nan=nan,
        )  # fmt: skip


def gradient_operator(name: str) -> Operator:
    """Return the gradient operator of this name.

    Raises
    ------
    ParameterError
        If there is none.
    """
    operator = find(name)
    if operator.kind is not Kind.GRADIENT:
        raise ParameterError(f"{name} has no gradient vector, and so no magnitude; choose sobel, scharr, ...")
    return operator


@documented
class GradientMagnitude(_Filter):
    """The magnitude of the gradient: exactly 0 on a flat image, with gradient 0 there.

    For the backward pass it stores only its input.

    Parameters
    ----------
    operator : {"sobel", "scharr", "prewitt", "roberts", "central", "farid", "gaussian"}
        Name of the operator.

    Examples
    --------
    >>> import torch, edgekit as ek
    >>> image = torch.full((1, 1, 6, 6), 0.3, requires_grad=True)
    >>> ek.nn.GradientMagnitude("gaussian", sigma=1.5)(image).sum().backward()
    >>> bool((image.grad == 0).all())
    True
    """

    def __init__(
        self,
        operator: str = "sobel",
        *,
        size: int | None = None,
        sigma: float | None = None,
        scale: Scale = "unit",
        spacing: Spacing = 1.0,
        border: Border = "reflect",
        channel: Channel = "each",
        tone: Tone = "linear",
        channel_axis: ChannelAxis = "auto",
        nan: Nan = "ignore",
    ) -> None:
        gradient_operator(operator)
        super().__init__(
            operator, operator_parameters(operator, size=size, sigma=sigma), scale=scale, spacing=spacing,
            border=border, channel=channel, tone=tone, channel_axis=channel_axis, nan=nan,
        )  # fmt: skip
        self._shown = {"operator": operator, **self._shown}


@documented
class Sharpness(Module):
    """A focus measure; see `edgekit.sharpness`.

    Parameters
    ----------
    measure : str
        A name in `edgekit.MEASURES`.

    Examples
    --------
    >>> import torch, edgekit as ek
    >>> ek.nn.Sharpness("tenengrad")(torch.rand(4, 3, 16, 16)).shape
    torch.Size([4])
    """

    def __init__(
        self, measure: str = "laplacian_variance", *, channel_axis: ChannelAxis = "auto", nan: Nan = "ignore"
    ) -> None:
        check_choice("measure", measure, MEASURES)
        check_choice("nan", nan, NAN_HANDLING)
        super().__init__(measure=measure, nan=nan)
        self.channel_axis, self.nan = channel_axis, nan
        self.measure = measure

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Measure (..., C, H, W) or (H, W): one value for each image of the batch."""
        found = sharpness_of(image, (self.measure,), channel_axis=self.channel_axis, nan=self.nan)
        value: torch.Tensor = found[self.measure]
        return value
