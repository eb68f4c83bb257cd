"""The planes of luminance that focus measures are computed from.

May import `filters` and what is below it.
"""

import math
from typing import Any

from edgekit.backends.choice import backend_of
from edgekit.backends.interface import Array
from edgekit.errors import ShapeError
from edgekit.filters.inputs import broadcast_mask, check_integers
from edgekit.filters.luminance import luminance


def planes_of(image: Array) -> Array:
    """Return luminance as (..., rows, columns) of a floating type."""
    backend = backend_of(image)
    layout, work = backend.image_layout(image), measured_type(image)
    check_integers(image)
    if layout.channels is None:
        return backend.cast(image, work)
    if layout.channels not in (1, 3, 4):
        raise ShapeError(f"sharpness needs 1, 3 (RGB) or 4 (RGBA) channels; found {layout.channels}")
    planes = [
        backend.cast(image[..., i] if layout.channel_axis == -1 else image[..., i, :, :], work)
        for i in range(min(layout.channels, 3))
    ]
    return planes[0] if len(planes) == 1 else luminance(planes)


def measured_type(image: Array) -> Any:
    """Return the floating type in which an image is measured: double for integers, at least single for floats."""
    backend = backend_of(image)
    types = backend.array_types(image, wide=backend.name == "cv2")
    return types.work if types.floating else backend.xp.float64


def mask_of(mask: Any, image: Array) -> Array | None:
    """Return a mask that broadcasts against the planes of an image."""
    if mask is None:
        return None
    layout = backend_of(image).image_layout(image)
    whole = broadcast_mask(mask, image, layout)
    if layout.channels is None:
        return whole
    return whole.all(-1) if layout.channel_axis == -1 else whole.all(-3)


def invalid_as_nan(planes: Array, mask: Array | None) -> Array:
    """Return planes with NaN in the place of pixels that are masked or not finite."""
    xp = backend_of(planes).xp
    valid = xp.isfinite(planes)
    return xp.where(valid if mask is None else valid & mask, planes, math.nan)


def scaling(largest: Array, planes: Array) -> Array:
    """Return the power of two that planes must be divided by, so that no power of their levels overflows or underflows.

    Parameters
    ----------
    largest : float or Tensor
        The largest absolute value of each plane.
    planes : ndarray or Tensor
        An array of the type of the planes.
    """
    backend = backend_of(planes)
    exponent = backend.xp.frexp(largest)[1]
    end = backend.array_types(planes).exponent
    # The division is exact. Most images do not need it.
    needed = (largest > 0) & (abs(exponent) >= end // 8)
    return backend.xp.where(needed, exponent, 0).clip(-end * 3 // 4, end * 3 // 4)
