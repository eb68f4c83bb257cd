"""The network of convolutions that finds boundaries: its layers and how they are connected, without any arithmetic.

May import nothing. The functions that compute are given as `ops`: those of torch, those that train, or those that write
a file for OpenCV.
"""

from typing import Any, Protocol

#: Rows and columns of an image must be multiples of this number.
UNIT = 16

#: Channels at 1/2, 1/4, 1/8 and 1/16 of the resolution, and of the sums on the way back to 1/8, 1/4 and 1/2.
HALF, QUARTER, EIGHTH, SIXTEENTH = 24, 48, 64, 64
BACK_EIGHTH, BACK_QUARTER, BACK_HALF = 40, 32, 24


class Ops(Protocol):
    """The functions that the network consists of. A map has the axes images, channels, rows, columns."""

    def conv(
        self, name: str, x: Any, channels: int, size: int = 1, *, stride: int = 1, depthwise: bool = False,
        relu: bool = False,
    ) -> Any:  # fmt: skip
        """Convolve with the kernels of this name, padded with zeros; `relu` sets negative results to 0.

        `depthwise` filters each channel by itself.
        """

    def add(self, a: Any, b: Any) -> Any:
        """Add two maps."""

    def doubled(self, x: Any) -> Any:
        """Interpolate linearly at twice the resolution, between the centres of pixels."""

    def shuffled(self, x: Any) -> Any:
        """Return one channel of twice the resolution from four: each is one of two by two pixels."""


def network(ops: Ops, image: Any) -> Any:
    """Return the logits of the probability of a boundary, at the image's resolution."""
    return ops.shuffled(ops.conv("boundary", resolutions(ops, image)[0], 4, 3))


def resolutions(ops: Ops, image: Any) -> tuple[Any, Any, Any]:
    """Return what the network finds at 1/2, 1/4 and 1/8 of the image's resolution."""
    half = ops.conv("stem", image, HALF, 5, stride=2, relu=True)
    half = ops.add(half, ops.conv("half 0", half, HALF, 3, relu=True))

    quarter = ops.conv("to quarter", half, QUARTER, 3, stride=2, relu=True)
    quarter = _blocks(ops, "quarter", quarter, QUARTER, 3)
    eighth = _blocks(ops, "eighth", _smaller(ops, "to eighth", quarter, QUARTER, EIGHTH), EIGHTH, 3)
    sixteenth = _smaller(ops, "to sixteenth", eighth, EIGHTH, SIXTEENTH)
    sixteenth = _blocks(ops, "sixteenth", sixteenth, SIXTEENTH, 2)

    back = ops.doubled(ops.conv("sixteenth back", sixteenth, BACK_EIGHTH))
    back_eighth = _joined(ops, "back eighth", back, eighth, BACK_EIGHTH)
    back = ops.doubled(ops.conv("eighth back", back_eighth, BACK_QUARTER))
    back_quarter = _joined(ops, "back quarter", back, quarter, BACK_QUARTER)
    back = ops.doubled(ops.conv("quarter back", back_quarter, BACK_HALF))
    back_half = _joined(ops, "back half", back, half, BACK_HALF)
    return back_half, back_quarter, back_eighth


def _blocks(ops: Ops, name: str, x: Any, channels: int, count: int) -> Any:
    """Add the result of a separable convolution to its input, `count` times."""
    for i in range(count):
        each = ops.conv(f"{name} {i} each", x, channels, 3, depthwise=True, relu=True)
        x = ops.add(x, ops.conv(f"{name} {i} mix", each, channels))
    return x


def _smaller(ops: Ops, name: str, x: Any, before: int, after: int) -> Any:
    """Return maps of half the resolution."""
    return ops.conv(f"{name} mix", ops.conv(f"{name} each", x, before, 3, stride=2, depthwise=True), after, relu=True)


def _joined(ops: Ops, name: str, back: Any, finer: Any, channels: int) -> Any:
    """Add finer maps to those of the coarser resolutions."""
    x = ops.add(back, ops.conv(f"{name} skip", finer, channels))
    return _blocks(ops, name, x, channels, 1)
