"""Filters, focus measures and losses as torch modules.

A module is a function of `edgekit` with fixed options. It accepts any leading dimensions, keeps the device and the
floating type of its input, and has gradients with respect to the image and to learned parameters. Fixed kernels are not
buffers: they are exact in every type, and are created on the device of the image.

May import `focus` and what is below it.
"""

from edgekit.common.extras import install_command
from edgekit.errors import MissingExtraError

try:
    import torch  # noqa: F401 - tells whether it is installed
except ModuleNotFoundError as error:
    raise MissingExtraError(f"edgekit.nn needs torch: {install_command('torch')}") from error

from edgekit.nn.learned import Filter, Oriented
from edgekit.nn.losses import GradientLoss, SharpnessLoss
from edgekit.nn.modules import GradientMagnitude, Laplacian, Scharr, Sharpness, Sobel

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
