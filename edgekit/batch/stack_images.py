"""Images that are made of a whole stack: the all-in-focus image, the depth map, and the sharpest image.

May import `io` and what is below it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgekit.batch.stack import Stack
from edgekit.batch.stack_planes import read_planes
from edgekit.common.read_options import ReadOptions
from edgekit.errors import ParameterError
from edgekit.focus.alignment import Alignment
from edgekit.focus.depth import DepthMap, checked_positions, depth_of
from edgekit.focus.fusion import Blend
from edgekit.focus.sharpest_planes import SharpestPlanes
from edgekit.focus.stack_images import GrayImages, Kind, kind_of

Array = NDArray[Any]

#: Images that are decoded at the same time, and before they are needed. Each needs memory.
DECODED_AHEAD = 2


class StackResult(NamedTuple):
    """The images computed from a stack.

    Attributes
    ----------
    fused : ndarray or None
        The all-in-focus image.
    depth : DepthMap or None
        The depth of each pixel.
    message : str
        Warning message; empty if the images are aligned.
    """

    fused: Array | None
    depth: DepthMap | None
    message: str


def combine(stack: Stack, read_options: ReadOptions, *, fuse: bool, depth: bool) -> StackResult:
    """Fuse the images of a measured stack, or find the depth of each pixel. Images that failed are left out.

    Raises
    ------
    ParameterError
        If no image is left, or two have the same position.
    ShapeError, DtypeError
        If an image is unlike the first one.
    """
    kept = [n for n, image in enumerate(stack.images) if image.status != "failed"]
    if not kept:
        raise ParameterError("no image can be read, so that nothing can be fused")
    kept.sort(key=lambda n: stack.images[n].position)
    places = checked_positions([stack.images[n].position for n in kept], len(kept)) if depth else np.zeros(0)
    planes, alignment, to_gray = SharpestPlanes(surroundings=depth), Alignment(), GrayImages()
    for image in _images(stack, kept, read_options, colour=False):
        gray = to_gray(image)
        planes.add(gray)
        alignment.add(gray)
    found = depth_of(planes, places) if depth else None
    if not fuse:
        return StackResult(None, found, alignment.message)
    blend = Blend(planes)
    for image in _images(stack, kept, read_options, colour=True):
        blend.add(image)
    return StackResult(blend.result(), found, alignment.message)


def image_of(stack: Stack, number: int, read_options: ReadOptions) -> Array:
    """Return an image of a stack as it is in the file."""
    return next(_images(stack, [number], read_options, colour=True))


def _images(stack: Stack, numbers: Sequence[int], read_options: ReadOptions, *, colour: bool) -> Iterator[Array]:
    """Yield images of a stack; some are decoded before they are needed."""
    chosen = [stack.planes.planes[n] for n in numbers]
    first: Kind | None = None
    images = _ahead(read for _, read in read_planes(chosen, read_options, colour=colour))
    for plane, image in zip(chosen, images, strict=True):
        first = first or kind_of(image)
        first.check(kind_of(image), plane.name)
        yield image


def _ahead(readers: Iterable[Callable[[], Array]]) -> Iterator[Array]:
    """Yield what the functions return, in their order, several of them at work."""
    left = iter(readers)
    with ThreadPoolExecutor(DECODED_AHEAD) as pool:
        running: list[Future[Array]] = [pool.submit(read) for read in islice(left, DECODED_AHEAD)]
        while running:
            done = running.pop(0).result()
            running += [pool.submit(read) for read in islice(left, 1)]
            yield done
