"""Filters whose direction or kernel is learned. May import `focus` and what is below it."""

from typing import Any, Literal, get_args

import torch

from edgekit.common.choices import check_choice
from edgekit.common.types import ChannelAxis
from edgekit.errors import ParameterError
from edgekit.filters.apply import filter_image, specification
from edgekit.filters.documentation import documented
from edgekit.filters.vectors import operator_parameters
from edgekit.nn.modules import Module
from edgekit.operators.borders import Border
from edgekit.operators.filter_spec import AngleOf, Channel, Nan, Scale, Tone
from edgekit.operators.spacing import Spacing
from edgekit.operators.table import find, own_operator

#: Channel modes in which the response is linear in the cosine and sine of the angle.
_Channel = Literal["each", "luminance"]
_CHANNELS = get_args(_Channel)


@documented
class Oriented(Module):
    """The gradient in a direction that is learned.

    Parameters
    ----------
    angle : float or Tensor
        The initial direction in degrees, clockwise from +x. A tensor broadcasts against the response: shape
        (N, 1, 1, 1) for one angle for each sample, (C, 1, 1) for each channel, (H, W) for each pixel.
    operator : {"sobel", "scharr", "prewitt", "roberts", "central", "farid", "gaussian"}
        Name of the operator.
    learnable : bool
        Whether the angle is a parameter; otherwise it is a buffer.
    channel : {"each", "luminance"}
        ``each``: every channel separately. ``luminance``: 0.299 R + 0.587 G + 0.114 B.

    Attributes
    ----------
    angle : Tensor
        In degrees.

    Raises
    ------
    ParameterError, ShapeError, DtypeError
        As for `edgekit.sobel` with an array of angles. Errors of the image are raised when it is filtered.

    References
    ----------
    Freeman and Adelson, The design and use of steerable filters, 1991, 10.1109/34.93808.

    Examples
    --------
    >>> import torch, edgekit as ek
    >>> layer = ek.nn.Oriented(angle=30.0)
    >>> layer(torch.rand(2, 3, 8, 8)).mean().backward()
    >>> layer.angle.grad.shape, list(layer.state_dict())
    (torch.Size([]), ['angle'])
    """

    angle: torch.Tensor

    def __init__(
        self,
        angle: float | torch.Tensor = 30.0,
        *,
        operator: str = "sobel",
        learnable: bool = True,
        size: int | None = None,
        sigma: float | None = None,
        angle_of: AngleOf = "gradient",
        scale: Scale = "unit",
        spacing: Spacing = 1.0,
        border: Border = "reflect",
        channel: _Channel = "each",
        tone: Tone = "linear",
        channel_axis: ChannelAxis = "auto",
        nan: Nan = "ignore",
    ) -> None:
        check_choice("channel", channel, _CHANNELS)
        values = operator_parameters(operator, size=size, sigma=sigma)
        options: dict[str, Any] = {
            "angle_of": angle_of,
            "scale": scale,
            "spacing": spacing,
            "border": border,
            "channel": channel,
            "tone": tone,
            "nan": nan,
        }
        specification(find(operator), values, 0.0, options)
        super().__init__(operator=operator, learnable=learnable, **values, **options, channel_axis=channel_axis)
        self.operator, self.values, self.options, self.channel_axis = operator, values, options, channel_axis
        start = torch.as_tensor(angle)
        start = start.detach().clone().to(start.dtype if start.is_floating_point() else torch.get_default_dtype())
        if not bool(start.isfinite().all()):
            raise ParameterError("angles must be finite; found nan or inf among them")
        if learnable:
            self.angle = torch.nn.Parameter(start)
        else:
            self.register_buffer("angle", start)

    def extra_repr(self) -> str:
        degrees = f"{self.angle.item():g}" if self.angle.ndim == 0 else f"tensor of shape {tuple(self.angle.shape)}"
        return f"angle={degrees}, {super().extra_repr()}"

    def forward(self, image: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Filter (..., C, H, W) or (H, W); `mask` is True where the image is valid."""
        # As a number the angle would have to be copied from the device.
        angle = self.angle if self.angle.ndim else self.angle[None]
        return filter_image(
            image, self.operator, self.values, angle=angle, channel_axis=self.channel_axis, mask=mask,
            **self.options,
        )  # fmt: skip


@documented
class Filter(Module):
    """A kernel of your own that is learned. Each channel is correlated with it.

    Parameters
    ----------
    kernel : table of float, or Tensor
        Initial coefficients of shape (rows, columns), both odd.
    learnable : bool
        Whether the kernel is a parameter; otherwise it is a buffer.

    Attributes
    ----------
    kernel : Tensor
        The coefficients; they are correlated and not flipped.

    Raises
    ------
    KernelError
        If the kernel is not a table of finite numbers with odd sides, or all zero.
    ParameterError
        If an option has an invalid value.

    Examples
    --------
    >>> import torch, edgekit as ek
    >>> layer = ek.nn.Filter([[0, -1, 0], [-1, 5, -1], [0, -1, 0]])
    >>> layer(torch.rand(4, 4)).sum().backward()
    >>> layer.kernel.grad.shape
    torch.Size([3, 3])
    """

    kernel: torch.Tensor

    def __init__(
        self,
        kernel: Any,
        *,
        learnable: bool = True,
        border: Border = "reflect",
        channel: Channel = "each",
        tone: Tone = "linear",
        channel_axis: ChannelAxis = "auto",
        nan: Nan = "ignore",
    ) -> None:
        operator = own_operator(kernel)
        (checked,) = operator.kernels()
        options: dict[str, Any] = {"border": border, "channel": channel, "tone": tone, "nan": nan}
        super().__init__(learnable=learnable, **options, channel_axis=channel_axis)
        self.options, self.channel_axis = options, channel_axis
        specification(operator, {}, None, options)
        dtype = getattr(kernel, "dtype", None)
        floating = isinstance(dtype, torch.dtype) and dtype.is_floating_point
        start = torch.tensor(
            checked.coefficients,
            dtype=dtype if floating else torch.get_default_dtype(),
            device=kernel.device if isinstance(kernel, torch.Tensor) else None,
        )
        if learnable:
            self.kernel = torch.nn.Parameter(start)
        else:
            self.register_buffer("kernel", start)

    def extra_repr(self) -> str:
        return f"{'x'.join(map(str, self.kernel.shape))}, {super().extra_repr()}"

    def forward(self, image: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Filter (..., C, H, W) or (H, W); `mask` is True where the image is valid."""
        return filter_image(image, self.kernel, {}, channel_axis=self.channel_axis, mask=mask, **self.options)
