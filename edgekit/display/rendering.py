"""Renders responses as 8-bit or 16-bit images: values are scaled, clipped and rounded only here.

May import `filters` and what is below it.
"""

import math
import sys
from collections.abc import Mapping
from typing import Any, Generic, Literal, NamedTuple, get_args

from edgekit.backends.choice import backend_of
from edgekit.backends.interface import Array, Backend, ImageLayout, Result
from edgekit.common.arrays import as_array
from edgekit.common.choices import check_choice, number_range, plain_number, real_number, shown
from edgekit.common.types import ChannelAxis, ImageT
from edgekit.display.value_range import range_of
from edgekit.errors import ParameterError
from edgekit.filters.apply import apply, specification
from edgekit.filters.documentation import documented
from edgekit.filters.execute import Conversion, respond
from edgekit.filters.inputs import check_image, fill, level
from edgekit.operators.borders import Border
from edgekit.operators.filter_spec import AngleOf, Channel, Rotate, Scale, Tone
from edgekit.operators.spacing import Spacing
from edgekit.operators.table import Operator, find

Mode = Literal["full", "stretch", "signed"]
MODES = get_args(Mode)

#: The largest value is searched in blocks of this many values, which fit into the cache.
BLOCK = 2**17

#: Single precision holds the scale factors of white levels up to this, and down to its inverse.
MOST = 2.0**100

#: First derivatives at unit scale show white this fraction of the image's range per pixel.
GRADIENT_WHITE = 1 / 8

#: Other operators show white this fraction of their response to an ideal step over the image's range.
STEP_WHITE = 1 / 4

#: White for first derivatives of 8 bits: that of `cv2.convertScaleAbs` for `cv2.Sobel`, whose kernel sums to 8.
WHITE = 255 * GRADIENT_WHITE


class Display(NamedTuple, Generic[ImageT]):
    """A rendered response.

    Attributes
    ----------
    image : ndarray or Tensor
        uint8 or uint16, in the layout of the response.
    clipped : int
        Number of values outside the range of the image.
    """

    image: ImageT
    clipped: int


def to_display(
    response: ImageT, mode: Mode = "full", *, depth: Literal[8, 16] = 8, white: float = WHITE
) -> Display[ImageT]:
    """Render a response with 8 or 16 bits, and count the clipped values.

    Parameters
    ----------
    response : ndarray or Tensor
        Any shape.
    mode : {"full", "stretch", "signed"}
        ``full``: the absolute response, 0 black and `white` white. ``stretch``: the absolute response with the largest
        finite response white. ``signed``: 0 is mid-gray, `white` white, minus `white` black.
    depth : {8, 16}
        Bits of the result.
    white : float
        The response that is shown white, greater than 0. The default, 255 / 8, is for first derivatives of 8-bit images
        at unit scale; `edgekit.white_level` computes it for other operators and images.

    Returns
    -------
    Display
        The rendered image and the number of clipped values. NaN is shown as 0 and not counted.

    Raises
    ------
    ParameterError
        If an option has an invalid value.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> ek.to_display(np.float32([-300, 0, 12.75, 31.875]))
    Display(image=array([255,   0, 102, 255], dtype=uint8), clipped=1)
    """
    white = plain_number(white)
    _check(mode, depth, white)
    values: Array = as_array(response)
    backend = backend_of(values)
    backend.array_types(values)
    flat = values.reshape(-1)
    if mode == "stretch":
        white = largest(flat) or 1.0
    conversion, counts = _conversion(backend, mode, depth, white)
    column = ImageLayout(flat.shape[0], 1, None, (), channel_axis=-1)
    result = Result((column.rows,), conversion.dtype, 0, None)
    shown = backend.run_tiles(
        lambda start, stop, into: conversion.apply(flat[start:stop], into), column, column.rows, 0, result, ()
    )
    return Display(shown.reshape(values.shape), int(sum(counts)))


