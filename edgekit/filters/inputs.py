"""Checks the images and masks of a caller and brings them into the backend's axis order.

May import `backends` and what is below it.

Each backend computes in one axis order: NumPy arrays (H, W) or (H, W, C), tensors (..., C, H, W) or (H, W). Public
functions bring an image into this order by `as_image` or `check_image`, and a response back by `AxisOrder.restore`.
"""

import math
from operator import index
from typing import Any, NamedTuple

import numpy as np

from edgekit.backends.choice import backend_of, is_same_kind
from edgekit.backends.interface import Array, Backend, ImageLayout, Result
from edgekit.common.arrays import as_array
from edgekit.common.choices import shown
from edgekit.common.types import ChannelAxis
from edgekit.errors import DtypeError, ParameterError, ShapeError

#: Double precision does not hold every integer from this one on.
INTEGERS_END = 2.0**53

#: The step between neighbouring gray levels of floating images in [0, 1]: that of 8 bits. Integers have a step of 1.
FLOAT_LEVEL = 1 / 255

#: More channels than this are unusual. An array with more of them, and with 3 or 4 entries on the axis where the other
#: library has channels, is taken for an image in the other library's order.
MOST_CHANNELS = 4


class AxisOrder(NamedTuple):
    """The position of the channel axis, counted from the end.

    Attributes
    ----------
    given : int or None
        In the caller's image; None where it has no channel axis.
    usual : int
        In the backend's images.
    axes : int
        Number of axes of the caller's image.
    """

    given: int | None
    usual: int
    axes: int

    def apply(self, image: Array) -> Array:
        """Bring an image of the caller's order into the backend's."""
        if self.given == self.usual:
            return image
        if self.given is None:
            return image if self.usual == -1 else image[..., None, :, :]
        return backend_of(image).xp.moveaxis(image, self.given, self.usual)

    def apply_to_mask(self, mask: Any) -> Any:
        """Bring a mask, of the image's axes or (H, W), into the backend's order."""
        mask = None if mask is None else as_array(mask)
        if self.given == self.usual or getattr(mask, "ndim", 2) == 2:
            return mask
        if mask.ndim != self.axes:
            raise ShapeError(
                f"with channel_axis={self.given} a mask has the image's {self.axes} axes, or 2 (rows, columns); "
                f"found shape {tuple(mask.shape)}"
            )
        return self.apply(mask)

    def apply_to_values(self, values: Any, *, reduced: bool) -> Any:
        """Bring numbers that broadcast against the caller's response, such as angles, into the backend's order.

        Parameters
        ----------
        reduced : bool
            Whether the channels of the response are combined.
        """
        if self.given == self.usual or not getattr(values, "ndim", 0) or (reduced and self.usual == -1):
            return values
        missing = max(self.axes - values.ndim, 0)
        return self.apply(values.reshape((1,) * missing + tuple(values.shape)))

    def restore(self, response: Array, *, stacked: bool = False) -> Array:
        """Bring a response into the caller's order.

        Parameters
        ----------
        stacked : bool
            Whether the response has a new first axis, which stays first.
        """
        reduced = self.usual == -1 and response.ndim - stacked == 2
        if self.given == self.usual or reduced:
            return response
        if self.given is None:
            return response[..., 0, :, :]
        return backend_of(response).xp.moveaxis(response, self.usual, self.given)


def as_image(image: Any, channel_axis: ChannelAxis = "auto") -> tuple[Array, AxisOrder]:
    """Return an image in the backend's axis order. Only its channel axis is checked.

    Parameters
    ----------
    image : array
        See `edgekit.common.arrays.as_array`.
    channel_axis : int, None or "auto"
        ``auto``: the last axis of a 3-D NumPy array, the third from the end of a tensor.

    Raises
    ------
    DtypeError, ShapeError
        If the object is not an array, or its shape tells that another axis holds the channels.
    ParameterError
        If `channel_axis` has an invalid value.
    """
    if type(image) is not np.ndarray:
        image = as_array(image)
    usual = -1 if isinstance(image, np.ndarray) else -3
    if isinstance(channel_axis, str) and channel_axis == "auto":
        if image.ndim > 2:
            _check_usual(tuple(image.shape), usual)
        return image, AxisOrder(usual, usual, image.ndim)
    order = AxisOrder(_from_end(channel_axis, tuple(image.shape), usual), usual, image.ndim)
    return order.apply(image), order


def check_image(image: Any, channel_axis: ChannelAxis = "auto") -> tuple[Array, AxisOrder]:
    """Check an image and return it in the backend's axis order; see `as_image`.

    Raises
    ------
    DtypeError, ShapeError
        If the array is not an image, or its integers are too large.
    """
    image, order = as_image(image, channel_axis)
    backend = backend_of(image)
    backend.image_layout(image)
    backend.array_types(image)
    check_integers(image)
    return image, order


def level(image: Array) -> float:
    """Return the step between neighbouring gray levels of an image."""
    return FLOAT_LEVEL if backend_of(image).array_types(image).floating else 1.0


