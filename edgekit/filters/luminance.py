"""Luminance. May import `backends` and what is below it."""

from collections.abc import Sequence
from typing import Any

#: Weights of red, green and blue (Rec. ITU-R BT.601).
WEIGHTS = (0.299, 0.587, 0.114)


def luminance(channels: Sequence[Any]) -> Any:
    """Return 0.299 R + 0.587 G + 0.114 B of channels of a floating type."""
    red, green, blue = (channel * weight for channel, weight in zip(channels, WEIGHTS, strict=True))
    return red + green + blue
