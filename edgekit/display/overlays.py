"""Draws edges in colour over their image. May import `filters` and what is below it."""

from numbers import Real
from typing import Any

import numpy as np

from edgekit.backends.interface import Array
from edgekit.common.choices import number_range, shown
from edgekit.display.rendering import to_display
from edgekit.display.value_range import range_of
from edgekit.errors import DtypeError, ParameterError, ShapeError
from edgekit.filters.inputs import check_image

#: Red, green, blue: a colour that is rare in photographs and visible on dark and bright regions.
OVERLAY_COLOUR = (0, 255, 200)


def overlay(
    image: Array,
    shown: Array,
    *,
    colour: tuple[int, int, int] = OVERLAY_COLOUR,
    in_range: tuple[float, float] | None = None,
) -> Array:
    """Draw rendered edges in colour over their image, as focus peaking does.

    Parameters
    ----------
    image : ndarray
        (H, W) or (H, W, C), colour in RGB order; any type.
    shown : ndarray of uint8
        (H, W) or (H, W, C): the opacity of the colour, as returned by `to_display`. Of several channels the largest
        value is used.
    colour : tuple of int
        Red, green, blue in [0, 255].
    in_range : (float, float), optional
        The values of the image that are shown black and white. Default: the range of the type for 8 bits, else the 0.1
        and 99.9 percentiles.

    Returns
    -------
    ndarray of uint8
        (H, W, 3).

    Raises
    ------
    ShapeError, DtypeError
        If `image` or `shown` is not a NumPy image, `shown` is not uint8, or the sizes differ.
    ParameterError
        If `colour` or `in_range` has an invalid value.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> ek.overlay(np.uint8([[100, 100]]), np.uint8([[0, 255]]), colour=(255, 0, 0)).tolist()
    [[[100, 100, 100], [255, 0, 0]]]
    """
    image, edges = (_in_numpy(array) for array in (image, shown))
    if image.shape[:2] != edges.shape[:2]:
        raise ShapeError(f"expected an image of the size of the edges, {edges.shape[:2]}; found {image.shape}")
    if edges.dtype != np.uint8:
        raise DtypeError(
            f"expected edges of type uint8 as second argument; found {edges.dtype}. "
            "Convert a mask by mask * np.uint8(255), a response by to_display"
        )
    _check_colour(colour)
    if in_range is not None:
        in_range = number_range("in_range", in_range)
    if image.dtype == np.uint8 and in_range is None:
        base = image
    else:
        low, high = range_of(image) if in_range is None else in_range
        # The values are halved, because the range itself may overflow.
        white = high / 2 - low / 2 or 1.0
        with np.errstate(all="ignore"):
            base = to_display(np.clip(image, low, high) * np.float64(0.5) - low / 2, white=white).image
    base = base[:, :, :3] if base.ndim == 3 and base.shape[2] >= 3 else base.reshape(*base.shape[:2], -1)[:, :, :1]
    strength = edges.reshape(*edges.shape[:2], -1).max(axis=2, keepdims=True).astype(np.float32) / 255
    drawn: Array = np.rint(base * (1 - strength) + np.array(colour, np.float32) * strength).astype(np.uint8)
    return drawn


def _check_colour(colour: Any) -> None:
    """Raise unless a colour is red, green and blue in [0, 255]."""
    parts = colour if isinstance(colour, tuple | list) or getattr(colour, "ndim", 0) == 1 else ()
    if len(parts) != 3 or not all(isinstance(part, Real) and 0 <= float(part) <= 255 for part in parts):
        raise ParameterError(f"colour={shown(colour)} must be three numbers (red, green, blue) from 0 to 255")


def _in_numpy(image: Any) -> Array:
    image, _ = check_image(image)
    if not isinstance(image, np.ndarray):
        raise DtypeError(
            "an overlay is drawn on NumPy arrays; found a tensor. Convert it to (rows, columns[, channels])"
        )
    return image
