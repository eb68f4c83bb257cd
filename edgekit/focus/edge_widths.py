"""The width of the blur of an image: how wide its strongest edges are.

May import `display` and what is below it. The method:

1. `Pyramid.edges` fits the width of the strongest edges of each tile.
2. Edges with less contrast than others of their tile hardly count: the blur of a moving camera leaves faint sharp
   copies, and texture is seldom as steep as the outlines of objects.
3. A low quantile over all tiles is the width: a sharp subject in front of a blurred background is sharp.
4. Motion blurs across the edges of one direction only. An ellipse is fitted to the widths by direction. If it is
   long, the widths along and across its axis are measured again, each by the derivative in that direction alone.
5. An image with texture and no edges, such as a small patch, is measured by the ratio of the energies of its first and
   second derivatives.
"""

import math
from collections.abc import Iterator
from operator import index
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgekit.backends.choice import backend_of
from edgekit.common.choices import shown
from edgekit.common.html_views import fields_table
from edgekit.common.types import ChannelAxis
from edgekit.errors import ParameterError, ShapeError
from edgekit.filters.inputs import broadcast_mask, check_image, to_numpy_image
from edgekit.focus.edge_profiles import NO_EDGES, SMALLEST, TILES, Edges, Pyramid
from edgekit.focus.measures import sharpness
from edgekit.focus.picture_area import PictureArea, picture_area
from edgekit.focus.planes import measured_type

Array = NDArray[Any]

#: The quantile of the widths, and how much smaller it is than the width of the blur, on photographs with known blur.
QUANTILE, CALIBRATION = 0.25, 0.9

#: The quantile along a motion, where the faint sharp copies of fine details must not decide. It is the width itself.
QUANTILE_ALONG = 0.4

#: The weight of an edge is this power of its contrast, relative to the largest in its tile.
POWER = 4

#: The weight of a tile grows with its contrast, up to this multiple of the median contrast of all tiles.
MOST_CONTRAST = 2.0

#: Least contrast of an edge, in steps of the gray levels.
LEAST_STEPS = 8

#: Least number of edges for a width, and for a width along one direction.
FEW, FEW_ALONG = 4, 8

#: Least ratio of length to width of a motion blur: of the fitted ellipse, and of the widths measured along its axes.
LONG, LONG_MEASURED = 1.4, 1.4

#: Least length of the ellipse of a motion blur, in pixels. Sharp images have shorter ones.
LEAST_LONG = 1.0

#: The quantile of the sharpest edges. Along a motion it is larger than the width across, by at least this factor. If
#: only the background is blurred, it is smaller.
SHARPEST, LONG_SHARPEST = 0.1, 1.2

#: Texture without isolated edges is measured by a ratio of energies. The first number converts its root to the width of
#: the blur, the second is the relative standard error of this width.
TEXTURE_CALIBRATION, TEXTURE_ERROR = 1.2, 1.0

#: Number of directions at which the ellipse is fitted.
DIRECTIONS = 12


class BlurWidth(NamedTuple):
    """How wide the blur of an image is.

    Attributes
    ----------
    width : float
        The standard deviation of the blur along its widest direction, in pixels. Photographs in focus have 0.4 to 0.8.
    across : float
        The standard deviation across that direction; equal to `width` if the blur is round.
    sharpest : float
        The width in the sharpest part of the image, in pixels: the 10th percentile of the widths. It is smaller than
        `width` if a sharp subject is in front of a blurred background.
    direction : float
        The direction of a motion blur in degrees, from 0 (along x) to 180, growing clockwise; NaN if the blur is round.
    length : float
        The length in pixels of a uniform motion with this width; NaN if the blur is round.
    relative : float
        `width` as a fraction of the diagonal of the image.
    error : float
        The standard error of the widths of all edges, as a fraction.
    share : float
        The fraction of the tiles of the image that have edges that could be measured.
    reason : str
        Why the width is undefined: ``flat``, ``too small``, ``noise only`` or ``masked``; otherwise empty. A tuple for
        a tensor.
    """

    width: float
    across: float
    sharpest: float
    direction: float
    length: float
    relative: float
    error: float
    share: float
    reason: str = ""

    def _repr_html_(self) -> str:
        return fields_table("Width of the blur", self._asdict())

    @property
    def judged(self) -> float:
        """The width that the score is computed from: the geometric mean of `width` and `sharpest`."""
        return math.sqrt(self.width * self.sharpest)