def check_integers(image: Array) -> None:
    """Raise if integers of an image are too large for double precision, in which wide integers are filtered.

    Nothing is checked where the values of tensors are not known: on a GPU, and in traced code.

    Raises
    ------
    DtypeError
        If a pixel's absolute value is 2^53 or more.
    """
    backend = backend_of(image)
    if not INTEGERS_END <= backend.array_types(image).high < math.inf:
        return
    known = backend.extent(backend.cast(image, backend.xp.float64))
    if known is not None and (largest := known[0]) >= INTEGERS_END:
        raise DtypeError(
            f"expected integers below 2^53 (9.0e15), which double precision holds exactly; found {largest:.4g}. "
            "Subtract an offset first, or convert the image to float64 and accept the rounding"
        )


def broadcast_mask(mask: Array, image: Array, layout: ImageLayout) -> Array:
    """Check a mask and broadcast it to its image.

    Raises
    ------
    DtypeError, ShapeError
        If it is not an array of bool of the image's kind, or does not fit the image.
    """
    backend, found = backend_of(image), type(mask).__name__
    if not is_same_kind(mask, image) or str(mask.dtype).removeprefix("torch.") != "bool":
        found = f"{found} of type {mask.dtype}" if hasattr(mask, "dtype") else found
        wanted = "tensor" if backend.name == "torch" else "NumPy array"
        raise DtypeError(f"expected a mask that is a {wanted} of bool, True where the image is valid; found {found}")
    if getattr(mask, "device", None) != getattr(image, "device", None):
        raise DtypeError(f"the image is on {image.device} and its mask on {mask.device}; move one")
    shape, expected = tuple(mask.shape), (layout.rows, layout.columns)
    if shape == expected and layout.channel_axis == -1 and layout.channels is not None:
        mask = mask[..., None]
    spatial = tuple(mask.shape)[-2:] if layout.channel_axis == -3 else tuple(mask.shape)[:2]
    try:
        if spatial != expected:
            raise ValueError
        return backend.xp.broadcast_to(mask, tuple(image.shape))
    except (ValueError, RuntimeError):
        raise ShapeError(
            f"expected a mask of shape {expected}, or one that broadcasts to the image's shape {tuple(image.shape)}; "
            f"found {shape}"
        ) from None


def from_numpy_image(image: Array, backend: Backend, device: str | None) -> Array:
    """Return a NumPy image (H, W) or (H, W, C) as an image of a backend, on `device`."""
    channels = backend.name == "torch" and image.ndim == 3
    return backend.from_numpy(np.moveaxis(image, -1, 0) if channels else image, device)


def to_numpy_image(image: Array, backend: Backend) -> Array:
    """Return an image of a backend, without batch axes, as a NumPy image (H, W) or (H, W, C).

    A single channel of a tensor has no axis in NumPy's layout.
    """
    array = backend.to_numpy(image)
    if backend.name != "torch" or array.ndim == 2:
        return array
    return array[0] if len(array) == 1 else np.moveaxis(array, 0, -1)


def fill(out: Any, response: Array) -> Array:
    """Copy a response into `out`, if it is given, and return the array that the caller asked for."""
    if out is None:
        return response
    if not is_same_kind(out, response):
        kind = "NumPy array" if isinstance(response, np.ndarray) else "torch tensor"
        raise DtypeError(f"out must be a {kind}, as the image is; found {type(out).__name__}")
    Result(tuple(response.shape), response.dtype, 0, out).check_out()
    out[...] = response
    return out


def _from_end(channel_axis: Any, shape: tuple[int, ...], usual: int) -> int | None:
    """Return a channel axis that was given, counted from the end."""
    axes = len(shape)
    if channel_axis is None:
        if usual == -1 and axes != 2:
            raise ShapeError(
                f"channel_axis=None means an image without channels, of shape (rows, columns); found {shape}. "
                "To filter each plane of a stack separately, pass channel_axis=0"
            )
        return None
    try:
        if isinstance(channel_axis, bool):
            raise TypeError
        axis = index(channel_axis)
    except TypeError:
        raise ParameterError(f'channel_axis={shown(channel_axis)} must be an integer, None or "auto"') from None
    if axes < 3 or not -axes <= axis < axes:
        raise ShapeError(f"channel_axis={axis} needs an image with such an axis beside rows and columns; found {shape}")
    return axis - axes if axis >= 0 else axis


def _check_usual(shape: tuple[int, ...], usual: int) -> None:
    """Raise if a shape tells that the channels are where the other library has them."""
    if usual == -1 and len(shape) != 3:
        return
    *leading, first, middle, last = shape
    channels, other = (last, first) if usual == -1 else (first, last)
    sides = (middle, last) if usual == -1 else (first, middle)
    if other not in (3, 4) or channels <= MOST_CHANNELS or min(sides) <= MOST_CHANNELS:
        return
    batch = "..., " if leading else ""
    orders = f"({batch}rows, columns, channels)", f"({batch}channels, rows, columns)"
    here, there = orders if usual == -1 else orders[::-1]
    kind, axis = ("NumPy array", 0) if usual == -1 else ("tensor", -1)
    raise ShapeError(
        f"expected a {kind} of shape {here}; found {shape}, which looks like {there}. "
        f"Pass channel_axis={axis} if it is, or channel_axis={usual} if the axes are in the expected order"
    )
