"""Links the pixels of thin edges to chains. May import `common`."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class Chain(NamedTuple):
    """Pixels in order along an edge.

    Attributes
    ----------
    nodes : list of int
        Numbers of the pixels, counted row by row over the edges. Of a closed chain the first one is not repeated.
    closed : bool
    """

    nodes: list[int]
    closed: bool


def link(mask: Array) -> tuple[list[Chain], Array]:
    """Link the pixels of a mask to chains that end at junctions and free ends.

    Parameters
    ----------
    mask : ndarray of bool
        (H, W), with lines of one pixel.

    Returns
    -------
    chains : list of Chain
        Each pixel is in one chain; a pixel where lines meet is the end of each of them.
    junctions : ndarray of bool
        For each pixel of the mask, row by row, whether lines meet in it.
    """
    first, second, count = _pairs(mask)
    degree = np.bincount(first, minlength=count) + np.bincount(second, minlength=count)
    ends = np.concatenate((first, second))
    order = np.argsort(ends, kind="stable")
    neighbours = np.concatenate((second, first))[order].tolist()
    starts = np.concatenate(([0], np.cumsum(degree))).tolist()
    return list(_walks(neighbours, starts, degree.tolist())), degree > 2


def _pairs(mask: Array) -> tuple[Array, Array, int]:
    """Return the pairs of connected pixels, and the number of pixels.

    A diagonal pair counts only if no third pixel connects the two along rows and columns.
    """
    padded = np.pad(mask, 1)
    places = np.flatnonzero(padded)
    width, flat = padded.shape[1], padded.ravel()
    number = np.zeros(flat.size, np.int32)
    number[places] = np.arange(len(places))
    first, second = [], []
    for step, corners in ((1, ()), (width, ()), (width + 1, (1, width)), (width - 1, (-1, width))):
        joined = flat[places + step]
        for corner in corners:
            joined &= ~flat[places + corner]
        first.append(np.flatnonzero(joined))
        second.append(number[places[joined] + step])
    return np.concatenate(first), np.concatenate(second).astype(np.intp), len(places)


def _walks(neighbours: list[int], starts: list[int], degree: list[int]) -> Any:
    """Yield the chains of a graph, first those with ends, then those that are closed."""
    seen = [False] * len(degree)

    def walk(previous: int, here: int) -> list[int]:
        nodes = [previous]
        while degree[here] == 2 and not seen[here]:
            seen[here] = True
            nodes.append(here)
            at = starts[here]
            following = neighbours[at]
            previous, here = here, neighbours[at + 1] if following == previous else following
        nodes.append(here)
        return nodes

    for node, ways in enumerate(degree):
        if ways == 2:
            continue
        seen[node] = True
        if ways == 0:
            yield Chain([node], closed=False)
        for neighbour in neighbours[starts[node] : starts[node + 1]]:
            # A chain between two ends is met from both; a pair of ends counts from the first of them.
            if not seen[neighbour]:
                nodes = walk(node, neighbour)
                closed = nodes[0] == nodes[-1]
                yield Chain(nodes[:-1] if closed else nodes, closed)
    for node, ways in enumerate(degree):
        if ways == 2 and not seen[node]:
            seen[node] = True
            yield Chain([*walk(node, neighbours[starts[node]])[:-1]], closed=True)
