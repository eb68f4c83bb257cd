"""Thresholding of gray levels, and outlines of masks. May import `filters` and what is below it."""

from functools import partial
from typing import Literal, get_args

import numpy as np

from edgekit.backends.choice import backend_of
from edgekit.backends.interface import Array
from edgekit.common.choices import check_choice, did_you_mean, shown
from edgekit.common.types import ChannelAxis, ImageT
from edgekit.edges.thinning import by_numpy_plane, by_plane, shifted
from edgekit.errors import DtypeError, ParameterError
from edgekit.filters.apply import apply
from edgekit.filters.inputs import check_image
from edgekit.operators.table import own_operator

#: Methods that compute the threshold.
Method = Literal["otsu", "li", "triangle", "adaptive"]
METHODS = get_args(Method)

#: Largest neighbourhood of the adaptive threshold, in pixels along a side.
LARGEST = 10_000

#: Conversions from colour to gray levels.
Channels = Literal["luminance", "each", "max"]
CHANNELS = get_args(Channels)


def threshold(
    image: ImageT,
    method: Method | float = "otsu",
    *,
    channel: Channels = "luminance",
    size: int = 35,
    channel_axis: ChannelAxis = "auto",
) -> ImageT:
    """Return a mask of the pixels above a threshold.

    Parameters
    ----------
    image : ndarray or Tensor
        As for `edgekit.sobel`.
    method : {"otsu", "li", "triangle", "adaptive"} or float
        The threshold in gray levels, or the method that computes it for each plane. ``otsu``: largest variance between
        the classes. ``li``: least cross entropy. ``triangle``: the point of the histogram that is farthest from the
        line between its peak and its farther end. ``adaptive``: the Gaussian-weighted mean around each pixel.
    channel : {"luminance", "each", "max"}
        The gray levels of colour images.
    size : int
        Size of the neighbourhood for ``"adaptive"``: odd, in pixels along a side.
    channel_axis : int, None or "auto"
        The axis of the channels, as for `edgekit.sobel`.

    Returns
    -------
    ndarray or Tensor of bool
        True where the image is above the threshold. False where it is not finite, and everywhere in an image with a
        single gray level.

    Raises
    ------
    ParameterError
        If an option has an invalid value.
    ShapeError, DtypeError
        If the image does not fit.

    References
    ----------
    Otsu 1979, 10.1109/TSMC.1979.4310076; Li and Tam 1998, 10.1016/S0167-8655(98)00057-9; Zack, Rogers
    and Latt 1977, 10.1177/25.7.70454. Thresholds of whole images are computed by `skimage.filters`.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> ek.threshold(np.uint8([[10, 12, 200, 210]]))
    array([[False, False,  True,  True]])
    """
    method = method.item() if isinstance(method, np.number) else method
    named = isinstance(method, str) and method in METHODS
    if isinstance(method, bool) or not (named or isinstance(method, int | float)):
        known = ", ".join(METHODS)
        raise ParameterError(
            f"method={shown(method)} must be a number or one of {known}.{did_you_mean(method, METHODS)}"
        )
    if isinstance(size, bool) or not isinstance(size, int) or not 3 <= size < LARGEST or size % 2 == 0:
        raise ParameterError(f"size={shown(size)} must be an odd number of pixels, from 3 to {LARGEST}")
    if method != method:
        raise ParameterError("method=nan is not a threshold; pass a number or the name of a method")
    check_choice("channel", channel, CHANNELS)
    pixels, order = check_image(image, channel_axis)
    values = _levels(pixels, channel)
    if not isinstance(method, str):
        mask = values > method
    else:
        # Integers of up to 16 bits have a histogram with one bin for each gray level.
        integers = backend_of(pixels).array_types(pixels).high < 2**16
        mask = by_numpy_plane(partial(_above, method=method, size=size, integers=integers), values)
    result: ImageT = order.restore(mask)
    return result


def _levels(image: Array, channel: str) -> Array:
    """Return the gray levels that are compared with the threshold."""
    backend = backend_of(image)
    work = backend.array_types(image, wide=True).work
    channels = backend.image_layout(image).channels
    # A kernel of one coefficient combines the channels and does not change the gray levels.
    return apply(backend.cast(image, work), own_operator([[1.0]]), {}, channel=channel if channels else "each")


def why_no_mask(image: Array, method: str | float = "otsu", *, channel: str = "luminance", size: int = 35) -> str:
    """Return the reason why `threshold` with the same options selects no pixel of this image."""
    values = _levels(image, channel)
    known = values[backend_of(values).xp.isfinite(values)]
    if 0 in known.shape:
        return "no pixel is finite"
    found = f"the gray levels of the image are {float(known.min()):g} to {float(known.max()):g}"
    limit = f"the threshold found by {method}" if isinstance(method, str) else f"method={method:g}"
    return f"no pixel is above {limit}; {found}"


def _above(plane: Array, method: str, size: int, integers: bool) -> Array:
    """Return where a NumPy plane is above its threshold."""
    from scipy import ndimage
    from skimage import filters

    finite = np.isfinite(plane)
    known = plane[finite]
    if not known.size or known.min() == known.max():
        return np.zeros(plane.shape, bool)
    if integers:
        levels = np.rint(plane).astype(np.int64)
    else:
        # In [0, 1], where no histogram or entropy overflows. Halves: the range may overflow.
        least = known.min() / 2
        levels = np.where(finite, (plane / 2 - least) / (known.max() / 2 - least), 0)
    if method == "adaptive":
        sigma = (size - 1) / 6
        mean = ndimage.gaussian_filter(levels.astype(float), sigma)
        if not finite.all():
            mean /= np.maximum(ndimage.gaussian_filter(finite.astype(float), sigma), 1e-9)
        return finite & (levels > mean)
    return finite & (levels > getattr(filters, f"threshold_{method}")(levels[finite]))


def outline(mask: ImageT, *, channel_axis: ChannelAxis = "auto") -> ImageT:
    """Return the outline of a mask: its pixels with one of four neighbours outside the mask.

    Parameters
    ----------
    mask : ndarray or Tensor of bool
        In the layout of an image.
    channel_axis : int, None or "auto"
        The axis of the channels, as for `edgekit.sobel`; each channel has its own outline.

    Returns
    -------
    ndarray or Tensor of bool
        Of the same shape. The border of the image is not part of the outline.

    Raises
    ------
    ShapeError, DtypeError
        If the mask does not fit.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> disc = np.zeros((5, 5), bool)
    >>> disc[1:4, 1:4] = True
    >>> ek.outline(disc).astype(int)
    array([[0, 0, 0, 0, 0],
           [0, 1, 1, 1, 0],
           [0, 1, 0, 1, 0],
           [0, 1, 1, 1, 0],
           [0, 0, 0, 0, 0]])
    """
    pixels, order = check_image(mask, channel_axis)
    backend = backend_of(pixels)
    if str(pixels.dtype).removeprefix("torch.") != "bool":
        raise DtypeError(f"expected a mask of type bool; found {pixels.dtype}. Make one with threshold")

    def edge(planes: Array) -> Array:
        layout = backend.image_layout(planes)
        padded = backend.pad(planes, layout, 0, layout.rows, (1, 1, 1, 1), "edge", planes.dtype, 0)
        inside = planes
        for down, right in ((-1, 0), (1, 0), (0, -1), (0, 1)):
            inside = inside & shifted(padded, down, right)
        kept: Array = planes & ~inside
        return kept

    result: ImageT = order.restore(by_plane(edge, pixels))
    return result
