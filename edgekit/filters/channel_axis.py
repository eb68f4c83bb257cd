"""Which axis of a caller's array holds the channels. May import arrays, backends and what is below them.

The backends compute in one layout each: NumPy arrays (H, W) or (H, W, C), tensors (..., C, H, W) or (H, W). A public
function brings its image into that layout with `take`, and its result back with `Layout.leave`.
"""

import math
from operator import index
from typing import Any, Literal, NamedTuple

from edgekit.backends.choice import backend_of
from edgekit.backends.interface import Array, Result
from edgekit.common.arrays import as_array
from edgekit.errors import DtypeError, ParameterError, ShapeError

#: The position of the channel axis, None for no channels, or "auto" for the position that is usual for the array.
ChannelAxis = int | Literal["auto"] | None

AUTO: ChannelAxis = "auto"

#: The last axis of a NumPy array, the third from the end of a tensor.
USUAL = {"cv2": -1, "torch": -3}

#: From this number on, double precision does not hold every integer.
WHOLE = 2.0**53

#: More channels than this are unusual. An array with more, and with 3 or 4 entries on the axis where the other library
#: expects channels, is taken to be in the layout of that library.
MOST_CHANNELS = 4


class Layout(NamedTuple):
    """The position of the channel axis: as the caller has it, and as the backend needs it; counted from the end.

    Attributes
    ----------
    given : int or None
        None where the caller's array has no channel axis.
    usual : int
        Where the backend expects it.
    axes : int
        Number of axes of the caller's image.
    """

    given: int | None
    usual: int
    axes: int

    def enter(self, image: Array) -> Array:
        """Bring an image of the caller's layout into the backend's."""
        if self.given == self.usual:
            return image
        xp = backend_of(image).xp
        if self.given is None:
            return image if self.usual == -1 else image[..., None, :, :]
        return xp.moveaxis(image, self.given, self.usual)

    def enter_mask(self, mask: Any) -> Any:
        """Bring a mask, of the image's axes or (H, W), into the backend's layout."""
        mask = None if mask is None else as_array(mask)
        if self.given == self.usual or getattr(mask, "ndim", 2) == 2:
            return mask
        if mask.ndim != self.axes:
            raise ShapeError(
                f"with channel_axis={self.given} a mask has the image's {self.axes} axes, or 2 (rows, columns); "
                f"found shape {tuple(mask.shape)}"
            )
        return self.enter(mask)

    def enter_values(self, values: Any, *, reduced: bool) -> Any:
        """Bring numbers that broadcast against the caller's response, such as angles, into the backend's layout.

        Parameters
        ----------
        reduced : bool
            Whether the response has one channel, or none, instead of the image's.
        """
        if self.given == self.usual or not getattr(values, "ndim", 0) or (reduced and self.usual == -1):
            return values
        missing = max(self.axes - values.ndim, 0)
        return self.enter(values.reshape((1,) * missing + tuple(values.shape)))

    def leave(self, response: Array, *, stacked: bool = False) -> Array:
        """Bring a response into the caller's layout.

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


def take(image: Any, channel_axis: ChannelAxis = AUTO) -> tuple[Array, Layout]:
    """Check an image that a caller gave, and bring it into the backend's layout.

    Parameters
    ----------
    image : array
        See `edgekit.common.arrays.as_array`.
    channel_axis : int, None or "auto"
        Where the channels are. ``auto``: the last axis of a 3-D NumPy array, the third from the end of a tensor.

    Raises
    ------
    DtypeError, ShapeError
        If the array is not an image, its shape says that another axis holds the channels, or its integers are too
        large to be computed with.
    ParameterError
        If `channel_axis` has a value that it cannot take.
    """
    image, layout = _in_usual_layout(image, channel_axis)
    backend = backend_of(image)
    backend.frame(image)
    backend.dtypes(image, wide=False)
    check_exact(image)
    return image, layout


def _in_usual_layout(image: Any, channel_axis: ChannelAxis) -> tuple[Array, Layout]:
    """Return an image in the backend's layout, not checked but for its channel axis."""
    image = as_array(image)
    usual = USUAL[backend_of(image).name]
    if channel_axis == "auto":
        if image.ndim > 2:
            _check_usual(tuple(image.shape), usual)
        return image, Layout(usual, usual, image.ndim)
    layout = Layout(_from_end(channel_axis, tuple(image.shape), usual), usual, image.ndim)
    return layout.enter(image), layout


def filtered(
    function: Any, image: Any, *what: Any, channel_axis: ChannelAxis = AUTO, stacked: bool = False, **options: Any
) -> Array:
    """Filter an image in the backend's layout, and bring the response into the caller's.

    Parameters
    ----------
    function : callable
        Takes the image, `what` and `options`; gives a response.
    stacked : bool
        Whether the response has a new first axis.
    """
    # The filter itself checks shape and type.
    image, layout = _in_usual_layout(image, channel_axis)
    if options.get("mask") is not None:
        options["mask"] = layout.enter_mask(options["mask"])
    if layout.given == layout.usual:
        return function(image, *what, **options)
    out, reduced = options.pop("out", None), options.get("channel", "each") != "each"
    if "angle" in options:
        options["angle"] = layout.enter_values(options["angle"], reduced=reduced)
    return fill(out, layout.leave(function(image, *what, **options), stacked=stacked))


def check_exact(image: Array) -> None:
    """Raise if integers of an image are too large for double precision, in which wide integers are computed.

    Where tensors are not on the processor, or are traced, nothing is checked: the check would wait for the device.

    Raises
    ------
    DtypeError
        If a pixel's absolute value is 2^53 or more.
    """
    backend = backend_of(image)
    if not WHOLE <= backend.limits(image)[1] < math.inf:
        return
    largest, _ = backend.extent(backend.cast(image, backend.xp.float64))
    if largest >= WHOLE:
        raise DtypeError(
            f"expected integers below 2^53 (9.0e15), which double precision holds exactly; found {largest:.4g}. "
            "Subtract an offset first, or convert the image to float64 and accept the rounding"
        )


def fill(out: Any, response: Array) -> Array:
    """Copy a response into `out`, if there is one, and return what the caller asked for."""
    if out is None:
        return response
    if backend_of(out) is not backend_of(response):
        raise DtypeError(f"out must be an array of the image's kind; found {type(out).__name__}")
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
                "To filter each plane of a stack by itself, pass channel_axis=0"
            )
        return None
    if isinstance(channel_axis, bool) or not hasattr(channel_axis, "__index__"):
        raise ParameterError(f'channel_axis={channel_axis!r} must be a whole number, None or "auto"')
    axis = index(channel_axis)
    if axes < 3 or not -axes <= axis < axes:
        raise ShapeError(f"channel_axis={axis} needs an image with such an axis beside rows and columns; found {shape}")
    return axis - axes if axis >= 0 else axis


def _check_usual(shape: tuple[int, ...], usual: int) -> None:
    """Raise if a shape of three axes or more tells that the channels are where the other library has them."""
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
