"""Networks of convolutions, run by torch."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional


def run_network(describe: Callable[..., Any], weights: Mapping[str, NDArray[np.float32]], image: Tensor) -> Tensor:
    """See `Backend`."""
    result: Tensor = describe(_Functions(weights, image.device), image[None])[0, 0]
    return result


class MapFunctions:
    """The functions of a network that have no weights."""

    def add(self, a: Tensor, b: Tensor) -> Tensor:
        return a + b

    def doubled(self, x: Tensor) -> Tensor:
        return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)

    def shuffled(self, x: Tensor) -> Tensor:
        return functional.pixel_shuffle(x, 2)


class _Functions(MapFunctions):
    """The functions of a network with given weights."""

    def __init__(self, weights: Mapping[str, NDArray[np.float32]], device: torch.device) -> None:
        self.weights, self.device = weights, device

    def conv(
        self, name: str, x: Tensor, channels: int, size: int = 1, *, stride: int = 1, depthwise: bool = False,
        relu: bool = False,
    ) -> Tensor:  # fmt: skip
        kernel, bias = (torch.from_numpy(self.weights[f"{name}/{p}"]).to(self.device) for p in ("kernel", "bias"))
        groups = channels if depthwise else 1
        x = functional.conv2d(x, kernel, bias, stride, size // 2, groups=groups)
        return functional.relu(x) if relu else x
