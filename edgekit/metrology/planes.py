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


def luminance_plane(image: Any) -> tuple[Array, bool]:
    """Return the luminance of an image as a NumPy plane of floats, and whether its pixels are integers.

    Raises
    ------
    ShapeError
        If it is a batch, or its channels are neither gray nor red, green and blue.
    """
    array = numpy_image(image)
    integers = array.dtype.kind in "biu"
    floats = array.astype(np.float64 if array.dtype.itemsize > 2 else np.float32)
    if floats.ndim == 2:
        return floats, integers
    if floats.shape[2] == 1:
        return np.ascontiguousarray(floats[:, :, 0]), integers
    if floats.shape[2] not in (3, 4):
        raise ShapeError(f"luminance needs 1, 3 (RGB) or 4 (RGBA) channels; found shape {tuple(image.shape)}")
    return luminance([floats[:, :, n] for n in range(3)]), integers
