"""Boundaries: edges that people would draw, found by gradient filters or by a trained network.

May import `filters` and what is below it.
"""

import math
import operator
from collections.abc import Sequence
from functools import reduce
from typing import Literal, NamedTuple

import numpy as np

from edgekit.backends.choice import backend_of
from edgekit.backends.interface import Array, ImageLayout
from edgekit.common.choices import check_choice, plain_number, shown
from edgekit.common.types import ChannelAxis, ImageT
from edgekit.edges import learned, octaves
from edgekit.edges.octaves import Edges
from edgekit.edges.refined_lines import refined
from edgekit.edges.resampling import detached
from edgekit.edges.thinning import by_numpy_plane, label, suppress, thinned
from edgekit.edges.working_size import working
from edgekit.errors import ParameterError
from edgekit.filters.inputs import check_image

What = Literal["boundaries", "edges"]
Model = Literal["gradients", "learned", "learned-fast"]


class _Kind(NamedTuple):
    """Constants of one kind of edges.

    Attributes
    ----------
    shared : float
        Weight of the mean strength of a line in the strength of its pixels.
    half, steep : float
        The probability of a strength is 1 / (1 + (half / strength) ** steep), fitted to the fraction of pixels that
        match a line that somebody drew.
    """

    shared: float
    half: float
    steep: float


#: Most pixels of the image in which lines are searched; larger images are reduced.
AREA = 500_000

_KINDS = {
    ("boundaries", "gradients"): _Kind(0.7, 0.406, 3.4),
    ("boundaries", "learned"): _Kind(0.3, 1.19, 1.47),
    ("edges", "gradients"): _Kind(0.0, 0.01, 1.81),
    ("edges", "learned"): _Kind(0.0, 0.0101, 1.93),
}

#: Most times that `detail` doubles the size.
FINEST = 6

#: The strength of a boundary is this power of the odds that the network gives.
ODDS = 0.5


def detect(
    image: ImageT,
    *,
    what: What = "boundaries",
    model: Model = "gradients",
    detail: int = 0,
    channel_axis: ChannelAxis = "auto",
) -> ImageT:
    """Find the edges that people would draw, with a probability for each pixel.

    Parameters
    ----------
    image : ndarray or Tensor
        As for `edgekit.sobel`. Of three or four channels the first three are red, green and blue. Other numbers of
        channels have equal weight.
    what : {"boundaries", "edges"}
        ``boundaries``: edges of objects; edges among many others, such as those of texture, are suppressed.
        ``edges``: all edges, also in drawings and of fine details.
    model : {"gradients", "learned", "learned-fast"}
        ``gradients``: gradient filters. ``learned``: a network of 73,000 weights, at three scales; ``learned-fast``: at
        one scale. The network was trained on the 200 training photographs of BSDS500, which are published for research
        and education.
    detail : int
        0 searches in an image that is reduced to 500,000 pixels, if it has more. Each step, up to 6, has four times as
        many pixels, for finer edges.
    channel_axis : int, None or "auto"
        The axis of the channels, as for `edgekit.sobel`.

    Returns
    -------
    ndarray or Tensor
        float32 in [0, 1], (H, W), or (..., 1, H, W) for torch. Lines are one pixel wide. The value is 0 elsewhere,
        within three pixels of a pixel that is not finite, and in a frame of one colour around the image. The value p
        means: of all pixels with this value in many photographs, the fraction p is on a line that a person drew. The
        threshold that agrees best with people is 0.4 for gradients and 0.5 to 0.6 for the network.

    Raises
    ------
    ShapeError, DtypeError
        If the image does not fit.
    ParameterError
        If an option has an invalid value.

    Notes
    -----
    1. A large image is reduced, so that edges mean the same at every size. A uniform frame is left out.
    2. Square roots of the gray levels, so that dark regions have edges too. Colour images give lightness and two
       differences of colours. Gradients of colours that are not above their noise do not count.
    3. Gradients of all of them in five octaves, combined by the structure tensor (Di Zenzo), and divided by their mean
       in the surroundings: an edge among many edges has less weight. The strength is the weighted geometric mean over
       octaves: edges of objects are present at several scales, texture is not. An edge between two textures is
       stronger: its factor is the gradient of the density and the direction of gradients, at a scale of at least 7
       pixels. For all edges the strength is the gradient of a Gaussian of σ = 1.5, times 0.2 plus the probability of
       a boundary.
    4. Non-maximum suppression. Each pixel of a boundary then gets most of the line's mean strength, so that a long
       clear line keeps its weak parts.
    5. In a large image the lines are moved to the steepest change of the original pixels, and drawn there.

    With ``model="learned"`` the network gives the strength of step 3. NumPy arrays need no torch for it. Tensors have
    gradients.

    The result does not depend on the exposure, except for half a gray level that is added before the root.

    References
    ----------
    Di Zenzo 1986, 10.1016/0734-189X(86)90223-9; Grigorescu, Petkov and Westenberg 2003 (surround),
    10.1109/TIP.2003.814250; measured after Martin, Fowlkes and Malik 2004, 10.1109/TPAMI.2004.1273918.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> image = np.full((64, 64), 90, np.uint8)
    >>> image[:, 30:] = 110
    >>> np.flatnonzero(ek.detect(image)[32] > 0.4)
    array([30])
    >>> np.flatnonzero(ek.detect(image, model="learned")[32] > 0.4).size
    1
    """
    check_choice("what", what, ("boundaries", "edges"))
    check_choice("model", model, ("gradients", "learned", "learned-fast"))
    detail = plain_number(detail)
    if not isinstance(detail, int) or isinstance(detail, bool) or not 0 <= detail <= FINEST:
        raise ParameterError(f"detail={shown(detail)} must be an integer from 0 to {FINEST}")
    pixels, order = check_image(image, channel_axis)
    backend = backend_of(pixels)
    layout: ImageLayout = backend.image_layout(pixels)
    if layout.channel_axis == -1 or layout.channels is None:
        found = _of_one(_planes(pixels, layout.channel_axis), what, model, detail)
    else:
        images = pixels.reshape(math.prod(layout.leading), *pixels.shape[-3:])
        each = [_of_one(_planes(one, -3), what, model, detail) for one in images]
        # A batch may be empty.
        stacked = backend.xp.stack(each) if each else backend.cast(images[:, 0], backend.xp.float32)
        found = stacked.reshape(*layout.leading, 1, layout.rows, layout.columns)
    lines: ImageT = order.restore(found)
    return lines


