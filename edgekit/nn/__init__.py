"""Filters, sharpness and losses as torch modules. May import measures, dispatch and what is below them, and torch.

A module is a function of `edgekit` with its options fixed: any leading dimensions, the input's device and floating
type, gradients to the image and to what is learned. Fixed taps are no buffers: they are exact in every type, and
follow the image to its device by themselves.
"""

from edgekit.common.extras import install_command
from edgekit.errors import MissingExtraError

try:
    import torch  # noqa: F401 - only whether it is there
except ModuleNotFoundError as error:
    raise MissingExtraError(f"edgekit.nn needs torch: {install_command('torch')}") from error

from edgekit.nn.losses import GradientLoss, SharpnessLoss
from edgekit.nn.modules import Filter, GradientMagnitude, Laplacian, Oriented, Scharr, Sharpness, Sobel

__all__ = [
    "Filter",
    "GradientLoss",
    "GradientMagnitude",
    "Laplacian",
    "Oriented",
    "Scharr",
    "Sharpness",
    "SharpnessLoss",
    "Sobel",
]
