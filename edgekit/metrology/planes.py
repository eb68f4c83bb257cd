"""The plane of an image that is measured. May import `filters` and what is below it."""

from typing import Any

import numpy as np

from edgekit.backends.choice import backend_of
from edgekit.backends.interface import Array
from edgekit.errors import ShapeError
from edgekit.filters.inputs import to_numpy_image
from edgekit.filters.luminance import luminance


def numpy_image(image: Any) -> Array:
    """Return an image in its backend's axis order as a NumPy image (H, W) or (H, W, C).

    Raises
    ------
    ShapeError
        If it is a batch.
    """
    backend = backend_of(image)
    if image.ndim > 3:
        if any(n != 1 for n in image.shape[:-3]):
            raise ShapeError(
                f"expected one image; found a batch of shape {tuple(image.shape)}. Measure each separately"
            )
        image = image.reshape(image.shape[-3:])
    return to_numpy_image(image, backend)


def single_plane(response: Any) -> Array:
    """Return a response to luminance as a NumPy plane (H, W)."""
    plane = numpy_image(response)
    return plane[..., 0] if plane.ndim == 3 else plane


def luminance_plane(image: Any) -> Array:
    """Return the luminance of an image as a NumPy plane of floats, contiguous in memory.

    Raises
    ------
    ShapeError
        If it is a batch, or its channels are neither gray nor red, green and blue.
    """
    array = numpy_image(image)
    channels = [array] if array.ndim == 2 else [array[:, :, n] for n in range(array.shape[2])]
    if len(channels) not in (1, 3, 4):
        raise ShapeError(f"luminance needs 1, 3 (RGB) or 4 (RGBA) channels; found shape {tuple(image.shape)}")
    work = np.float64 if array.dtype.itemsize > 2 else np.float32
    planes = [np.ascontiguousarray(channel, work) for channel in channels[:3]]
    return planes[0] if len(planes) == 1 else luminance(planes)