@documented
def picture(
    image: ImageT,
    operator: str | Operator = "sobel",
    parameters: dict[str, Any] | None = None,
    *,
    mode: Mode = "full",
    depth: Literal[8, 16] = 8,
    white: float | None = None,
    angle: float | None = None,
    angle_of: AngleOf = "gradient",
    rotate: Rotate = "steer",
    scale: Scale = "unit",
    spacing: Spacing = 1.0,
    border: Border = "reflect",
    channel: Channel = "each",
    tone: Tone = "linear",
    channel_axis: ChannelAxis = "auto",
    mask: ImageT | None = None,
    out: ImageT | None = None,
) -> Display[ImageT]:
    """Filter an image and render the response with 8 or 16 bits.

    The result is that of `to_display` with the white level of `white_level`, in less memory and time.

    Parameters
    ----------
    operator : str or Operator
        An operator or its name.
    parameters : dict, optional
        Parameters of the operator, such as ``{"sigma": 2}``.
    mode : {"full", "stretch", "signed"}
        As for `to_display`.
    depth : {8, 16}
        Bits of the result.
    white : float, optional
        The response that is shown white; that of `white_level` unless given. It is the same for all images of a batch.
    angle : float, optional
        As for `edgekit.sobel`.
    out : ndarray or Tensor of uint8 or uint16, optional
        Array for the rendered image.

    Returns
    -------
    Display
        The rendered image and the number of clipped values.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> ek.picture(np.uint8([[0, 0, 255, 255]]), "sobel").image
    array([[  0, 255, 255,   0]], dtype=uint8)
    """
    options: dict[str, Any] = {
        "angle": angle, "angle_of": angle_of, "rotate": rotate, "scale": scale, "spacing": spacing,
        "border": border, "channel": channel, "tone": tone,
    }  # fmt: skip
    _check_angle(angle)
    operator = operator if isinstance(operator, Operator) else find(operator)
    pixels, order = check_image(image, channel_axis)
    mask, values = order.apply_to_mask(mask), _values(parameters)
    check_choice("mode", mode, MODES)
    white = plain_number(white)
    if white is None:
        white = 1.0 if mode == "stretch" else _white(pixels, operator, values, None, None, mask, options)
    _check(mode, depth, white)
    target = out if order.given == order.usual else None
    if mode == "stretch":
        shown, clipped = to_display(apply(pixels, operator, values, mask=mask, **options), mode, depth=depth)
        shown = order.restore(shown)
        return Display(fill(out, shown), clipped)
    conversion, counts = _conversion(backend_of(pixels), mode, depth, white)
    spec = specification(operator, values, options.pop("angle"), options)
    shown = respond(pixels, spec, mask, target, conversion=conversion)
    if target is None:
        shown = fill(out, order.restore(shown))
    return Display(shown, int(sum(counts)))


def _check_angle(angle: Any) -> None:
    shape = getattr(angle, "shape", ())
    if isinstance(shape, tuple) and shape:
        raise ParameterError(
            f"an image shows one direction; found angles of shape {tuple(shape)}. "
            "Filter with them, and pass the response to to_display"
        )


def _values(parameters: dict[str, Any] | None) -> dict[str, Any]:
    """Return the values of an operator's own parameters."""
    if parameters is not None and not isinstance(parameters, Mapping):
        raise ParameterError(f'parameters={shown(parameters)} must be a dict, such as {{"size": 5}}')
    return dict(parameters or {})


def _check(mode: str, depth: int, white: float) -> None:
    check_choice("mode", mode, MODES)
    if not isinstance(depth, int) or depth not in (8, 16):
        raise ParameterError(f"depth={shown(depth)} must be 8 or 16 bits")
    if not isinstance(white, int | float) or isinstance(white, bool) or not 0 < white < math.inf:
        raise ParameterError(f"white={shown(white)} must be positive and finite")


def _conversion(backend: Backend, mode: str, depth: int, white: float) -> tuple[Conversion, list[Any]]:
    """Return the conversion of responses to integers, and the list to which it adds the number of clipped values."""
    top = 2**depth - 1
    middle = (top + 1) // 2 if mode == "signed" else 0
    dtype = backend.xp.uint8 if depth == 8 else backend.xp.uint16
    counts: list[Any] = []

    def show(response: Array, into: Array | None) -> Array:
        scale = (top - middle) / white
        if not 1 / MOST < white < MOST:
            response, scale = backend.cast(response, backend.xp.float64) / white, top - middle
        made, clipped = backend.quantize(response, scale, middle, top, dtype, into)
        counts.append(clipped)
        return made

    return Conversion(dtype, show), counts


