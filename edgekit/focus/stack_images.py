"""The images of a stack, checked one after another, as NumPy arrays. May import `display` and what is below it."""

import warnings
from collections.abc import Iterator, Mapping, Set
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgekit.backends.choice import backend_of
from edgekit.common.choices import shown
from edgekit.common.load_cv2 import cv2
from edgekit.common.types import ChannelAxis
from edgekit.errors import DtypeError, ParameterError, ShapeError
from edgekit.filters.inputs import AxisOrder, check_image
from edgekit.focus.alignment import Alignment
from edgekit.focus.sharpest_planes import SharpestPlanes

Array = NDArray[Any]

#: Types that are searched as they are; others are converted to float32.
WHOLE = tuple(np.dtype(t) for t in (np.uint8, np.uint16))

#: Values are not scaled if their exponents are within this distance of 0.
NEAR = 20

#: Each so many values of an image are looked at for their scale.
SAMPLED = 7


class Kind(NamedTuple):
    """What all images of a stack have in common.

    Attributes
    ----------
    shape : tuple of int
        Of the array.
    type : str
        Of the pixels, such as uint8; for tensors with the library.
    """

    shape: tuple[int, ...]
    type: str

    def check(self, found: "Kind", name: str) -> None:
        """Raise if an image is of another kind than the first one.

        Raises
        ------
        ShapeError, DtypeError
            If it is.
        """
        if found.shape != self.shape:
            raise ShapeError(f"{name}: expected the shape {self.shape}, as of the first image; found {found.shape}")
        if found.type != self.type:
            raise DtypeError(f"{name}: expected the type {self.type}, as of the first image; found {found.type}")


def kind_of(image: Any) -> Kind:
    """Return the kind of an array or a tensor."""
    return Kind(tuple(image.shape), str(image.dtype))


class StackImages:
    """The images of a stack.

    Parameters
    ----------
    images : sequence of ndarray or Tensor
        One is used at a time.
    channel_axis : int, None or "auto"
        The axis of the channels of an image.

    Raises
    ------
    ParameterError
        If it is no sequence of images.
    """

    def __init__(self, images: Any, channel_axis: ChannelAxis) -> None:
        if isinstance(images, str | bytes | Mapping | Set) or not hasattr(images, "__getitem__") or not _length(images):
            raise ParameterError(
                f"images={shown(images)} must be a sequence of at least one image, such as a list: each is read twice"
            )
        self._images, self._channel_axis = images, channel_axis
        self._first: Any = None
        self._kind: Kind | None = None
        self._order: AxisOrder | None = None

    def __len__(self) -> int:
        return _length(self._images)

    def __iter__(self) -> Iterator[Array]:
        """Yield each image as (H, W) or (H, W, C).

        Raises
        ------
        ShapeError, DtypeError
            If it is no image, or differs from the first one in shape or type.
        """
        for n in range(len(self)):
            image, order = check_image(self._images[n], self._channel_axis)
            backend = backend_of(image)
            layout = backend.image_layout(image)
            if layout.leading:
                raise ShapeError(
                    f"expected one image for each plane of the stack; found a batch of shape {tuple(image.shape)}"
                )
            if self._first is None:
                self._first, self._order = image[..., :0], order
            kind = kind_of(image)
            self._kind = self._kind or kind
            self._kind.check(kind, f"image {n}")
            array = backend.to_numpy(image)
            yield array if array.ndim == 2 or layout.channel_axis == -1 else np.moveaxis(array, 0, -1)

    def restore(self, array: Array) -> Any:
        """Return an array (H, W) or (H, W, C) with the kind, the type and the axes of the images."""
        assert self._order is not None
        backend = backend_of(self._first)
        if backend.name == "torch" and array.ndim == 3:
            array = np.moveaxis(array, -1, 0)
        made = backend.cast(self.like(array), self._first.dtype)
        return self._order.restore(made)

    def like(self, array: Array) -> Any:
        """Return an array (H, W) as the kind of array that the images have."""
        backend = backend_of(self._first)
        return backend.from_numpy(np.ascontiguousarray(array), getattr(self._first, "device", None))


def search(stack: StackImages, *, surroundings: bool) -> SharpestPlanes:
    """Find the sharpest image for each pixel, and warn if the images are not aligned."""
    planes, alignment, to_gray = SharpestPlanes(surroundings=surroundings), Alignment(), GrayImages()
    for image in stack:
        gray = to_gray(image)
        planes.add(gray)
        alignment.add(gray)
    if alignment.message:
        warnings.warn(alignment.message, UserWarning, stacklevel=3)
    return planes


class GrayImages:
    """Converts the images of a stack to gray, one after another, with values in the range of float32.

    Values far from 1 are multiplied by a power of two, the same one for all images: neither they nor their squares
    become infinite or 0.
    """

    def __init__(self) -> None:
        self._exponent: int | None = None

    def __call__(self, image: Array) -> Array:
        """Return the luminance of an image, or the mean of channels without colours, as uint8, uint16 or float32."""
        if image.dtype not in WHOLE:
            with np.errstate(all="ignore"):  # Values far above the others become infinite, and are never the sharpest.
                if self._exponent is None:
                    self._exponent = _exponent(image)
                image = np.ldexp(image, -self._exponent) if self._exponent else image
                image = image.astype(np.float32, copy=False)
        channels = image.shape[2] if image.ndim == 3 else 1
        if channels in (3, 4):
            code = cv2.COLOR_RGB2GRAY if channels == 3 else cv2.COLOR_RGBA2GRAY
            gray: Array = cv2.cvtColor(np.ascontiguousarray(image), code)
            return gray
        if channels == 1:
            return np.ascontiguousarray(image.reshape(image.shape[:2]))
        return np.asarray(image.mean(axis=2, dtype=np.float32))


def _exponent(image: Array) -> int | None:
    """Return the exponent of the values of an image; 0 if they are near 1, and None if there are none but 0."""
    values = np.abs(image.ravel()[::SAMPLED].astype(np.float64))
    values = values[np.isfinite(values) & (values > 0)]
    if not values.size:
        return None
    exponent = int(np.frexp(np.median(values))[1])
    return exponent if abs(exponent) > NEAR else 0


def _length(images: Any) -> int:
    try:
        return len(images)
    except TypeError:
        return 0
