"""The score: the probability that a person calls an image sharp.

May import `display` and what is below it.

The score is a function of the width of the blur alone, so that contrast, exposure and the amount of texture do not
change it: 1 / (1 + (w / half) ** slope), where w is the geometric mean of the width of the blur and of its width in the
sharpest part, in pixels at viewing size. `score_model.json` holds the two numbers; `scripts/evaluation/fit_score.py`
fits them to photographs that people sorted.
"""

import json
import math
from collections.abc import Callable
from functools import cache
from importlib import resources
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgekit.backends.choice import backend_of
from edgekit.common.choices import JUDGED_AT, check_choice, number_range
from edgekit.common.load_cv2 import cv2
from edgekit.common.types import ChannelAxis
from edgekit.display.value_range import Range
from edgekit.filters.inputs import check_image
from edgekit.focus.edge_widths import (
    batch_of,
    edges_of,
    measured_width,
    numpy_images,
    plain_mask,
    weights_in_tiles,
)
from edgekit.focus.picture_area import PictureArea, picture_area
from edgekit.focus.planes import measured_type

Array = NDArray[Any]

#: Longer side in pixels of an image at viewing size.
VIEW = 1024

#: What decides whether a blur counts.
At = Literal["view", "full"]

#: The confidence is 0.5 for this standard error, as a fraction of the width.
HALF_ERROR = 0.35

#: The map averages over so much of the longer side of the image.
NEIGHBOURHOOD = 1 / 16


class Judgement(NamedTuple):
    """How sharp an image is, and why.

    Attributes
    ----------
    score : float
        The probability that a person calls the image sharp; NaN where undefined.
    blur_px : float
        The standard deviation of the blur along its widest direction, in pixels of the whole image.
    blur_direction : float
        The direction of a motion in degrees, from 0 to 180; NaN if the blur is round.
    confidence : float
        From 0 to 1; small if few edges were measured, or if their widths differ.
    reason : str
        Why the score is undefined; otherwise empty.
    """

    score: float
    blur_px: float
    blur_direction: float
    confidence: float
    reason: str


class Model(NamedTuple):
    """The two numbers of the score: the width with a score of 0.5, in pixels, and the slope at it."""

    half: float
    slope: float

    def probability(self, width: Any) -> Any:
        """Return the score of a width in pixels."""
        return 1 / (1 + (width / self.half) ** self.slope)


@cache
def model() -> Model:
    """Return the fitted numbers."""
    text = resources.files("edgekit.focus").joinpath("score_model.json").read_text(encoding="utf-8")
    fitted = json.loads(text)
    return Model(fitted["half"], fitted["slope"])


def score(
    image: Any,
    *,
    at: At = "view",
    mask: Any = None,
    channel_axis: ChannelAxis = "auto",
    in_range: Range | None = None,
) -> Any:
    """Return the probability that a person calls an image sharp.

    Parameters
    ----------
    image : ndarray or Tensor
        As for `edgekit.sharpness`. Each image of a batch is scored separately. Pixels that are not finite are left
        out.
    at : {"view", "full"}
        Whether the image is judged at viewing size, 1024 pixels on its longer side, or each of its pixels counts.
    mask : ndarray or Tensor of bool, optional
        (H, W), True where the image is to be judged.
    channel_axis : int, None or "auto"
        The axis of the channels, as for `edgekit.sobel`.
    in_range : (float, float), optional
        The values of black and white, if they are not those of the type, such as (0, 4095) for 12 bits. Saturated
        pixels are recognised by it.

    Returns
    -------
    float or Tensor
        From 0 for blurred to 1 for sharp; 0.5 is the threshold. For a tensor one value for each image of the batch,
        of the type of `edgekit.sharpness`, without a gradient. NaN where there is nothing to judge: no edges, only
        noise, everything masked, or fewer than 16 pixels along a side.

    Raises
    ------
    ShapeError, DtypeError
        If the image or the mask does not fit.
    ParameterError
        If `at` is not known, or `in_range` is not two numbers.

    Notes
    -----
    The score depends on `width` and `sharpest` of `edgekit.blur_width`, and on nothing else.

    Examples
    --------
    >>> import numpy as np, cv2, edgekit as ek
    >>> y, x = np.mgrid[:256, :256]
    >>> image = np.where((x // 16 + y // 16) % 2, 200, 50).astype(np.uint8)
    >>> blurred = cv2.GaussianBlur(image, (0, 0), 2)
    >>> ek.score(image) > 0.9 > 0.1 > ek.score(blurred)
    True
    >>> ek.score(np.full((64, 64), 9, np.uint8))
    nan
    """
    image, _ = check_image(image, channel_axis)
    if in_range is not None:
        in_range = number_range("in_range", in_range)
    check_choice("at", at, JUDGED_AT)
    mask = plain_mask(mask, image)

    def one(array: Array) -> float:
        return judge(array, at=at, mask=mask, in_range=in_range).score

    return _each(image, one)


