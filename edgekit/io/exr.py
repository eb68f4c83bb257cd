"""OpenEXR files by the package OpenEXR.

May import `common` and what is below it.
"""

import io
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import TooLargeError
from edgekit.io.decoders import Content
from edgekit.io.libraries import load_library
from edgekit.io.pixels import Pixels

Array = NDArray[Any]

#: Channels per pixel that the limit of pixels allows for.
_CHANNELS = 4


class _Choice(NamedTuple):
    """The channels to read: names, whether they are colours, whether the last one is the opacity."""

    names: tuple[str, ...]
    rgb: bool = False
    opacity: bool = False


def by_openexr(content: Content) -> Pixels:
    """Decode the data window of the first part.

    Values of 16 bits are returned as float32, which OpenCV supports, without a change. Red, green and blue are read, or
    else the luminance, or else all channels as bands in the order of the file, which is that of their names. Colours
    are premultiplied by the opacity, as the format demands.

    Raises
    ------
    MissingExtraError
        If OpenEXR is not installed.
    TooLargeError
        If the header claims more pixels than the limit, or too many channels.
    ValueError
        If the file is truncated, or its channels have different sizes.
    """
    library: Any = load_library("OpenEXR", "OpenEXR", "exr", f"{content.name}: OpenEXR")
    parts = library.File(io.BytesIO(content.data), header_only=True).parts
    header = parts[0].header
    if "deep" in str(header["type"]):
        raise ValueError("it holds deep data, which is not an image of one value per pixel")
    first, last = (window.tolist() for window in header["dataWindow"])
    width, height = last[0] - first[0] + 1, last[1] - first[1] + 1
    content.read_options.check_size((width, height), content.name)
    whole = [c.name for c in header["channels"] if (c.xSampling, c.ySampling) == (1, 1)]
    chosen = _choose(whole)
    if not chosen.names:
        raise ValueError("it has no channel at full size")
    if len(chosen.names) * width * height > _CHANNELS * content.read_options.max_pixels:
        raise TooLargeError(f"{content.name}: claims {len(chosen.names)} channels of {width:,} x {height:,} pixels")
    planes = _planes(library, content.data, chosen.names, (height, width))
    rest = [c.name for c in header["channels"] if c.name not in chosen.names]
    return Pixels(
        planes[0] if len(planes) == 1 else np.stack(planes, -1),
        rgb=chosen.rgb,
        opacity=chosen.opacity,
        premultiplied=chosen.opacity,
    ).with_notes(
        "" if chosen.names[0] in ("R", "Y") else f"channels {', '.join(chosen.names)}",
        f"channels not read: {', '.join(rest)}" if rest else "",
        f"further parts not read: {len(parts) - 1}" if len(parts) > 1 else "",
    )


def _choose(names: Sequence[str]) -> _Choice:
    """Return the colours of the first layer that has some, else its luminance, else all channels.

    The name of a channel is that of its layer, a point and its own; the first layer has no name.
    """
    layers = dict.fromkeys(sorted((name.rpartition(".")[0] for name in names), key=lambda layer: layer != ""))
    for colours in (("R", "G", "B"), ("Y",)):
        for layer in layers:
            prefix = f"{layer}." if layer else ""
            wanted = tuple(prefix + colour for colour in colours)
            if set(wanted) <= set(names):
                opacity = (prefix + "A",) if prefix + "A" in names else ()
                return _Choice(wanted + opacity, len(colours) == 3, bool(opacity))
    return _Choice(tuple(names))


def _planes(library: Any, data: bytes, names: Sequence[str], shape: tuple[int, int]) -> list[Array]:
    """Read channels as arrays of one type.

    `InputFile` is the older interface. The newer one writes a line to standard output where it cannot decode a file.
    """
    file = library.InputFile(io.BytesIO(data))
    try:
        types = {"HALF": np.float16, "FLOAT": np.float32, "UINT": np.uint32}
        channels = file.header()["channels"]
        dtypes = [np.dtype(types[str(channels[name].type)]) for name in names]
        contents = file.channels(list(names))
    finally:
        file.close()
    common = np.result_type(*dtypes, *([np.float32] if np.float16 in dtypes else []))
    return [
        np.frombuffer(content, dtype).reshape(shape).astype(common, copy=False)
        for content, dtype in zip(contents, dtypes, strict=True)
    ]
