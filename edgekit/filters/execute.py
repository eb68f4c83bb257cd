"""Carries out a plan on an image, window by window. May import plans and backends.

Nothing here knows which operator or which kind of array it has.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from edgekit.backends.choice import backend_of
from edgekit.backends.interface import Array, Backend, Frame, Result, Rounding, Steps
from edgekit.errors import ShapeError
from edgekit.filters.channel_axis import check_exact
from edgekit.operators.filter_spec import Component, Plan, exact

#: Weights of red, green and blue in luminance (Rec. ITU-R BT.601).
LUMINANCE = (0.299, 0.587, 0.114)

#: The largest exponents of floating types, by their binary digits.
EXPONENTS = {24: 128, 53: 1024}

#: Up to so many exponents below the half of the largest, sums of squares do not overflow.
MARGIN = 8

#: Integers have a level of 1; floating images are taken to span [0, 1] in as many levels as 8 bits have.
FLOAT_LEVEL = 1 / 255


class Finish(NamedTuple):
    """What becomes of a response in the end."""

    dtype: Any
    """The result's type."""

    apply: Callable[[Array, Array | None], Array]
    """Given some of the response and where its result may be put, returns the result."""


def respond(
    image: Array,
    plan: Plan,
    mask: Array | None = None,
    out: Array | None = None,
    finish: Finish | None = None,
    taps: Array | None = None,
) -> Array:
    """Filter `image` as `plan` says.

    Parameters
    ----------
    image : ndarray or Tensor
        (H, W) or (H, W, C) for NumPy, (H, W) or (..., C, H, W) for torch.
    plan : Plan
        What to compute.
    mask : ndarray or Tensor of bool, optional
        True where the image is valid; (H, W), or anything that broadcasts to the image.
    out : ndarray or Tensor, optional
        Receives the result; of exactly its shape and type.
    finish : Finish, optional
        Turns the response into something else, element by element, before it is written anywhere.
    taps : Tensor, optional
        Stand for those of the plan's one kernel, whose shape they have.

    Returns
    -------
    ndarray or Tensor
        The response, `out` if it was given. Stacked responses and gradients have a new first axis.

    Raises
    ------
    ShapeError, DtypeError
        If an array does not fit.
    """
    backend = backend_of(image)
    frame = backend.frame(image)
    work, dtype = backend.dtypes(image, wide=plan.wide)
    check_exact(image)
    rows, columns = _size(plan, frame)
    channels = _channels(plan, frame)
    if mask is not None:
        mask = backend.as_mask(mask, image, frame)

    stacked = plan.reduce in ("stack", "gradient")
    shape = frame.shape(rows, columns, channels)
    result = Result((len(plan.components), *shape) if stacked else shape, dtype, int(stacked), out)
    top, bottom, _, _ = plan.halo
    shortcut = backend.shortcut(image, plan) if mask is None else None
    make = shortcut or _steps(image, plan, mask, taps, frame, channels, backend, work, dtype)
    if finish is not None:
        result, compute = result._replace(dtype=finish.dtype), make

        def make(start: int, stop: int, into: Array | None) -> Array:
            return finish.apply(backend.cast(compute(start, stop, None), dtype), into)

    return backend.assemble(make, frame, rows, top + bottom, result, (image, mask, taps))


def _steps(
    image: Array, plan: Plan, mask: Array | None, taps: Array | None, frame: Frame, channels: int | None,
    backend: Backend, work: Any, dtype: Any,
) -> Steps:  # fmt: skip
    """Return the way that serves every image and plan: computed in `work`, for a result of `dtype` and `channels`."""
    low, high = backend.limits(image)
    floating = high == math.inf
    mixed = plan.channel == "luminance" and frame.channels not in (None, 1)
    rounding = Rounding.SEEN
    if plan.tone == "linear" and not mixed and exact(plan, max(-low, high), backend.digits(work)):
        rounding = Rounding.NONE
    elif work != dtype:  # Never a narrower one.
        rounding = Rounding.HIDDEN

    pixels = work if mixed or plan.tone == "log" else backend.pixels_of(image, work)

    def look(image: Array, start: int, stop: int) -> tuple[Array, Array | None]:
        at = (start, stop, plan.halo, plan.border)
        valid = None if mask is None else backend.window(mask, frame, *at, mask.dtype, 1)
        return backend.window(image, frame, *at, pixels, 0), valid

    def filtered(window: Array, valid: Array | None, into: Array | None) -> Array:
        if mixed:
            window, valid = _luminance(window, valid, frame.channel_axis)
        if plan.tone == "log":
            window = _logarithm(window, FLOAT_LEVEL if floating else 1.0, backend, work)
        if channels != frame.channels:
            into = None
        response = _components(window, valid, plan, frame.channel_axis, backend, work, rounding, floating, taps, into)
        return response[..., 0] if frame.channels is not None and channels is None else response

    return Steps(image, look, filtered)


def level(image: Array) -> float:
    """Return the step between neighbouring grey levels of `image`."""
    return FLOAT_LEVEL if backend_of(image).limits(image)[1] == math.inf else 1.0