def blur_width(
    image: Any,
    *,
    mask: Any = None,
    roi: tuple[int, int, int, int] | None = None,
    channel_axis: ChannelAxis = "auto",
) -> BlurWidth:
    """Estimate how wide the blur of an image is, from the widths of its edges.

    Parameters
    ----------
    image : ndarray or Tensor
        As for `edgekit.sharpness`. Each image of a batch is measured separately. Pixels that are not finite are left
        out.
    mask : ndarray or Tensor of bool, optional
        (H, W), True where the image is to be measured.
    roi : tuple of int, optional
        x, y, width and height of the part to be measured.
    channel_axis : int, None or "auto"
        The axis of the channels, as for `edgekit.sobel`.

    Returns
    -------
    BlurWidth
        The width in pixels, the direction of a motion, and how certain they are. NaN, with a reason, if the image has
        no edges that can be measured. For a tensor each number is a tensor with one value for each image.

    Raises
    ------
    ShapeError, DtypeError
        If the image or the mask does not fit.
    ParameterError
        If the region is not within the image.

    Notes
    -----
    Contrast, exposure and the number of edges do not change the width. Profiles of the strongest edges are compared
    with ideal blurred edges of known width.

    Examples
    --------
    >>> import numpy as np, cv2, edgekit as ek
    >>> y, x = np.mgrid[:256, :256]
    >>> image = np.where((x // 32 + y // 32) % 2, 200, 50).astype(np.uint8)
    >>> found = ek.blur_width(cv2.GaussianBlur(image, (0, 0), 3))
    >>> 2.7 < found.width < 3.4, found.direction
    (True, nan)
    """
    image, _ = check_image(image, channel_axis)
    mask = plain_mask(mask, image)
    region = slice(None), slice(None)
    if roi is not None:
        x, y, width, height = checked_region(roi, image)
        region = slice(y, y + height), slice(x, x + width)

    def one(array: Array) -> BlurWidth:
        part = array[region]
        return measured_width(picture_area(part, None if mask is None else mask[region]), math.hypot(*part.shape[:2]))

    if isinstance(image, np.ndarray):
        return one(image)
    found = [one(array) for array in numpy_images(image)]
    columns: list[Any] = list(zip(*found, strict=True)) or [()] * len(BlurWidth._fields)
    kind, shape = measured_type(image), batch_of(image)
    columns[:-1] = [image.new_tensor(values, dtype=kind).reshape(shape) for values in columns[:-1]]
    return BlurWidth(*columns)


def measured_width(area: PictureArea, diagonal: float) -> BlurWidth:
    """Return the width of the blur of a prepared image."""
    pyramid, edges, reason = edges_of(area)
    if reason == "noise only" and (texture := _texture_width(area)) > 0:
        width = texture * TEXTURE_CALIBRATION
        return BlurWidth(width, width, width, math.nan, math.nan, width / diagonal, TEXTURE_ERROR, 0.0)
    if reason:
        return BlurWidth(*(math.nan,) * 7, 0.0, reason)
    return width_of(pyramid, edges, diagonal)


def edges_of(area: PictureArea) -> tuple[Pyramid, Edges, str]:
    """Return a prepared image at several sizes and its edges, or why there are none."""
    least = LEAST_STEPS * area.step
    pyramid = Pyramid(area.gray, _avoided(area), least_contrast=least, noise=area.noise)
    if not area.valid:
        return pyramid, NO_EDGES, "masked"
    if min(area.gray.shape) < SMALLEST:
        return pyramid, NO_EDGES, "too small"
    edges = pyramid.edges()
    if len(edges.width) < FEW:
        pyramid = Pyramid(area.gray, area.invalid, least_contrast=least, noise=area.noise)
        edges = pyramid.edges()
    if len(edges.width) >= FEW:
        return pyramid, edges, ""
    flat = float(np.ptp(area.gray.astype(np.float32))) < least
    return pyramid, edges, "flat" if flat else "noise only"