def largest(flat: Array) -> float:
    """Return the largest absolute finite value, 0 if no value is finite."""
    backend = backend_of(flat)
    xp, flat = backend.xp, backend.cast(flat, backend.array_types(flat).work)
    blocks = (flat[i : i + BLOCK] for i in range(0, flat.shape[0], BLOCK))
    return max((float(xp.where(xp.isfinite(b), xp.abs(b), 0).max()) for b in blocks), default=0.0)


@documented
def white_level(
    image: ImageT,
    operator: str | Operator = "sobel",
    parameters: dict[str, Any] | None = None,
    *,
    step_fraction: float | None = None,
    in_range: tuple[float, float] | None = None,
    angle: float | None = None,
    angle_of: AngleOf = "gradient",
    rotate: Rotate = "steer",
    scale: Scale = "unit",
    spacing: Spacing = 1.0,
    border: Border = "reflect",
    channel: Channel = "each",
    tone: Tone = "linear",
    channel_axis: ChannelAxis = "auto",
    mask: ImageT | None = None,
) -> float:
    """Return the response that `picture` shows white by default.

    With R the range of the image it is R / 8 for first derivatives at unit scale, for all angles and sizes: an 8-bit
    image is shown as by ``cv2.convertScaleAbs(cv2.Sobel(...))``. For all other operators it is a quarter of their
    response to an ideal step of height R, across their direction (across x or y without a direction). For kernels that
    do not sum to 0, such as those that blur or sharpen, it is the whole response to the step. With a spacing the white
    level is in the same unit as the response, so that equal spacing does not change the rendered image.

    R is the range of the type for bool and 8 bits. For other types it is the distance between the 0.1 and 99.9
    percentiles of the valid values, or between the least and the largest value if the percentiles are equal. With
    ``tone="log"`` R is the distance between the logarithms of both. With ``channel="luminance"`` the values are those
    of the luminance.

    Parameters
    ----------
    operator : str or Operator
        An operator or its name.
    parameters : dict, optional
        Parameters of the operator, such as ``{"sigma": 2}``.
    step_fraction : float, optional
        Return this fraction of the response to an ideal step of height R instead.
    in_range : (float, float), optional
        The least and the largest value of the range, if they are known. The pixels of the image are then not used.
    angle : float, optional
        As for `edgekit.sobel`.

    Returns
    -------
    float
        Greater than 0. If R is 0 it is the largest float, which shows every response black.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> ek.white_level(np.zeros((4, 4), np.uint8), "sobel")
    31.875
    >>> ek.white_level(np.uint16([[0, 1000, 4000]]), "laplacian", step_fraction=0.5)
    2000.0
    """
    options: dict[str, Any] = {
        "angle": angle, "angle_of": angle_of, "rotate": rotate, "scale": scale, "spacing": spacing,
        "border": border, "channel": channel, "tone": tone,
    }  # fmt: skip
    _check_angle(angle)
    operator = operator if isinstance(operator, Operator) else find(operator)
    pixels, order = check_image(image, channel_axis)
    mask = order.apply_to_mask(mask)
    if step_fraction is not None:
        step_fraction = real_number("step_fraction", step_fraction)
    if in_range is not None:
        in_range = number_range("in_range", in_range)
    return _white(pixels, operator, _values(parameters), step_fraction, in_range, mask, options)


def _white(
    image: Array, operator: Operator, parameters: dict[str, Any], step_fraction: float | None,
    in_range: tuple[float, float] | None, mask: Array | None, options: dict[str, Any],
) -> float:  # fmt: skip
    angle, options = options["angle"], {name: value for name, value in options.items() if name != "angle"}
    spec = specification(operator, parameters, angle, options)
    low, high = range_of(image, mask, spec.channel) if in_range is None else in_range
    if spec.tone == "log":
        low, high = (math.copysign(math.log1p(abs(v) * 2 / level(image)), v) for v in (low, high))
    if step_fraction is not None:
        factor = spec.step_response * step_fraction
    elif operator.directed:
        # Scale and spacing multiply the response and its white level by the same factor.
        unit = specification(operator, parameters, angle, {**options, "scale": "unit", "spacing": 1.0})
        factor = spec.step_response / unit.step_response * GRADIENT_WHITE
    else:
        factor = spec.step_response * (1 if spec.keeps_level else STEP_WHITE)
    # The distance between very large numbers can overflow to infinity.
    return min(factor * (high - low), sys.float_info.max) or sys.float_info.max