def _size(plan: Plan, frame: Frame) -> tuple[int, int]:
    """Return rows and columns of the result."""
    if plan.border != "valid":
        return frame.rows, frame.columns
    height, width = plan.shape
    rows, columns = frame.rows - height + 1, frame.columns - width + 1
    if rows < 1 or columns < 1:
        raise ShapeError(
            f'border="valid" leaves nothing: the kernel of {height}x{width} is larger than the image of '
            f"{frame.rows}x{frame.columns}; choose another border"
        )
    return rows, columns


def _channels(plan: Plan, frame: Frame) -> int | None:
    """Return the number of channels of the result, None for no channel axis."""
    if plan.channel == "each" or frame.channels is None:
        return frame.channels
    if plan.channel == "luminance" and frame.channels not in (1, 3, 4):
        raise ShapeError(
            f'channel="luminance" needs 1, 3 (RGB) or 4 (RGBA) channels; found {frame.channels}. '
            'Choose channel="each" or "max"'
        )
    return 1 if frame.channel_axis == -3 else None


def _channel(array: Array, index: int, axis: int) -> Array:
    """Return one channel, keeping the axis."""
    return array[(Ellipsis, slice(index, index + 1), *[slice(None)] * (-axis - 1))]


def _luminance(window: Array, valid: Array | None, axis: int) -> tuple[Array, Array | None]:
    red, green, blue = (_channel(window, i, axis) * weight for i, weight in enumerate(LUMINANCE))
    if valid is not None:
        valid = _channel(valid, 0, axis) & _channel(valid, 1, axis) & _channel(valid, 2, axis)
    return red + green + blue, valid


def _logarithm(window: Array, level: float, backend: Backend, work: Any) -> Array:
    """Return log(x + level/2) - log(level/2), continued to negative values as an odd function.

    The gradient is that of the logarithm, and a border of zeros stays zero.
    """
    xp, size = backend.xp, backend.xp.abs(window)
    # 1, but for numbers that 2/level would carry beyond the largest there is.
    rest = (size / 2.0 ** (EXPONENTS[backend.digits(work)] - 16)).clip(1)
    return xp.sign(window) * (xp.log1p(size / rest * (2 / level)) + xp.log(rest))