def _avoided(area: PictureArea) -> Array | None:
    """Return where pixels should not be used."""
    doubtful = area.doubtful()
    if area.invalid is None or doubtful is None:
        return doubtful if area.invalid is None else area.invalid
    result: Array = area.invalid | doubtful
    return result


def _texture_width(area: PictureArea) -> float:
    """Return the root of the energy of gradients over that of the Laplacian, in pixels; 0 for noise."""
    if area.noise:
        return 0.0
    avoid = _avoided(area)
    ratio = sharpness(area.gray, "laplacian_gradient_ratio", mask=None if avoid is None else ~avoid)
    return 1 / math.sqrt(ratio) if ratio > 0 else 0.0


def width_of(pyramid: Pyramid, edges: Edges, diagonal: float) -> BlurWidth:
    """Return the width of the blur from the edges of an image."""
    weights = weights_of(edges)
    width = across = _quantile(edges.width, weights)
    direction = length = math.nan
    long = _ellipse(edges, weights)
    if long is not None:
        motion = _motion(pyramid, long, width)
        if motion is not None:
            width, across = motion
            direction = math.degrees(long) % 180
            length = math.sqrt(12 * (width**2 - across**2))
    sharpest = _quantile(edges.width, weights, SHARPEST)
    share = len(np.unique(edges.tile)) / TILES**2
    return BlurWidth(
        width, across, sharpest, direction, length, width / diagonal, _error(edges, weights), share
    )  # fmt: skip


def _motion(pyramid: Pyramid, direction: float, width: float) -> tuple[float, float] | None:
    """Return the widths along and across a direction; None if the blur is not that of a motion along it."""

    def measured(angle: float) -> Edges | None:
        edges = pyramid.edges(angle)
        return edges if len(edges.width) >= FEW_ALONG else None

    edges = measured(direction)
    if edges is None:
        return None
    weights = weights_of(edges)
    along = _quantile(edges.width, weights, QUANTILE_ALONG) * CALIBRATION
    # The width of all edges is hardly below that across the motion.
    if along < LONG * width or (edges_across := measured(direction + math.pi / 2)) is None:
        return None
    across = _quantile(edges_across.width, weights_of(edges_across))
    sharpest = _quantile(edges.width, weights, SHARPEST)
    return (along, across) if along > LONG_MEASURED * across and sharpest > LONG_SHARPEST * across else None


def weights_in_tiles(edges: Edges) -> Array:
    """Return how much each edge counts in its tile."""
    weights: Array = (edges.contrast / _largest_contrast(edges)[edges.tile]) ** POWER
    return weights


def _largest_contrast(edges: Edges) -> Array:
    largest = np.zeros(TILES * TILES)
    np.maximum.at(largest, edges.tile, edges.contrast)
    return largest


def weights_of(edges: Edges) -> Array:
    """Return how much each edge counts in the image."""
    largest, weights = _largest_contrast(edges), weights_in_tiles(edges)
    of_tiles = np.minimum(largest, MOST_CONTRAST * np.median(largest[largest > 0])) ** 2
    total = np.bincount(edges.tile, weights, TILES * TILES)
    result: Array = weights * (of_tiles / np.maximum(total, 1e-12))[edges.tile]
    return result


def _quantile(widths: Array, weights: Array, quantile: float = QUANTILE) -> float:
    order = np.argsort(widths)
    below = np.cumsum(weights[order])
    logarithms = np.log(widths[order])
    return math.exp(float(np.interp(quantile * below[-1], below - weights[order] / 2, logarithms))) / CALIBRATION