def constants(what: str, model: str) -> tuple[float, float]:
    """Return the strength whose probability is a half, and the steepness of the probability."""
    kind = _kind(what, model)
    return kind.half, kind.steep


def _planes(image: Array, channel_axis: int) -> list[Array]:
    """Return the planes of one image: its channels, without the fourth of four."""
    if image.ndim == 2:
        return [image]
    channels = image.shape[channel_axis]
    counted = range(3 if channels == 4 else channels)
    return [image[..., i] if channel_axis == -1 else image[i] for i in counted]


def _of_one(planes: Sequence[Array], what: str, model: str, detail: int) -> Array:
    """Return the probabilities of one image, (rows, columns)."""
    backend = backend_of(planes[0])
    xp = backend.xp
    kind = _kind(what, model)
    work = working(planes, AREA * 4**detail)
    found = _edges(work.planes, what, model, floating=backend.array_types(planes[0]).floating)
    thin = suppress(found.strength, xp.cos(found.across), xp.sin(found.across), interpolate=True)
    thin = thinned(xp.where(work.known, thin, 0))
    if kind.shared:
        thin = thin * by_numpy_plane(lambda plane: _gain_along_lines(plane, kind.shared), detached(thin))
    probability = _probability(thin, kind)
    return _at_full_size(probability, found.across, work.finer) if work.finer else probability


def _edges(planes: Sequence[Array], what: str, model: str, *, floating: bool) -> Edges:
    """Return the edges of one image before they are thinned."""
    xp = backend_of(planes[0]).xp
    planes, half = octaves.relative(planes, floating=floating)
    if model == "gradients":
        found = octaves.boundaries(planes, half)
        strength = found.strength
    else:
        scales = learned.SCALES if model == "learned" else (1.0,)
        strength = xp.exp(learned.logits(octaves.roots(planes, half), half, scales) * ODDS)
    if what == "edges":
        return octaves.all_edges(planes, _probability(strength, _kind("boundaries", model)))
    # The network sees the border of the image. Where nothing changes there is no line.
    return found if model == "gradients" else octaves.ridges(xp.where(octaves.changes(planes), strength, 0))


def _kind(what: str, model: str) -> _Kind:
    return _KINDS[what, model.removesuffix("-fast")]


def _probability(strength: Array, kind: _Kind) -> Array:
    """Return the probability of a strength."""
    power = strength**kind.steep
    return power / (power + kind.half**kind.steep)


def _at_full_size(probability: Array, across: Array, finer: Sequence[Sequence[Array]]) -> Array:
    """Draw lines that were found in a reduced image at the edges of the whole image."""
    backend = backend_of(probability)
    device = getattr(probability, "device", None)
    lines, direction = (np.asarray(backend.to_numpy(detached(a))) for a in (probability, across))
    rows, columns, source = (backend.from_numpy(n, device) for n in refined(lines > 0, direction, finer))
    whole = finer[0]
    out = backend.xp.zeros_like(whole[0], dtype=backend.xp.float32)
    known = reduce(operator.and_, (backend.xp.isfinite(p[rows, columns]) for p in whole))
    out[rows, columns] = backend.xp.where(known, probability.reshape(-1)[source], 0)
    return out


def _gain_along_lines(thin: Array, shared: float) -> Array:
    """Return the factor from each pixel of a NumPy plane to its weighted geometric mean with the mean of its line."""
    there = thin > 0
    count, labels = label(there)
    strength, line = thin[there], labels[there]
    means = np.bincount(line, strength, count) / np.maximum(np.bincount(line, minlength=count), 1)
    gain: Array = np.zeros_like(thin)
    gain[there] = (means[line] / strength) ** shared
    return gain
