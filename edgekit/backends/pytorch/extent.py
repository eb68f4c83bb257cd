"""How large and how small the pixels of tensors are, where asking is cheap. Imports torch."""

import math

import torch

from edgekit.backends.pytorch.tiling import on_processor

Array = torch.Tensor


def extent(window: Array) -> tuple[float, bool]:
    # On a GPU the question would wait for all work before it.
    if not on_processor(window) or not window.numel():
        return 0.0, False
    pixels = window.detach()
    low, high = pixels.aminmax()
    if (largest := max(float(high), -float(low))) < math.inf:
        return largest, True
    return float(torch.where(pixels.isfinite(), pixels.abs(), 0).max()), False


def some_tiny(window: Array, below: float) -> bool:
    if not on_processor(window) or not window.numel():
        return False
    pixels = window.detach()
    if pixels.min() >= below:
        return False
    return bool((pixels.abs() < below).count_nonzero() > pixels.numel() - pixels.count_nonzero())


def some_not_finite(array: Array) -> bool:
    return on_processor(array) and not extent(array)[1]
