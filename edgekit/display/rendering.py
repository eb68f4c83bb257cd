"""From responses to pictures, the one place where values are scaled, clipped and rounded.

May import dispatch and what is below it.
"""

import math
import sys
from typing import Any, NamedTuple

import numpy as np

from edgekit.backends.choice import backend_of
from edgekit.backends.interface import Array, Backend, Frame, Result
from edgekit.common.arrays import as_array, plain_number
from edgekit.common.names import unknown
from edgekit.display.value_range import range_of
from edgekit.errors import DtypeError, ParameterError, ShapeError
from edgekit.filters.apply import apply, plan_for
from edgekit.filters.channel_axis import AUTO, ChannelAxis, filtered, take
from edgekit.filters.execute import Finish, level, respond
from edgekit.operators.kernels import sums_to_zero
from edgekit.operators.table import Operator, find

MODES = ("full", "stretch", "signed")

#: Values mapped at a time.
STRIP = 2**17

#: Up to this, and down to its inverse, a level is a factor that single precision holds.
MOST = 2.0**100

#: First derivatives at unit scale show white this fraction of the image's range per pixel.
GRADIENT_WHITE = 1 / 8

#: Other operators show white this fraction of their response to an ideal step over the image's range.
STEP_WHITE = 1 / 4

#: White for first derivatives of 8 bits: that of `cv2.convertScaleAbs` for `cv2.Sobel`, whose kernel sums to 8.
WHITE = 255 * GRADIENT_WHITE

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