def judge(
    image: Array,
    *,
    at: At = "view",
    mask: Any = None,
    in_range: Range | None = None,
    full_size: int | None = None,
    view: float = VIEW,
) -> Judgement:
    """Score a NumPy image (H, W) or (H, W, C), and tell the width of its blur.

    Parameters
    ----------
    full_size : int, optional
        Longer side of the image in the file, if `image` is a reduced one.
    view : float
        Longer side of `image` at viewing size; smaller if it is a part of an image.
    """
    area = picture_area(image, mask, None if in_range is None else in_range[1])
    longer = max(image.shape[:2])
    viewed = area.reduced(round(view)) if at == "view" else area
    found = measured_width(viewed, math.hypot(*viewed.gray.shape))
    scale = (full_size or longer) / longer * max(area.gray.shape) / max(viewed.gray.shape)
    return Judgement(
        model().probability(found.judged),
        _of_whole(found.width, scale),
        found.direction,
        0.0 if found.reason else 1 / (1 + (found.error / HALF_ERROR) ** 2),
        found.reason,
    )


def _of_whole(width: float, scale: float) -> float:
    """Return a width in pixels of an image that was reduced by averaging over `scale` pixels along each side."""
    averaging = (1 - 1 / scale**2) / 12
    return scale * math.sqrt(max(width**2 - averaging, width**2 / 10))


def blur_map(image: Any, *, mask: Any = None, channel_axis: ChannelAxis = "auto") -> Any:
    """Return a map of the local width of the blur of an image.

    Parameters
    ----------
    image : ndarray or Tensor
        As for `edgekit.sharpness`. Each image of a batch is measured separately.
    mask : ndarray or Tensor of bool, optional
        (H, W), True where the image is to be measured.
    channel_axis : int, None or "auto"
        The axis of the channels, as for `edgekit.sobel`.

    Returns
    -------
    ndarray or Tensor of float32
        (H, W); for torch (..., 1, H, W), or (H, W) for an image without channels. The standard deviation of the blur
        in pixels of the image: the harmonic mean over the edges near each pixel. NaN where there are none. Without a
        gradient.

    Raises
    ------
    ShapeError, DtypeError
        If the image or the mask does not fit.

    Notes
    -----
    Images with more than 1024 pixels along a side are reduced to this size. A narrower blur than half a pixel of the
    reduced image is then shown as about this width.

    Examples
    --------
    >>> import numpy as np, cv2, edgekit as ek
    >>> y, x = np.mgrid[:256, :256]
    >>> image = np.where((x // 16 + y // 16) % 2, 200, 50).astype(np.uint8)
    >>> image[:128] = cv2.GaussianBlur(image[:128], (0, 0), 3)
    >>> where = ek.blur_map(image)
    >>> bool(where[30, 128] > 2.5 > 1 > where[220, 128])
    True
    """
    return _each_map(image, mask, channel_axis, lambda array, valid: _widths(array, valid)[0])


