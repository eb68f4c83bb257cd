"""Combines the components of a response, and its channels. May import `backends` and what is below it."""

from collections.abc import Callable
from typing import Any

from edgekit.backends.interface import Array, Backend

#: Sums of squares do not overflow up to this number of exponents below half of the largest exponent.
MARGIN = 8


def one_channel(array: Array, index: int, axis: int) -> Array:
    """Return one channel, keeping the axis."""
    return array[(Ellipsis, slice(index, index + 1), *[slice(None)] * (-axis - 1))]


def at_any_size(
    combine: Callable[[list[Array]], Array], parts: list[Array], backend: Backend, axis: int | None = None
) -> Array:
    """Combine parts so that no square overflows or underflows. All other results stay the same, bit for bit.

    Parameters
    ----------
    combine : callable
        Its result is proportional to the parts.
    axis : int, optional
        The axis that is combined, too.
    """
    xp, exponent = backend.xp, backend.array_types(parts[0]).exponent
    size = xp.abs(parts[0])
    for part in parts[1:]:
        size = xp.maximum(size, xp.abs(part))
    if axis is not None:
        size = xp.amax(size, axis, keepdims=True)
    most, step = 2.0 ** (exponent // 2 - MARGIN), 2.0 ** (exponent * 3 // 4)
    # Multiplying by a power of two is exact.
    factor = xp.where(size > most, 1 / step, xp.where(size < 1 / most, step, xp.ones_like(size)))
    return combine([part * factor for part in parts]) / factor


def reduce_components(components: list[Array], reduce: str, backend: Backend, into: Array | None = None) -> Array:
    """Combine components, each channel separately."""
    match reduce:
        case "single":
            return components[0]
        case "magnitude":
            return backend.magnitude(components, into, overwrite=True)
        case "maximum":
            total = components[0]
            for other in components[1:]:
                total = backend.xp.maximum(total, other)
            return total
    return backend.xp.stack(components)


def strongest(components: list[Array], reduce: str, axis: int, backend: Backend) -> Array:
    """Keep, at each pixel, the channel with the largest absolute response and its sign; NaN if one channel is NaN."""
    xp = backend.xp
    gradient = reduce == "gradient"
    parts = components if gradient else [reduce_components(components, reduce, backend)]
    strength = components[0] ** 2 + components[1] ** 2 if gradient else xp.abs(parts[0])
    best, most = [one_channel(p, 0, axis) for p in parts], one_channel(strength, 0, axis)
    for i in range(1, strength.shape[axis]):
        other = one_channel(strength, i, axis)
        # Of equal channels the first is kept.
        stronger = (other > most) | xp.isnan(other)
        best = [xp.where(stronger, one_channel(p, i, axis), b) for p, b in zip(parts, best, strict=True)]
        most = xp.where(stronger, other, most)
    return xp.stack(best) if gradient else best[0]


def dizenzo(components: list[Array], reduce: str, axis: int, backend: Backend) -> Array:
    """Combine the channels' gradients by the structure tensor (Di Zenzo 1986, 10.1016/0734-189X(86)90223-9).

    Along a direction the response is the root of the channels' summed squares. The magnitude is that along the
    direction where it is largest. The sign is that of the channels' sum.
    """
    xp = backend.xp

    def total(array: Array) -> Array:
        return xp.sum(array, axis, keepdims=True)

    def length(*arrays: Array) -> Array:
        return backend.magnitude([one_channel(a, i, axis) for a in arrays for i in range(a.shape[axis])])

    if reduce in ("single", "stack"):
        signed = [length(c) * _sign(total(c), xp) for c in components]
        return signed[0] if reduce == "single" else xp.stack(signed)
    gx, gy = components
    xx, yy, xy = total(gx * gx), total(gy * gy), total(gx * gy)
    energy = xx + yy
    # Relative to the energy: fourth powers would overflow or underflow.
    whole = xp.where(energy > 0, energy, 1)
    spread = backend.magnitude([(xx - yy) / whole, 2 * xy / whole])
    magnitude = length(gx, gy) * xp.sqrt((1 + spread) / 2)
    if reduce == "magnitude":
        return magnitude
    # Half the double angle is in (-90, 90]: the sum of the gradients tells which of the two directions is uphill.
    angle = xp.arctan2(2 * xy, xx - yy) / 2
    cos, sin = xp.cos(angle), xp.sin(angle)
    magnitude = magnitude * _sign(cos * total(gx) + sin * total(gy), xp)
    return xp.stack([magnitude * cos, magnitude * sin])


def _sign(array: Array, xp: Any) -> Array:
    """Return -1 where negative, else 1."""
    return xp.where(array < 0, -1, xp.ones_like(array))
