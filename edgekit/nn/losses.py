"""Losses of gradients and of sharpness. May import `focus` and what is below it."""

from typing import Any, Literal

import torch

from edgekit.common.choices import check_choice, real_number
from edgekit.common.types import ChannelAxis
from edgekit.errors import DtypeError, ParameterError, ShapeError
from edgekit.filters.apply import filter_image, specification
from edgekit.filters.documentation import documented
from edgekit.filters.inputs import check_image
from edgekit.filters.vectors import operator_parameters
from edgekit.nn.modules import Module, Sharpness, gradient_operator
from edgekit.operators.borders import Border
from edgekit.operators.filter_spec import Channel, Scale, Tone
from edgekit.operators.spacing import Spacing
from edgekit.operators.table import find

REDUCTIONS = ("mean", "sum", "none")


@documented
class GradientLoss(Module):
    """The difference between the gradient of an image and that of its target.

    At each pixel and channel it is ``|Δgx|**norm + |Δgy|**norm``, or ``|Δm|**norm`` of the magnitudes.

    Parameters
    ----------
    operator : {"sobel", "scharr", "prewitt", "roberts", "central", "farid", "gaussian"}
        Name of the operator.
    of : {"components", "magnitude"}
        The compared quantity. The magnitude does not depend on which side of an edge is brighter.
    norm : float
        1 or more.
    reduction : {"mean", "sum", "none"}
        Over pixels, channels and batch.

    Raises
    ------
    ParameterError
        If an option has an invalid value.
    ShapeError, DtypeError
        When images are compared: if their shapes or devices differ, the batch is empty, or an image has integers.

    References
    ----------
    Mathieu, Couprie, LeCun, Deep multi-scale video prediction beyond mean square error, 2016, arXiv:1511.05440.

    Examples
    --------
    >>> import torch, edgekit as ek
    >>> loss = ek.nn.GradientLoss()
    >>> image = torch.rand(2, 3, 8, 8)
    >>> float(loss(image + 0.25, image)) < 1e-6             # brightness has no gradient
    True
    """

    def __init__(
        self,
        operator: str = "sobel",
        *,
        of: Literal["components", "magnitude"] = "components",
        norm: float = 1,
        reduction: Literal["mean", "sum", "none"] = "mean",
        size: int | None = None,
        sigma: float | None = None,
        scale: Scale = "unit",
        spacing: Spacing = 1.0,
        border: Border = "reflect",
        channel: Channel = "each",
        tone: Tone = "linear",
        channel_axis: ChannelAxis = "auto",
    ) -> None:
        gradient_operator(operator)
        values = operator_parameters(operator, size=size, sigma=sigma)
        options: dict[str, Any] = {
            "scale": scale, "spacing": spacing, "border": border, "channel": channel, "tone": tone,
        }  # fmt: skip
        specification(find(operator), values, None, options)
        super().__init__(
            operator=operator, of=of, norm=norm, reduction=reduction, **values, **options, channel_axis=channel_axis
        )
        check_choice("of", of, ("components", "magnitude"))
        if real_number("norm", norm, "at least 1") < 1:
            raise ParameterError(f"norm={norm!r} must be at least 1")
        check_choice("reduction", reduction, REDUCTIONS)
        self.operator, self.values, self.options, self.channel_axis = operator, values, options, channel_axis
        self.of, self.norm, self.reduction = of, norm, reduction

    def forward(self, image: torch.Tensor, target: torch.Tensor, *, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Compare two images of one shape, except where the kernel covers a masked pixel."""
        _check(image, target, self.channel_axis)
        vector = self.of == "components"
        found, wanted = (
            filter_image(
                i, self.operator, self.values, components=vector, channel_axis=self.channel_axis, mask=mask,
                **self.options,
            )
            for i in (image, target)
        )  # fmt: skip
        if not vector:
            found, wanted = found[None], wanted[None]
        difference = found - wanted
        known = None if mask is None else ~(found.isnan() | wanted.isnan())
        if known is not None:
            difference = torch.where(known, difference, 0)
        error: torch.Tensor = (difference.abs() if self.norm == 1 else difference.abs() ** self.norm).sum(0)
        if self.reduction == "none":
            return error
        count = error.numel() if known is None else known.any(0).sum()
        return error.sum() / (count if self.reduction == "mean" else 1)


@documented
class SharpnessLoss(Module):
    """Minus a focus measure, averaged over the batch: it decreases as an image gets sharper.

    With a reference it is minus the ratio of both measures: -1 for an image as sharp as the reference. It has no lower
    bound: combine it with a loss that keeps the image close to its input.

    Parameters
    ----------
    measure : str
        A name in `edgekit.MEASURES`.

    Raises
    ------
    ParameterError
        If there is no such measure.
    ShapeError, DtypeError
        When images are measured: if their devices differ, the batch is empty, or an image has integers.

    Examples
    --------
    >>> import torch, edgekit as ek
    >>> image = torch.rand(2, 1, 16, 16)
    >>> float(ek.nn.SharpnessLoss("tenengrad")(image, image))
    -1.0
    """

    def __init__(self, measure: str = "laplacian_variance", *, channel_axis: ChannelAxis = "auto") -> None:
        super().__init__(measure=measure)
        self.sharpness = Sharpness(measure, channel_axis=channel_axis)

    def forward(self, image: torch.Tensor, reference: torch.Tensor | None = None) -> torch.Tensor:
        """Measure (..., C, H, W) or (H, W)."""
        _check(image, image if reference is None else reference, self.sharpness.channel_axis)
        value: torch.Tensor = self.sharpness(image)
        if reference is not None:
            value = value / self.sharpness(reference)
        return -value.mean()


def _check(image: torch.Tensor, other: torch.Tensor, channel_axis: ChannelAxis) -> None:
    """Raise unless the two images can be compared, and the first can have a gradient."""
    for name, tensor in (("image", image), ("other image", other)):
        if not isinstance(tensor, torch.Tensor):
            raise DtypeError(f"a loss takes tensors; the {name} is a {type(tensor).__name__}")
        check_image(tensor, channel_axis)
    if not image.is_floating_point():
        raise DtypeError(f"no gradient can reach an image of {image.dtype}; convert it first: image.float()")
    if image.device != other.device:
        raise DtypeError(f"one image is on {image.device} and the other on {other.device}; move one")
    if image.shape != other.shape:
        raise ShapeError(f"the images differ in shape: {tuple(image.shape)} and {tuple(other.shape)}")
    if 0 in image.shape:
        raise ShapeError(f"the batch is empty: its shape is {tuple(image.shape)}, and a loss over nothing has no value")