def _error(edges: Edges, weights: Array) -> float:
    """Return the standard error of the logarithm of the width: tiles are independent, edges of one tile are not."""
    total = np.bincount(edges.tile, weights, TILES * TILES)
    logarithms = np.log(edges.width)
    mean = float((weights * logarithms).sum() / weights.sum())
    spread = math.sqrt(float((weights * (logarithms - mean) ** 2).sum() / weights.sum()))
    effective = float(total.sum() ** 2 / (total**2).sum())
    return spread / math.sqrt(effective)


def _ellipse(edges: Edges, weights: Array) -> float | None:
    """Return the direction in radians in which the blur is widest; None if it is round.

    The square of the width across an edge with the direction t is a + b cos 2t + c sin 2t.
    """
    centres = (np.arange(DIRECTIONS) + 0.5) * math.pi / DIRECTIONS
    apart = (edges.direction[:, None] - centres + math.pi / 2) % math.pi - math.pi / 2
    near = np.exp(-0.5 * (apart * DIRECTIONS / math.pi) ** 2)
    squares, totals, used = [], [], []
    for n in range(DIRECTIONS):
        chosen = near[:, n] > 0.1
        if np.count_nonzero(chosen) >= FEW:
            part = (near[:, n] * weights)[chosen]
            squares.append(_quantile(edges.width[chosen], part) ** 2)
            totals.append(part.sum())
            used.append(centres[n])
    if len(used) < DIRECTIONS // 3:
        return None
    values, angles = np.array(squares), np.array(used)
    terms = np.stack([np.ones(len(angles)), np.cos(2 * angles), np.sin(2 * angles)], axis=1)
    expected = values
    for _ in range(4):
        # The errors of widths are relative.
        # Weights that follow from the fit itself make directions about a degree better.
        scale = np.sqrt(np.sqrt(totals)) / expected
        a, b, c = np.linalg.lstsq(terms * scale[:, None], values * scale, rcond=None)[0]
        excess = math.hypot(b, c)
        shrink = min(1.0, 0.995 * a / excess) if excess > 0 else 1.0
        expected = np.maximum(terms @ (a, b * shrink, c * shrink), values.min())
    excess *= shrink
    if a - excess <= 0 or a + excess < max(LONG**2 * (a - excess), LEAST_LONG**2):
        return None
    return 0.5 * math.atan2(c, b)


def plain_mask(mask: Any, image: Any) -> Array | None:
    """Check the mask of an image, and return it as a NumPy array (H, W).

    Raises
    ------
    ShapeError, DtypeError
        If it does not fit.
    """
    if mask is None:
        return None
    backend = backend_of(image)
    layout = backend.image_layout(image)
    broadcast_mask(mask, image, layout)
    if mask.ndim != 2:
        raise ShapeError(f"expected a mask of shape {(layout.rows, layout.columns)}; found {tuple(mask.shape)}")
    plain: Array = backend.to_numpy(mask)
    return plain


def checked_region(roi: Any, image: Any) -> tuple[int, int, int, int]:
    """Return x, y, width and height of a region of an image.

    Raises
    ------
    ParameterError
        If it is not within the image.
    """
    layout = backend_of(image).image_layout(image)
    try:
        x, y, width, height = (index(n) for n in roi)
        inside = min(x, y) >= 0 < min(width, height) and x + width <= layout.columns and y + height <= layout.rows
    except (TypeError, ValueError):
        inside = False
    if not inside:
        raise ParameterError(
            f"roi={shown(roi)} must be x, y, width, height within the {layout.columns}x{layout.rows} pixels of the "
            "image"
        )
    return x, y, width, height


def batch_of(image: Any) -> tuple[int, ...]:
    """Return the batch axes of a tensor (..., C, H, W) or (H, W)."""
    return tuple(image.shape[:-3])


def numpy_images(image: Any) -> Iterator[Array]:
    """Yield each image of a batch as a NumPy array (H, W) or (H, W, C)."""
    images = image[None] if image.ndim == 2 else image.reshape(math.prod(batch_of(image)), *image.shape[-3:])
    return (to_numpy_image(one, backend_of(image)) for one in images)
