"""Networks of convolutions, run by OpenCV. It reads networks as ONNX files, which are written here in memory.

May import `common`.
"""

import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from edgekit.backends.interface import Array
from edgekit.common.load_cv2 import cv2

#: Networks by the functions that describe them, for each thread: OpenCV's networks may not be shared.
_local = threading.local()

#: The version of the operators, and of the file format.
_OPERATORS, _FORMAT = 13, 8

#: Types of tensors and attributes in ONNX files.
_FLOAT = 1
_AS_INT, _AS_STRING, _AS_INTS = 2, 3, 7


def run_network(describe: Callable[..., Any], weights: Mapping[str, Array], image: Array) -> Array:
    """See `Backend`."""
    networks = _local.__dict__.setdefault("networks", {})
    key = (describe, id(weights))
    if key not in networks:
        content = np.frombuffer(_onnx(describe, weights), np.uint8)
        networks[key] = cv2.dnn.readNetFromONNX(content), weights
    network = networks[key][0]
    network.setInput(np.ascontiguousarray(image, np.float32)[None])
    result: Array = network.forward()[0, 0].copy()
    return result


def _onnx(describe: Callable[..., Any], weights: Mapping[str, Array]) -> bytes:
    """Return the ONNX file of a network with one input, (1, 3, rows, columns) of any size, and one output."""
    writer = _Writer(weights)
    output = describe(writer, "image")
    graph = [*(_field(1, node) for node in writer.nodes), _field(2, b"network")]
    graph += [_field(5, tensor) for tensor in writer.tensors]
    graph += [_field(11, _value("image", 3)), _field(12, _value(output, 1))]
    operators = _field(8, _field(1, b"") + _number(2, _OPERATORS))
    return _number(1, _FORMAT) + _field(7, b"".join(graph)) + operators


class _Writer:
    """The functions of a network; each writes a node. A map is the name of a node's output."""

    def __init__(self, weights: Mapping[str, Array]) -> None:
        self.weights = weights
        self.nodes: list[bytes] = []
        self.tensors: list[bytes] = []

    def conv(
        self, name: str, x: str, channels: int, size: int = 1, *, stride: int = 1, depthwise: bool = False,
        relu: bool = False,
    ) -> str:  # fmt: skip
        kernel, bias = (self._constant(f"{name}/{part}") for part in ("kernel", "bias"))
        half = size // 2
        attributes = [
            _ints("pads", (half,) * 4),
            _ints("strides", (stride, stride)),
            _ints("kernel_shape", (size,) * 2),
        ]
        attributes.append(_int("group", channels if depthwise else 1))
        out = self._node("Conv", [x, kernel, bias], attributes)
        return self._node("Relu", [out], []) if relu else out

    def add(self, a: str, b: str) -> str:
        return self._node("Add", [a, b], [])

    def doubled(self, x: str) -> str:
        if "doubled" not in self.weights:
            scales = np.array([1, 1, 2, 2], np.float32)
            self.weights = {**self.weights, "doubled": scales}
            self._constant("doubled")
        mode = [_text("mode", "linear"), _text("coordinate_transformation_mode", "half_pixel")]
        return self._node("Resize", [x, "", "doubled"], mode)

    def shuffled(self, x: str) -> str:
        return self._node("DepthToSpace", [x], [_int("blocksize", 2), _text("mode", "CRD")])

    def _constant(self, name: str) -> str:
        values = np.ascontiguousarray(self.weights[name], np.float32)
        dims = b"".join(_number(1, n) for n in values.shape)
        self.tensors.append(dims + _number(2, _FLOAT) + _field(8, name.encode()) + _field(9, values.tobytes()))
        return name

    def _node(self, kind: str, inputs: list[str], attributes: list[bytes]) -> str:
        output = f"{kind} {len(self.nodes)}"
        parts = [_field(1, name.encode()) for name in inputs] + [_field(2, output.encode())]
        parts += [_field(3, output.encode()), _field(4, kind.encode())]
        self.nodes.append(b"".join(parts + [_field(5, a) for a in attributes]))
        return output


def _value(name: str, channels: int) -> bytes:
    """Return the description of an input or output: its name and shape."""
    sizes = [_number(1, 1), _number(1, channels), _field(2, b"rows"), _field(2, b"columns")]
    shape = b"".join(_field(1, size) for size in sizes)
    return _field(1, name.encode()) + _field(2, _field(1, _number(1, _FLOAT) + _field(2, shape)))


def _ints(name: str, values: tuple[int, ...]) -> bytes:
    return _field(1, name.encode()) + b"".join(_number(8, v) for v in values) + _number(20, _AS_INTS)


def _int(name: str, value: int) -> bytes:
    return _field(1, name.encode()) + _number(3, value) + _number(20, _AS_INT)


def _text(name: str, value: str) -> bytes:
    return _field(1, name.encode()) + _field(4, value.encode()) + _number(20, _AS_STRING)


def _field(number: int, content: bytes) -> bytes:
    """Return a field of bytes, as Protocol Buffers encode it."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _number(number: int, value: int) -> bytes:
    """Return a field of an integer that is at least 0."""
    return _varint(number << 3) + _varint(value)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])
