"""Computes the response that a specification describes, tile by tile.

Nothing here knows which operator or which kind of array it has. May import `backends` and what is below it.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from edgekit.backends.choice import backend_of
from edgekit.backends.interface import (
    Array,
    ArrayTypes,
    Backend,
    ImageLayout,
    Result,
    Rounding,
    TileFilter,
)
from edgekit.errors import ShapeError
from edgekit.filters.inputs import FLOAT_LEVEL, INTEGERS_END, broadcast_mask, check_integers
from edgekit.filters.luminance import luminance
from edgekit.filters.reduction import MARGIN, at_any_size, dizenzo, one_channel, reduce_components, strongest
from edgekit.operators.filter_spec import Component, FilterSpec
from edgekit.operators.kernels import Kernel


class Conversion(NamedTuple):
    """A step that converts a response, element by element, before it is stored.

    Attributes
    ----------
    dtype : dtype
        Of the result.
    apply : callable
        ``apply(response, into)`` returns the converted response, in `into` if possible.
    """

    dtype: Any
    apply: Callable[[Array, Array | None], Array]


class _Context(NamedTuple):
    """What all tiles of an image share."""

    spec: FilterSpec
    backend: Backend
    layout: ImageLayout
    types: ArrayTypes
    rounding: Rounding
    kernel: Array | None
    """A learned kernel, in place of the one of the specification."""
    fusable: bool
    """Whether `Backend.fused` may compute it."""
    tried: bool
    """Whether it was tried on the image itself. Tiles without invalid pixels that remain cannot be computed so."""


def respond(
    image: Array,
    spec: FilterSpec,
    mask: Array | None = None,
    out: Array | None = None,
    *,
    conversion: Conversion | None = None,
    kernel: Array | None = None,
) -> Array:
    """Return the response of an image.

    Parameters
    ----------
    image : ndarray or Tensor
        (H, W) or (H, W, C) for NumPy, (H, W) or (..., C, H, W) for torch.
    spec : FilterSpec
        What to compute.
    mask : ndarray or Tensor of bool, optional
        True where the image is valid; (H, W), or any shape that broadcasts to the image.
    out : ndarray or Tensor, optional
        Receives the result; must have its shape and type.
    conversion : Conversion, optional
        Converts the response before it is stored.
    kernel : Tensor, optional
        Coefficients to use in place of the specification's one kernel; of the same shape.

    Returns
    -------
    ndarray or Tensor
        The response, or `out`. Stacked responses and gradients have a new first axis. In an exported graph a gradient
        is a list of its components.

    Raises
    ------
    ShapeError, DtypeError
        If an array does not fit.
    """
    backend = backend_of(image)
    layout, types = backend.image_layout(image), backend.array_types(image, wide=spec.wide)
    if INTEGERS_END <= types.high < math.inf:
        check_integers(image)
    if mask is not None:
        mask = broadcast_mask(mask, image, layout)
    rows, shape = _result_shape(spec, layout)
    rounding = Rounding.SEEN if types.work == types.result else Rounding.HIDDEN
    linear = spec.tone == "linear" and (spec.channel != "luminance" or layout.channels in (None, 1))
    if linear and max(-types.low, types.high) <= spec.exact_factor * 2.0**types.digits:
        rounding = Rounding.NONE

    def read(image: Array, start: int, stop: int) -> tuple[Array, Array | None]:
        at = (start, stop, spec.halo, spec.border)
        valid = None if mask is None else backend.pad(mask, layout, *at, mask.dtype, 1)
        return backend.pad(image, layout, *at, types.pixels, 0), valid

    fusable = linear and (rounding is Rounding.NONE or types.floating) and kernel is None
    fused = backend.fused(image, spec) if fusable else None
    if mask is not None:
        # It has no mask: the backend has only counted the pixels. The tiles are filtered by `_fused_tile`.
        fused = None
    context = _Context(spec, backend, layout, types, rounding, kernel, fusable, fused is not None)

    if spec.reduce == "gradient" and spec.channel in ("each", "luminance") and out is None and backend.exporting():
        # Other runtimes would copy both components into one array.
        return [backend.cast(part, types.result) for part in _tile_components(context, *read(image, 0, rows), None)[0]]

    def compute(start: int, stop: int, into: Array | None) -> Array:
        place = into if conversion is None else None
        response = fused.compute(image, start, stop, place) if fused else None
        if response is None:
            response = _filter_tile(context, *read(image, start, stop), place)
        return response if conversion is None else conversion.apply(backend.cast(response, types.result), into)

    tile = None if conversion is not None else TileFilter(image, read, partial(_filter_tile, context))
    result_dtype = types.result if conversion is None else conversion.dtype
    stacked = spec.reduce in ("stack", "gradient")
    result = Result((len(spec.components), *shape) if stacked else shape, result_dtype, int(stacked), out)
    top, bottom, _, _ = spec.halo
    at_once = partial(fused.compute, image) if fused and fused.one_pass and conversion is None else None
    sources = image, mask, kernel
    return backend.run_tiles(compute, layout, rows, top + bottom, result, sources, tile, at_once)


def _result_shape(spec: FilterSpec, layout: ImageLayout) -> tuple[int, tuple[int, ...]]:
    """Return the rows and the shape of one response."""
    rows, columns, channels = layout.rows, layout.columns, layout.channels
    if spec.border == "valid":
        height, width = spec.shape
        rows, columns = rows - height + 1, columns - width + 1
        if rows < 1 or columns < 1:
            raise ShapeError(
                f'border="valid" leaves no pixels: the kernel of {height}x{width} is larger than the image of '
                f"{layout.rows}x{layout.columns}; choose another border"
            )
    if spec.channel != "each" and channels is not None:
        if spec.channel == "luminance" and channels not in (1, 3, 4):
            raise ShapeError(
                f'channel="luminance" needs 1, 3 (RGB) or 4 (RGBA) channels; found {channels}. '
                'Choose channel="each" or "max"'
            )
        channels = 1 if layout.channel_axis == -3 else None
    if channels is None:
        return rows, (*layout.leading, rows, columns)
    if layout.channel_axis == -3:
        return rows, (*layout.leading, channels, rows, columns)
    return rows, (rows, columns, channels)


def _filter_tile(context: _Context, pixels: Array, valid: Array | None, into: Array | None) -> Array:
    """Return the response of the padded pixels of a tile."""
    if context.fusable and (response := _fused_tile(pixels, valid, context)) is not None:
        return response
    combined = context.spec.channel != "each" and context.layout.channels is not None
    if combined:
        # The result has no place for the channels.
        into = None
    components, extreme = _tile_components(context, pixels, valid, into)
    response = _reduced(components, extreme, into, context)
    return response[..., 0] if combined and context.layout.channel_axis == -1 else response


def _tile_components(
    context: _Context, pixels: Array, valid: Array | None, into: Array | None
) -> tuple[list[Array], bool]:  # fmt: skip
    """Return the components of a padded tile, and whether their squares may overflow or underflow."""
    spec, backend, layout, types = context.spec, context.backend, context.layout, context.types
    axis = layout.channel_axis
    if spec.channel == "luminance" and layout.channels not in (None, 1):
        pixels = luminance([backend.cast(one_channel(pixels, i, axis), types.work) for i in range(3)])
        if valid is not None:
            valid = one_channel(valid, 0, axis) & one_channel(valid, 1, axis) & one_channel(valid, 2, axis)
    if spec.tone == "log":
        step = FLOAT_LEVEL if types.floating else 1.0
        pixels = _logarithm(backend.cast(pixels, types.work), step, context)
    return _components(pixels, valid, context, _places(spec, into))


def _fused_tile(pixels: Array, valid: Array | None, context: _Context) -> Array | None:
    """Return the response of a padded tile by the backend's faster way, with 0 in the place of invalid pixels.

    None without such a way, or if it was tried before.
    """
    spec, backend, xp = context.spec, context.backend, context.backend.xp
    fused = backend.fused(pixels, spec, padded=True)
    if fused is None:
        return None
    known = valid
    if context.types.floating:
        finite = xp.isfinite(pixels)
        known = finite if valid is None else valid & finite
    complete = known is None or bool(known.all())
    if complete and valid is None and context.tried:
        return None
    top, bottom, left, right = spec.halo
    rows, columns = pixels.shape
    response = fused.compute(pixels if complete else backend.keep(pixels, known, 0), top, rows - bottom, None)
    if response is None:
        return None
    response = response[..., left : columns - right]
    if not complete:
        unaffected = [_unaffected(known, component, context) for component in spec.components]
        planes = response if spec.reduce in ("stack", "gradient") else [response] * len(unaffected)
        for plane, where in zip(planes, unaffected, strict=True):
            plane[~where] = xp.nan
    return response


def _logarithm(pixels: Array, step: float, context: _Context) -> Array:
    """Return log(x + step/2) - log(step/2) for x of at least 0, and minus that of -x for others.

    The gradient is that of the logarithm, and a border of zeros stays zero.
    """
    xp = context.backend.xp
    size = xp.abs(pixels)
    # 1, except for numbers that would overflow when they are divided by the step.
    rest = (size / 2.0 ** (context.types.exponent - 16)).clip(1)
    return xp.sign(pixels) * (xp.log1p(size / rest * (2 / step)) + xp.log(rest))


def _places(spec: FilterSpec, into: Array | None) -> list[Array | None]:
    """Return the place of each component in the result, or None."""
    if into is None or spec.reduce in ("magnitude", "maximum"):
        return [None] * len(spec.components)
    return [into] if spec.reduce == "single" else list(into)


def _components(
    pixels: Array, valid: Array | None, context: _Context, places: Sequence[Array | None]
) -> tuple[list[Array], bool]:
    """Return the linear responses, NaN where an invalid pixel affects them.

    Also return whether their squares may overflow or underflow.
    """
    spec, backend, xp = context.spec, context.backend, context.backend.xp
    if spec.nan == "ignore" and valid is None and backend.exporting():
        if spec.wide or context.kernel is not None:
            return _linear(pixels, context, places), False
        # One kernel for each component, with its weights.
        kernels = [Kernel.dense(c.coefficients) for c in spec.components]
        return backend.correlate(pixels, kernels, context.types.work, context.rounding), False
    exponent = context.types.exponent
    largest, finite, some_tiny = 0.0, True, False
    if context.types.floating:
        squared = spec.reduce == "magnitude" or spec.channel in ("max", "dizenzo")
        known = backend.extent(pixels, 2.0 ** -(exponent // 4) if squared else 0.0)
        largest, finite, some_tiny = known or (0.0, False, False)
    large = largest * spec.largest_sum > 2.0 ** (exponent // 2 - MARGIN)
    # NaN needs no restoring where the backend lets it reach exactly the support of each component.
    local = (
        not (finite and valid is None) and not large and context.kernel is None
        and not any(c.cancels for c in spec.components) and backend.keeps_nan_local(pixels, spec.kernels)
    )  # fmt: skip
    if not finite and not local:
        is_finite = xp.isfinite(pixels)
        valid = is_finite if valid is None else valid & is_finite
    if valid is not None:
        pixels = backend.keep(pixels, valid, xp.nan if local else 0)
    totals = _linear(pixels, context, places)
    if large:
        # A partial sum may overflow where the whole sum does not.
        step = 2.0 ** (exponent * 3 // 4)
        smaller = _linear(pixels / step, context, [None] * len(totals))
        totals = [backend.keep(t, xp.isfinite(t), s * step) for t, s in zip(totals, smaller, strict=True)]
    if local:
        # Infinite responses become NaN as well, and no gradient flows from them to valid pixels.
        totals = [backend.keep(t, xp.isfinite(t), xp.nan) for t in totals]
    elif valid is not None:
        unaffected = [_unaffected(valid, c, context) for c in spec.components]
        totals = [backend.keep(t, u, xp.nan) for t, u in zip(totals, unaffected, strict=True)]
    return totals, large or some_tiny


def _linear(pixels: Array, context: _Context, places: Sequence[Array | None]) -> list[Array]:
    """Return the linear responses."""
    spec, backend = context.spec, context.backend
    kernels = spec.kernels if context.kernel is None else (context.kernel,)
    responses = backend.correlate(pixels, kernels, context.types.work, context.rounding)
    return [backend.weighted_sum(responses, c.weights, place) for c, place in zip(spec.components, places, strict=True)]


def _unaffected(valid: Array, component: Component, context: _Context) -> Array:
    """Tell where no coefficient that is not zero covers an invalid pixel."""
    support = component.support if context.kernel is None else context.kernel != 0
    (covered,) = context.backend.correlate(~valid, (support,), context.types.work, Rounding.NONE)
    return covered == 0


def _reduced(components: list[Array], extreme: bool, into: Array | None, context: _Context) -> Array:
    """Combine the components, and the channels where they are combined."""
    spec, backend, axis = context.spec, context.backend, context.layout.channel_axis
    combined = spec.channel in ("max", "dizenzo") and components[0].ndim > 2
    if combined:
        channel_axis: int | None = axis
        combine = strongest if spec.channel == "max" else dizenzo

        def reduce(parts: list[Array]) -> Array:
            return combine(parts, spec.reduce, axis, backend)
    else:
        channel_axis = None

        def reduce(parts: list[Array]) -> Array:
            return reduce_components(parts, spec.reduce, backend)

    if extreme and (combined or spec.reduce == "magnitude"):
        return at_any_size(reduce, components, backend, channel_axis)
    if combined:
        return reduce(components)
    if into is not None and spec.reduce in ("stack", "gradient"):
        for made, place in zip(components, into, strict=True):
            if made is not place:
                place[...] = made
        return into
    return reduce_components(components, spec.reduce, backend, into)