def _components(
    window: Array, valid: Array | None, plan: Plan, axis: int, backend: Backend, work: Any,
    rounding: Rounding, floating: bool, taps: Array | None, into: Array | None,
) -> Array:  # fmt: skip
    """Filter a window, restore what invalid pixels touch, and reduce."""
    xp, exponent = backend.xp, EXPONENTS[backend.digits(work)]
    largest, sure = backend.extent(window) if floating else (0.0, True)
    large = largest * plan.reach > 2.0 ** (exponent // 2 - MARGIN)
    some_invalid = valid is not None or not sure
    # What is too large is not NaN.
    carried = some_invalid and not large and taps is None and _carried(window, plan, backend)
    if not sure and not carried:
        finite = xp.isfinite(window)
        valid = finite if valid is None else valid & finite
    invalid = None
    if valid is not None:
        invalid = None if carried else xp.where(valid, 0, xp.ones_like(window))
        window = xp.where(valid, window, xp.nan if carried else 0)
    places = _places(plan, into)
    totals = _totals(window, plan, backend, work, rounding, taps, places)
    if large:
        # Sums on the way may overflow where what they come to does not.
        step = 2.0 ** (exponent * 3 // 4)
        smaller = _totals(window / step, plan, backend, work, rounding, taps, [None] * len(totals))
        totals = [xp.where(xp.isfinite(t), t, s * step) for t, s in zip(totals, smaller, strict=True)]
    components = []
    for component, total in zip(plan.components, totals, strict=True):
        if carried:
            # Infinities, too, and no gradient from there to valid pixels.
            total = xp.where(xp.isfinite(total), total, xp.nan)
        elif valid is not None:
            total = xp.where(_touched(invalid, component, backend, work, taps), xp.nan, total)
        components.append(total)
    joined = plan.channel in ("max", "dizenzo") and window.ndim > 2
    squares = floating and (joined or plan.reduce == "magnitude")
    delicate = squares and (large or backend.some_tiny(window, 2.0 ** -(exponent // 4)))
    if joined:
        join = _strongest if plan.channel == "max" else _dizenzo
        if delicate:
            return at_any_size(lambda parts: join(parts, plan.reduce, axis, backend), components, backend, axis)
        return join(components, plan.reduce, axis, backend)
    if delicate:
        return at_any_size(lambda parts: _reduce(parts, plan.reduce, backend), components, backend)
    if into is not None and plan.reduce in ("stack", "gradient"):
        for made, place in zip(components, places, strict=True):
            if place is not None and made is not place:
                place[...] = made
        return into
    return _reduce(components, plan.reduce, backend, into)


def _carried(window: Array, plan: Plan, backend: Backend) -> bool:
    """Tell whether NaN among the pixels is NaN wherever the response touches it, and nowhere else."""
    # Where taps cancel, it would reach further.
    return not any(c.cancels for c in plan.components) and backend.carries(window, plan.kernels)


def _totals(
    window: Array, plan: Plan, backend: Backend, work: Any, rounding: Rounding, taps: Array | None,
    places: list[Array | None],
) -> list[Array]:  # fmt: skip
    """Return the linear responses."""
    if taps is None:
        responses = [backend.correlate(window, k, work, rounding) for k in plan.kernels]
    else:
        responses = [backend.weighted(window, taps)]
    return [backend.mix(responses, c.weights, place) for c, place in zip(plan.components, places, strict=True)]


def at_any_size(
    join: Callable[[list[Array]], Array], parts: list[Array], backend: Backend, axis: int | None = None
) -> Array:
    """Join parts so that no square on the way overflows or vanishes; nothing else changes, not by a bit.

    Parameters
    ----------
    join : callable
        Takes the parts to what grows in proportion to them.
    axis : int, optional
        The axis along which they are joined, too.
    """
    xp, exponent = backend.xp, EXPONENTS[backend.digits(parts[0].dtype)]
    size = xp.abs(parts[0])
    for part in parts[1:]:
        size = xp.maximum(size, xp.abs(part))
    if axis is not None:
        size = xp.amax(size, axis, keepdims=True)
    most, step = 2.0 ** (exponent // 2 - MARGIN), 2.0 ** (exponent * 3 // 4)
    # Powers of two: scaling with them rounds nothing.
    factor = xp.where(size > most, 1 / step, xp.where(size < 1 / most, step, xp.ones_like(size)))
    return join([part * factor for part in parts]) / factor


def _touched(invalid: Array, component: Component, backend: Backend, work: Any, taps: Array | None) -> Array:
    """Tell where a tap that is not zero touches a pixel that is not 0."""
    if taps is not None:
        return backend.weighted(invalid, taps != 0) > 0
    return backend.correlate(invalid, component.footprint, work, Rounding.NONE) > 0


def _places(plan: Plan, into: Array | None) -> list[Array | None]:
    """Return where in the result each component can be computed."""
    if into is None or plan.reduce in ("magnitude", "maximum"):
        return [None] * len(plan.components)
    return [into] if plan.reduce == "single" else list(into)


def _reduce(components: list[Array], reduce: str, backend: Backend, into: Array | None = None) -> Array:
    """Combine components, each channel by itself."""
    xp = backend.xp
    match reduce:
        case "single":
            return components[0]
        case "magnitude":
            gx, gy = components
            return backend.magnitude(gx, gy, into, overwrite=True)
        case "maximum":
            total = components[0]
            for other in components[1:]:
                total = xp.maximum(total, other)
            return total
    return xp.stack(components)


def _strongest(components: list[Array], reduce: str, axis: int, backend: Backend) -> Array:
    """Keep, at each pixel, the channel with the largest absolute response, sign and all."""
    xp = backend.xp
    response = _reduce(components, reduce, backend)
    if reduce == "gradient":
        strength = components[0] ** 2 + components[1] ** 2
        best = xp.argmax(strength, axis, keepdims=True)
        return xp.stack([backend.take_along(c, best, axis) for c in components])
    best = xp.argmax(xp.abs(response), axis, keepdims=True)
    return backend.take_along(response, best, axis)


def _dizenzo(components: list[Array], reduce: str, axis: int, backend: Backend) -> Array:
    """Join the channels' gradients by the structure tensor (Di Zenzo 1986, 10.1016/0734-189X(86)90223-9).

    Along a direction the joint response is the root of the channels' summed squares; the magnitude
    is that along the direction where it is largest. The sign is that of the channels' sum.
    """
    xp = backend.xp

    def total(array: Array) -> Array:
        return xp.sum(array, axis, keepdims=True)

    if reduce in ("single", "stack"):
        joint = [backend.root(total(c * c)) * _sign(total(c), xp) for c in components]
        return joint[0] if reduce == "single" else xp.stack(joint)
    gx, gy = components
    xx, yy, xy = total(gx * gx), total(gy * gy), total(gx * gy)
    energy = xx + yy
    # In parts of the energy, since fourth powers would overflow or vanish soon.
    whole = xp.where(energy > 0, energy, 1)
    spread = backend.root(((xx - yy) / whole) ** 2 + (2 * xy / whole) ** 2)
    magnitude = backend.root(energy * (1 + spread) / 2)
    if reduce == "magnitude":
        return magnitude
    # Half the double angle lies in (-90, 90]: the sum of the gradients says which of the two ways is up.
    angle = xp.arctan2(2 * xy, xx - yy) / 2
    cos, sin = xp.cos(angle), xp.sin(angle)
    magnitude = magnitude * _sign(cos * total(gx) + sin * total(gy), xp)
    return xp.stack([magnitude * cos, magnitude * sin])


def _sign(array: Array, xp: Any) -> Array:
    """Return -1 where negative, else 1."""
    return xp.where(array < 0, -1, xp.ones_like(array))
