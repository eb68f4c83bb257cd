"""Losses: gradients that should be alike, and images that should be sharp."""

from typing import Any

import torch

from edgekit.common.names import unknown
from edgekit.errors import DtypeError, ParameterError, ShapeError
from edgekit.filters.apply import apply, apply_vector
from edgekit.filters.channel_axis import AUTO, ChannelAxis, filtered, take
from edgekit.nn.modules import GradientMagnitude, Module, Sharpness
from edgekit.operators.table import find

REDUCTIONS = ("mean", "sum", "none")


class GradientLoss(Module):
    """How far the gradient of an image is from that of its target.

    At each pixel and channel ``|Δgx|**norm + |Δgy|**norm``, or ``|Δm|**norm`` of the magnitudes.

    Parameters
    ----------
    operator : str
        sobel, scharr, prewitt, roberts, central, farid or gaussian.
    of : {"components", "magnitude"}
        What is compared; the magnitude does not mind which side is brighter.
    norm : float
        1 or more.
    reduction : {"mean", "sum", "none"}
        Over pixels, channels and batch.
    **options
        The operator's own parameters, and ``scale``, ``border``, ``channel``, ``channel_axis`` and ``tone``.

    Raises
    ------
    ParameterError
        If an option has a value it cannot take.
    ShapeError, DtypeError
        When the images come: of two shapes, of two devices, an empty batch, an image of integers.

    References
    ----------
    Mathieu, Couprie, LeCun, Deep multi-scale video prediction beyond mean square error, 2016, arXiv:1511.05440.

    Examples
    --------
    >>> import torch, edgekit as ek
    >>> loss = ek.nn.GradientLoss()
    >>> image = torch.rand(2, 3, 8, 8)
    >>> float(loss(image + 0.25, image)) < 1e-6             # brightness does not count
    True
    """

    def __init__(
        self, operator: str = "sobel", *, of: str = "components", norm: float = 1, reduction: str = "mean",
        **options: Any,
    ) -> None:  # fmt: skip
        super().__init__(operator=operator, of=of, norm=norm, reduction=reduction, **options)
        if of not in ("components", "magnitude"):
            raise ParameterError(unknown("of", of, ("components", "magnitude")))
        if not norm >= 1:
            raise ParameterError(f"norm={norm!r} must be at least 1")
        if reduction not in REDUCTIONS:
            raise ParameterError(unknown("reduction", reduction, REDUCTIONS))
        GradientMagnitude(operator, **options)
        self.taken = {k: options.pop(k) for k in find(operator).parameters if k in options}
        self.operator, self.of, self.norm, self.reduction, self.options = operator, of, norm, reduction, options

    def forward(self, image: torch.Tensor, target: torch.Tensor, *, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Compare two images of one shape; where a masked pixel is touched nothing is compared."""
        _check(image, target, self.options.get("channel_axis", AUTO))
        vector = self.of == "components"
        what = (self.operator, self.taken)
        found, wanted = (
            filtered(apply_vector if vector else apply, i, *what, stacked=vector, mask=mask, **self.options)
            for i in (image, target)
        )
        if self.of != "components":
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


class SharpnessLoss(Module):
    """What falls as an image gets sharper: minus a focus measure, averaged over the batch.

    With a reference it is minus the ratio of both measures: -1 where the image is as sharp as the reference, whatever
    the measure's unit. It has no lower bound: hold the image to its input by another loss.

    Parameters
    ----------
    measure : str
        A name in `edgekit.MEASURES`.
    channel_axis : int or None
        Which axis of the images holds the channels, as for `edgekit.sobel`.

    Raises
    ------
    ParameterError
        If there is no such measure.
    ShapeError, DtypeError
        When the images come: of two devices, an empty batch, an image of integers.

    Examples
    --------
    >>> import torch, edgekit as ek
    >>> image = torch.rand(2, 1, 16, 16)
    >>> float(ek.nn.SharpnessLoss("tenengrad")(image, image))
    -1.0
    """

    def __init__(self, measure: str = "laplacian_variance", *, channel_axis: ChannelAxis = AUTO) -> None:
        super().__init__(measure=measure)
        self.sharpness = Sharpness(measure, channel_axis=channel_axis)

    def forward(self, image: torch.Tensor, reference: torch.Tensor | None = None) -> torch.Tensor:
        """Judge (..., C, H, W) or (H, W)."""
        _check(image, image if reference is None else reference, self.sharpness.channel_axis)
        value: torch.Tensor = self.sharpness(image)
        if reference is not None:
            value = value / self.sharpness(reference)
        return -value.mean()


def _check(image: torch.Tensor, other: torch.Tensor, channel_axis: ChannelAxis) -> None:
    """Raise unless a loss of the two can be taken, and a gradient can reach the first."""
    for name, tensor in (("image", image), ("other image", other)):
        if not isinstance(tensor, torch.Tensor):
            raise DtypeError(f"a loss takes tensors; the {name} is a {type(tensor).__name__}")
        take(tensor, channel_axis)
    if not image.is_floating_point():
        raise DtypeError(f"no gradient can reach an image of {image.dtype}; convert it first: image.float()")
    if image.device != other.device:
        raise DtypeError(f"one image is on {image.device} and the other on {other.device}; move one")
    if image.shape != other.shape:
        raise ShapeError(f"the images differ in shape: {tuple(image.shape)} and {tuple(other.shape)}")
    if 0 in image.shape:
        raise ShapeError(f"the batch is empty: its shape is {tuple(image.shape)}, and a loss over nothing has no value")
