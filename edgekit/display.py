"""From responses to pictures, the one place where values are scaled, clipped and rounded.

May import dispatch and what is below it.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from edgekit.backends import Array, backend_of
from edgekit.dispatch import plan_for
from edgekit.errors import ParameterError, ShapeError
from edgekit.kernels import Operator, find
from edgekit.responses import level

MODES = ("full", "stretch", "signed")

#: Values mapped at a time.
STRIP = 2**17

#: An ideal step over 8 bits, seen by a three-tap derivative at unit scale.
WHITE = 127.5

#: Red, green, blue: rare in photographs, visible on dark and on bright ground.
OVERLAY_COLOUR = (0, 255, 200)


class Display(NamedTuple):
    """A picture of a response.

    Attributes
    ----------
    image : ndarray or Tensor
        uint8 or uint16, in the response's layout.
    clipped : int
        How many values lay beyond what the picture can show.
    """

    image: Array
    clipped: int


def to_display(response: Array, mode: str = "full", depth: int = 8, *, white: float = WHITE) -> Display:
    """Turn a response into 8 or 16 bits and count what was clipped.

    Parameters
    ----------
    response : ndarray or Tensor
        Any shape.
    mode : {"full", "stretch", "signed"}
        ``full``: the absolute response, 0 black and `white` white. ``stretch``: the same with the
        largest finite response white. ``signed``: 0 is mid-grey, `white` white, minus `white` black.
    depth : {8, 16}
        Bits of the result.
    white : float
        The response shown white, greater than 0. The default is what a three-tap derivative at
        unit scale reads on an ideal step from 0 to 255; `edgekit.white_level` works it out for
        other operators and images.

    Returns
    -------
    Display
        The picture and the number of clipped values. NaN is shown as 0 and not counted.

    Raises
    ------
    ParameterError
        If an option has a value it cannot take.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> ek.to_display(np.float32([-300, 0, 51, 127.5]))
    Display(image=array([255,   0, 102, 255], dtype=uint8), clipped=1)
    """
    if mode not in MODES:
        raise ParameterError(f"mode={mode!r} is not known; choose one of {', '.join(MODES)}")
    if depth not in (8, 16):
        raise ParameterError(f"depth={depth!r} must be 8 or 16 bits")
    if not 0 < white < float("inf"):
        raise ParameterError(f"white={white!r} must be positive and finite")
    backend = backend_of(response)
    xp = backend.xp
    top = 2**depth - 1
    middle = (top + 1) // 2 if mode == "signed" else 0
    flat = response.reshape(-1)
    # Runs that stay in cache: a large picture would otherwise wait for memory at every step.
    runs = [flat[i : i + STRIP] for i in range(0, flat.shape[0], STRIP)]
    if mode == "stretch":
        white = max((float(xp.where(xp.isfinite(r), xp.abs(r), 0).max()) for r in runs), default=0.0) or 1.0
    scale = (top - middle) / white
    clipped = 0
    shown = []
    for run in runs:
        values = backend.cast(run, xp.float64 if run.dtype == xp.float64 else xp.float32) * scale
        levels = xp.round(values if middle else xp.abs(values)) + middle
        clipped += ((levels > top) | (levels < (1 if middle else 0))).sum()
        levels = xp.clip(xp.where(xp.isnan(levels), middle, levels), 0, top)
        shown.append(backend.cast(levels, xp.uint8 if depth == 8 else xp.uint16))
    picture = xp.concatenate(shown) if shown else backend.cast(flat, xp.uint8 if depth == 8 else xp.uint16)
    return Display(picture.reshape(response.shape), int(clipped))


def white_level(
    image: Array, operator: str | Operator = "sobel", parameters: dict[str, Any] | None = None, **options: Any
) -> float:
    """Return the response that `to_display` should show white.

    It is that of an ideal step over the image's whole range across the operator's direction (across
    x or y where there is no direction). Integers range over their type, floating images over [0, 1]
    where they stay within it, else over the values they have.

    Parameters
    ----------
    image : ndarray or Tensor
        The operator's input.
    operator : str or Operator
        A row, or its name.
    parameters : dict, optional
        Values for the operator's own parameters.
    **options
        The options that the response was made with, such as ``angle`` and ``scale``.

    Returns
    -------
    float
        Greater than 0.

    Raises
    ------
    ParameterError
        If an option has a value it cannot take.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> ek.white_level(np.zeros((4, 4), np.uint8), "sobel")
    127.5
    """
    made = plan_for(operator if isinstance(operator, Operator) else find(operator), parameters or {}, **options)
    low, high = value_range(image)
    if made.tone == "log":
        low, high = (math.copysign(math.log1p(abs(v) * 2 / level(image)), v) for v in (low, high))
    return made.step * (high - low) or 1.0


def value_range(image: Array) -> tuple[float, float]:
    """Return the least and the largest value that the image can be said to have."""
    backend = backend_of(image)
    xp = backend.xp
    low, high = backend.limits(image)
    if high < math.inf:
        return low, high
    finite = image[xp.isfinite(image)]
    if 0 in finite.shape:
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    return (0.0, 1.0) if low >= 0 and high <= 1 else (low, high)


def overlay(image: Array, shown: Array, colour: tuple[int, int, int] = OVERLAY_COLOUR) -> Array:
    """Draw a picture of edges in colour over the image it was made of, as focus peaking does.

    Parameters
    ----------
    image : ndarray
        (H, W) or (H, W, C), RGB where it has colour; any type, its range is shown from black to white.
    shown : ndarray of uint8
        (H, W) or (H, W, C): how strongly to draw, as `to_display` gives it; of channels the strongest.
    colour : tuple of int
        Red, green, blue in [0, 255].

    Returns
    -------
    ndarray of uint8
        (H, W, 3).

    Raises
    ------
    ShapeError
        If the two do not have the same size.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> ek.overlay(np.uint8([[100, 100]]), np.uint8([[0, 255]]), colour=(255, 0, 0)).tolist()
    [[[100, 100, 100], [255, 0, 0]]]
    """
    if image.shape[:2] != shown.shape[:2]:
        raise ShapeError(f"expected an image of the edges' size {shown.shape[:2]}; found {image.shape}")
    low, high = value_range(image)
    base = image if image.dtype == np.uint8 else to_display(image - np.float64(low), white=high - low or 1.0).image
    base = base[:, :, :3] if base.ndim == 3 and base.shape[2] >= 3 else base.reshape(*base.shape[:2], -1)[:, :, :1]
    strength = shown.reshape(*shown.shape[:2], -1).max(axis=2, keepdims=True).astype(np.float32) / 255
    drawn: Array = np.rint(base * (1 - strength) + np.array(colour, np.float32) * strength).astype(np.uint8)
    return drawn
