"""The boundary network while it is trained: its layers in torch, with batch normalization after each."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from edgekit.backends.pytorch.network import MapFunctions
from edgekit.edges.network import resolutions

#: Channels of the input: red, green, blue.
COLOURS = 3

#: The outputs that only training needs.
SIDES = ("side quarter", "side eighth")

#: The layers without normalization.
OUTPUTS = ("boundary", *SIDES)


class Shapes:
    """Functions of the network that compute nothing: they collect the layers. A map is its number of channels."""

    def __init__(self) -> None:
        self.layers: dict[str, dict[str, Any]] = {}

    def conv(self, name, x, channels, size=1, *, stride=1, depthwise=False, relu=False):  # type: ignore[no-untyped-def]
        self.layers[name] = {
            "in_channels": x, "out_channels": channels, "kernel_size": size, "stride": stride, "padding": size // 2,
            "groups": x if depthwise else 1, "bias": name in OUTPUTS,
        }  # fmt: skip
        return channels

    def add(self, a, b):  # type: ignore[no-untyped-def]
        assert a == b, (a, b)
        return a

    def doubled(self, x):  # type: ignore[no-untyped-def]
        return x

    def shuffled(self, x):  # type: ignore[no-untyped-def]
        return x // 4


def every_output(ops: Any, image: Any) -> tuple[Any, Any, Any]:
    """Return the logits of the network, and those at 1/4 and 1/8 of the resolution, which are for training only."""
    half, quarter, eighth = resolutions(ops, image)
    return ops.shuffled(ops.conv("boundary", half, 4, 3)), ops.conv(SIDES[0], quarter, 1), ops.conv(SIDES[1], eighth, 1)


class Layer(nn.Module):
    """A convolution, and batch normalization unless its result is an output."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(**options)
        self.norm = nn.Identity() if options["bias"] else nn.BatchNorm2d(options["out_channels"], momentum=0.02)
        nn.init.kaiming_normal_(self.conv.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Convolve and normalize."""
        out: Tensor = self.norm(self.conv(x))
        return out

    def folded(self) -> tuple[Tensor, Tensor]:
        """Return the kernels and biases of one convolution that computes the same."""
        kernel = self.conv.weight.detach()
        if isinstance(self.norm, nn.Identity):
            return kernel, self.conv.bias.detach()
        norm = self.norm
        gain = norm.weight.detach() / torch.sqrt(norm.running_var + norm.eps)
        return kernel * gain[:, None, None, None], norm.bias.detach() - norm.running_mean * gain


class TrainingNetwork(MapFunctions, nn.Module):
    """The network with its layers as modules; they are the functions that `network` asks for."""

    def __init__(self) -> None:
        super().__init__()
        shapes = Shapes()
        every_output(shapes, COLOURS)
        self.layers = nn.ModuleDict({name: Layer(options) for name, options in shapes.layers.items()})
        for name in ("quarter", "eighth", "sixteenth"):
            for i in range(3):
                if (key := f"{name} {i} mix") in self.layers:
                    # A residual block starts as a small change of its input.
                    nn.init.constant_(self.layers[key].norm.weight, 0.3)
        with torch.no_grad():
            self.layers["stem"].conv.weight.copy_(torch.from_numpy(oriented_kernels()))
            for name in OUTPUTS:
                self.layers[name].conv.weight.mul_(0.1)
                self.layers[name].conv.bias.fill_(-2.5)

    def conv(self, name, x, channels, size=1, *, stride=1, depthwise=False, relu=False):  # type: ignore[no-untyped-def]
        x = self.layers[name](x)
        return functional.relu(x) if relu else x

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the logits at the image's resolution, and at 1/4 and 1/8 of it."""
        outputs: tuple[Tensor, Tensor, Tensor] = every_output(self, image)
        return outputs

    def weights(self) -> dict[str, np.ndarray]:
        """Return the kernels and biases of the layers that inference needs, in half precision."""
        found: dict[str, np.ndarray] = {}
        for name, layer in self.layers.items():
            if name not in SIDES:
                kernel, bias = layer.folded()
                found[f"{name}/kernel"] = kernel.numpy().astype(np.float16)
                found[f"{name}/bias"] = bias.numpy().astype(np.float16)
        return found


def oriented_kernels() -> np.ndarray:
    """Return the kernels that the first layer starts from: first derivatives of a Gaussian, 5x5.

    Twelve directions of lightness, six of red against green, and six of yellow against blue.
    """
    y, x = np.mgrid[-2:3, -2:3].astype(np.float64)
    bell = np.exp(-(x * x + y * y) / (2 * 1.1**2))
    kernels = []
    opponents = {12: (0.299, 0.587, 0.114), 6: (0.7, -0.7, 0.0), -6: (0.35, 0.35, -0.7)}
    for count, colour in opponents.items():
        for i in range(abs(count)):
            angle = 2 * np.pi * i / abs(count)
            plane = (np.cos(angle) * x + np.sin(angle) * y) * bell
            plane *= 1 / np.abs(plane).sum()
            kernels.append(np.multiply.outer(np.array(colour), plane))
    return np.array(kernels, np.float32)