def sharpness_map(image: Any, *, at: At = "view", mask: Any = None, channel_axis: ChannelAxis = "auto") -> Any:
    """Return a map of the local sharpness of an image.

    Parameters
    ----------
    image : ndarray or Tensor
        As for `edgekit.sharpness`. Each image of a batch is measured separately.
    at : {"view", "full"}
        Whether the image is judged at viewing size or at full size, as for `edgekit.score`.
    mask : ndarray or Tensor of bool, optional
        (H, W), True where the image is to be measured.
    channel_axis : int, None or "auto"
        The axis of the channels, as for `edgekit.sobel`.

    Returns
    -------
    ndarray or Tensor of float32
        (H, W); for torch (..., 1, H, W), or (H, W) for an image without channels. The score of the local width of the
        blur, from 0 to 1. NaN where there are no edges. Without a gradient.

    Raises
    ------
    ShapeError, DtypeError
        If the image or the mask does not fit.

    Examples
    --------
    >>> import numpy as np, cv2, edgekit as ek
    >>> y, x = np.mgrid[:256, :256]
    >>> image = np.where((x // 16 + y // 16) % 2, 200, 50).astype(np.uint8)
    >>> image[:128] = cv2.GaussianBlur(image[:128], (0, 0), 3)
    >>> where = ek.sharpness_map(image)
    >>> bool(where[220, 128] > 0.9 > 0.1 > where[30, 128])
    True
    """
    check_choice("at", at, JUDGED_AT)

    def local(array: Array, valid: Array | None) -> Array:
        widths, scale = _widths(array, valid)
        scores: Array = model().probability(widths / np.float32(scale if at == "view" else 1)).astype(np.float32)
        return scores

    return _each_map(image, mask, channel_axis, local)


def _widths(image: Array, mask: Any) -> tuple[Array, float]:
    """Return the map of widths in pixels of the image, and how much larger the image is than at viewing size."""
    rows, columns = image.shape[:2]
    area = picture_area(image, mask)
    viewed = area.reduced(VIEW)
    scale = max(area.gray.shape) / max(viewed.gray.shape)
    _, edges, reason = edges_of(viewed)
    result = np.full((rows, columns), np.nan, np.float32)
    if reason:
        return result, scale
    local = _local_widths(viewed, edges.x, edges.y, 1 / (edges.width * scale), weights_in_tiles(edges))
    top, left = area.origin
    high, wide = area.gray.shape
    result[top : top + high, left : left + wide] = cv2.resize(local, (wide, high), interpolation=cv2.INTER_LINEAR)
    return result, scale


def _local_widths(area: PictureArea, x: Array, y: Array, inverses: Array, weights: Array) -> Array:
    """Return the harmonic mean of the widths around each pixel; NaN without edges and in invalid pixels.

    As the low quantile for the whole image, this mean follows the sharper edges.
    """
    rows, columns = area.gray.shape
    step = max(1, max(rows, columns) // 128)
    shape = -(-rows // step), -(-columns // step)
    place = np.minimum(y / step, shape[0] - 1).astype(int), np.minimum(x / step, shape[1] - 1).astype(int)
    total, sum_ = np.zeros(shape), np.zeros(shape)
    np.add.at(total, place, weights)
    np.add.at(sum_, place, weights * inverses)
    sigma = max(shape) * NEIGHBOURHOOD
    total, sum_ = (cv2.GaussianBlur(a, (0, 0), sigma, borderType=cv2.BORDER_CONSTANT) for a in (total, sum_))
    # The weight, two standard deviations away, of a single edge with a hundredth of the largest weight.
    least = float(weights.max()) / 100 * math.exp(-2) / (2 * math.pi * sigma**2)
    with np.errstate(all="ignore"):
        mean = np.where(total > least, total / sum_, np.nan)
    whole = cv2.resize(mean.astype(np.float32), (columns, rows), interpolation=cv2.INTER_LINEAR)
    if area.invalid is not None:
        whole[area.invalid] = np.nan
    return whole


def _each(image: Any, function: Callable[[Array], float]) -> Any:
    """Return the value of an image, or a tensor of the values of a batch."""
    if isinstance(image, np.ndarray):
        return function(image)
    values = [function(one) for one in numpy_images(image)]
    return image.new_tensor(values, dtype=measured_type(image)).reshape(batch_of(image))


def _each_map(
    image: Any, mask: Any, channel_axis: ChannelAxis, function: Callable[[Array, Array | None], Array]
) -> Any:
    """Return the map of an image, or a tensor of the maps of a batch."""
    image, order = check_image(image, channel_axis)
    valid = plain_mask(mask, image)
    if isinstance(image, np.ndarray):
        return function(image, valid)
    maps = image.new_empty((*batch_of(image), *image.shape[-2:]), dtype=backend_of(image).xp.float32)
    for place, one in zip(maps.view(-1, *image.shape[-2:]), numpy_images(image), strict=True):
        place.copy_(backend_of(image).xp.from_numpy(function(one, valid)))
    return order.restore(maps if image.ndim == 2 else maps[..., None, :, :])