def to_display(response: Array, mode: str = "full", *, depth: int = 8, white: float = WHITE) -> Display:
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
        The response shown white, greater than 0. The default, 255 / 8, is that of first derivatives
        of 8-bit images at unit scale; `edgekit.white_level` computes it for other operators and images.

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
    >>> ek.to_display(np.float32([-300, 0, 12.75, 31.875]))
    Display(image=array([255,   0, 102, 255], dtype=uint8), clipped=1)
    """
    white = plain_number(white)
    _check(mode, depth, white)
    response = as_array(response)
    backend = backend_of(response)
    backend.dtypes(response, wide=False)
    flat = response.reshape(-1)
    if mode == "stretch":
        white = largest(flat) or 1.0
    finish, clipped = _levels(backend, mode, depth, white)
    line = Frame(flat.shape[0], 1, None, (), channel_axis=-1)
    result = Result((line.rows,), finish.dtype, 0, None)
    shown = backend.assemble(
        lambda start, stop, into: finish.apply(flat[start:stop], into), line, line.rows, 0, result, ()
    )
    return Display(shown.reshape(response.shape), int(sum(clipped)))


def picture(
    image: Array,
    operator: str | Operator = "sobel",
    parameters: dict[str, Any] | None = None,
    *,
    mode: str = "full",
    depth: int = 8,
    white: float | None = None,
    channel_axis: ChannelAxis = AUTO,
    mask: Array | None = None,
    out: Array | None = None,
    **options: Any,
) -> Display:
    """Filter an image and turn the response into 8 or 16 bits, without keeping the response.

    It is what `to_display` makes of the response, in less memory and time.

    Parameters
    ----------
    image, operator, parameters, **options
        As for `white_level`.
    mode, depth
        As for `to_display`.
    white : float, optional
        The response shown white; that of `white_level` unless given. All images of a batch have the same.
    channel_axis, mask, out
        As for `edgekit.sobel`; `out` is of uint8 or uint16.

    Returns
    -------
    Display
        The picture and the number of clipped values.

    Raises
    ------
    ParameterError, ShapeError, DtypeError
        As for `edgekit.sobel` and `to_display`.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> ek.picture(np.uint8([[0, 0, 255, 255]]), "sobel").image
    array([[  0, 255, 255,   0]], dtype=uint8)
    """
    _one_direction(options)
    white = plain_number(white)
    row = operator if isinstance(operator, Operator) else find(operator)
    take(image, channel_axis)  # Checks the image before its range is asked for.
    counts: list[int] = []

    def show(image: Array, **given: Any) -> Array:
        shown = _picture(image, row, parameters or {}, mode=mode, depth=depth, white=white, **given)
        counts.append(shown.clipped)
        return shown.image

    return Display(filtered(show, image, channel_axis=channel_axis, mask=mask, out=out, **options), sum(counts))


def _picture(
    image: Array, row: Operator, parameters: dict[str, Any], *, mode: str, depth: int, white: float | None,
    mask: Array | None, out: Array | None = None, **options: Any,
) -> Display:  # fmt: skip
    if white is None:
        white = 1.0 if mode == "stretch" else _white(image, row, parameters, None, None, mask, options)
    _check(mode, depth, white)
    if mode == "stretch":
        shown = to_display(apply(image, row, parameters, mask=mask, **options), mode, depth=depth)
        if out is None:
            return shown
        result = Result(tuple(shown.image.shape), shown.image.dtype, 0, out)
        line = Frame(result.shape[0], math.prod(result.shape[1:]), None, (), channel_axis=-1)
        made = backend_of(image).assemble(lambda i, j, _: shown.image[i:j], line, line.rows, 0, result, ())
        return shown._replace(image=made)
    finish, clipped = _levels(backend_of(image), mode, depth, white)
    made = respond(image, plan_for(row, parameters, **options), mask, out, finish)
    return Display(made, int(sum(clipped)))


def _one_direction(options: dict[str, Any]) -> None:
    angle: Any = options.get("angle")
    if getattr(angle, "ndim", 0):
        raise ParameterError(
            f"a picture shows one direction; found angles of shape {tuple(angle.shape)}. "
            "Filter with them, and give the response to to_display"
        )


def _check(mode: str, depth: int, white: float) -> None:
    if mode not in MODES:
        raise ParameterError(unknown("mode", mode, MODES))
    if depth not in (8, 16):
        raise ParameterError(f"depth={depth!r} must be 8 or 16 bits")
    if not isinstance(white, int | float) or isinstance(white, bool) or not 0 < white < math.inf:
        raise ParameterError(f"white={white!r} must be positive and finite")


def _levels(backend: Backend, mode: str, depth: int, white: float) -> tuple[Finish, list[Any]]:
    """Return what turns responses into levels, and the list where it counts what it clipped."""
    top = 2**depth - 1
    middle = (top + 1) // 2 if mode == "signed" else 0
    dtype = backend.xp.uint8 if depth == 8 else backend.xp.uint16
    counts: list[Any] = []

    def show(response: Array, into: Array | None) -> Array:
        scale = (top - middle) / white
        if not 1 / MOST < white < MOST:
            response, scale = backend.cast(response, backend.xp.float64) / white, top - middle
        made, clipped = backend.levels(response, scale, middle, top, dtype, into)
        counts.append(clipped)
        return made

    return Finish(dtype, show), counts


def largest(flat: Array) -> float:
    """Return the largest absolute finite value, 0 where there is none."""
    backend = backend_of(flat)
    xp, flat = backend.xp, backend.cast(flat, backend.dtypes(flat, wide=False)[0])
    # Runs that stay in cache: a large picture would otherwise wait for memory at every step.
    runs = (flat[i : i + STRIP] for i in range(0, flat.shape[0], STRIP))
    return max((float(xp.where(xp.isfinite(r), xp.abs(r), 0).max()) for r in runs), default=0.0)


def white_level(
    image: Array,
    operator: str | Operator = "sobel",
    parameters: dict[str, Any] | None = None,
    *,
    step_fraction: float | None = None,
    in_range: tuple[float, float] | None = None,
    channel_axis: ChannelAxis = AUTO,
    mask: Array | None = None,
    **options: Any,
) -> float:
    """Return the response that a picture shows white by default.

    With R the range of the image it is R / 8 at unit scale for first derivatives, whatever their
    angle and size: Sobel of 8 bits is shown as ``cv2.convertScaleAbs(cv2.Sobel(...))`` shows it. For all
    other operators it is a quarter of their response to an ideal step of height R, across their direction
    (across x or y where they have none). Kernels that do not sum to 0, such as those that blur or sharpen, keep
    the level of the image, and their white is the whole response to that step.

    R is the range of the type for bool and 8 bits, and else the distance between the 0.1 and 99.9
    percentiles of the valid values, or between the least and the largest where the percentiles are
    equal. With ``tone="log"`` R is the distance between the logarithms of both ends. With
    ``channel="luminance"`` the values are those of the luminance.

    Parameters
    ----------
    image : ndarray or Tensor
        The operator's input.
    operator : str or Operator
        A row, or its name.
    parameters : dict, optional
        Values for the operator's own parameters.
    step_fraction : float, optional
        Return this fraction of the response to an ideal step of height R instead.
    in_range : (float, float), optional
        The ends of the range, where they are known; only the type of the image counts then.
    channel_axis : int or None
        Which axis holds the channels, as for `edgekit.sobel`.
    mask : ndarray or Tensor of bool, optional
        True where the image is valid.
    **options
        The options that the response was made with, such as ``angle`` and ``scale``.

    Returns
    -------
    float
        Greater than 0. Where R is 0 it is the largest float, which shows every response black.

    Raises
    ------
    ParameterError
        If an option has a value it cannot take.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> ek.white_level(np.zeros((4, 4), np.uint8), "sobel")
    31.875
    >>> ek.white_level(np.uint16([[0, 1000, 4000]]), "laplacian", step_fraction=0.5)
    2000.0
    """
    _one_direction(options)
    row = operator if isinstance(operator, Operator) else find(operator)
    image, layout = take(image, channel_axis)
    return _white(image, row, parameters or {}, step_fraction, in_range, layout.enter_mask(mask), options)


def _white(
    image: Array, row: Operator, parameters: dict[str, Any], step_fraction: float | None,
    in_range: tuple[float, float] | None, mask: Array | None, options: dict[str, Any],
) -> float:  # fmt: skip
    made = plan_for(row, parameters, **options)
    low, high = range_of(image, mask, made.channel) if in_range is None else in_range
    if made.tone == "log":
        low, high = (math.copysign(math.log1p(abs(v) * 2 / level(image)), v) for v in (low, high))
    if step_fraction is not None:
        factor = made.step * step_fraction
    elif row.directed:
        # The scale "raw" multiplies both.
        unit = plan_for(row, parameters, **{**options, "scale": "unit"})
        factor = made.step / unit.step * GRADIENT_WHITE
    else:
        # A kernel that does not sum to 0 keeps the level of the image: its response covers the whole step.
        factor = made.step * (STEP_WHITE if sums_to_zero(made.components[0].taps) else 1)
    # The range of the largest numbers is infinite.
    return min(factor * (high - low), sys.float_info.max) or sys.float_info.max


def value_range(image: Array) -> tuple[float, float]:
    """Return the least and the largest value that scores take an image to have: the type's, or [0, 1] for floats in it.

    See `edgekit.display.value_range.range_of` for the range that pictures show.
    """
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


def overlay(
    image: Array,
    shown: Array,
    *,
    colour: tuple[int, int, int] = OVERLAY_COLOUR,
    in_range: tuple[float, float] | None = None,
) -> Array:
    """Draw a picture of edges in colour over the image it was made of, as focus peaking does.

    Parameters
    ----------
    image : ndarray
        (H, W) or (H, W, C), RGB where it has colour; any type.
    shown : ndarray of uint8
        (H, W) or (H, W, C): how strongly to draw, as `to_display` gives it; of channels the strongest.
    colour : tuple of int
        Red, green, blue in [0, 255].
    in_range : (float, float), optional
        The values of the image that are shown black and white. The default is the range that
        `white_level` takes: that of the type for 8 bits, else the 0.1 and 99.9 percentiles.

    Returns
    -------
    ndarray of uint8
        (H, W, 3).

    Raises
    ------
    ShapeError, DtypeError
        If one is not a NumPy image, `shown` is not of 8 bits, or the two do not have the same size.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> ek.overlay(np.uint8([[100, 100]]), np.uint8([[0, 255]]), colour=(255, 0, 0)).tolist()
    [[[100, 100, 100], [255, 0, 0]]]
    """
    image, shown = (_in_numpy(array) for array in (image, shown))
    if image.shape[:2] != shown.shape[:2]:
        raise ShapeError(f"expected an image of the edges' size {shown.shape[:2]}; found {image.shape}")
    if shown.dtype != np.uint8:
        raise DtypeError(f"expected edges of type uint8, as to_display gives them; found {shown.dtype}")
    if image.dtype == np.uint8 and in_range is None:
        base = image
    else:
        low, high = range_of(image) if in_range is None else in_range
        # Halves, since the range itself may be too large a number.
        white = high / 2 - low / 2 or 1.0
        with np.errstate(all="ignore"):
            base = to_display(np.clip(image, low, high) * np.float64(0.5) - low / 2, white=white).image
    base = base[:, :, :3] if base.ndim == 3 and base.shape[2] >= 3 else base.reshape(*base.shape[:2], -1)[:, :, :1]
    strength = shown.reshape(*shown.shape[:2], -1).max(axis=2, keepdims=True).astype(np.float32) / 255
    drawn: Array = np.rint(base * (1 - strength) + np.array(colour, np.float32) * strength).astype(np.uint8)
    return drawn


def _in_numpy(image: Any) -> Array:
    image, _ = take(image)
    if not isinstance(image, np.ndarray):
        raise DtypeError(
            "an overlay is drawn on NumPy arrays; found a tensor. Convert it to (rows, columns[, channels])"
        )
    return image
