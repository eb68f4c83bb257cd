"""Lengths, directions and curvatures of chains of points, all chains at once. May import `common`."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgekit.metrology.linking import Chain

Array = NDArray[Any]

#: Points on each side of a point from which its curvature is computed, and the largest angle of half the arc in radians
#: for which the larger number is used.
NEAR, FAR, STRAIGHT = 5, 9, 1.2

#: The second derivative of a circle is underestimated by a parabola, and so is the first by a line: the curvature is
#: too large by this part of the squared angle of half the arc.
ARC = 2 / 10 - 1 / 14

#: Largest angle for which this is so, in radians.
LARGEST_ARC = 2.0


class Joined(NamedTuple):
    """Chains, one after another.

    Attributes
    ----------
    nodes : ndarray of int
        The pixels of all chains.
    starts : ndarray of int
        Where each chain starts, and where the last one ends.
    closed : ndarray of bool
    """

    nodes: Array
    starts: Array
    closed: Array

    def sums(self, values: Array) -> Array:
        """Return the sum of the values of each chain."""
        return np.add.reduceat(values, self.starts[:-1]) if len(values) else values

    def each(self, of_chains: Array) -> Array:
        """Return a value of each chain for all of its points."""
        return np.repeat(of_chains, np.diff(self.starts))

    def chosen(self, numbers: Array, turned: Array) -> "Joined":
        """Return some of the chains in this order, those that are `turned` in the opposite direction."""
        sizes = np.diff(self.starts)[numbers]
        starts = np.concatenate(([0], np.cumsum(sizes)))
        place = np.arange(starts[-1]) - np.repeat(starts[:-1], sizes)
        place = np.where(np.repeat(turned, sizes), np.repeat(sizes, sizes) - 1 - place, place)
        return Joined(self.nodes[np.repeat(self.starts[numbers], sizes) + place], starts, self.closed[numbers])

    def steps(self, points: Array) -> Array:
        """Return the vector from each point to the next one of its chain; 0 at the end of an open chain."""
        following = np.arange(1, len(self.nodes) + 1)
        last = self.starts[1:] - 1
        following[last] = np.where(self.closed, self.starts[:-1], last)
        moved: Array = points[following] - points
        return moved


def join(chains: Sequence[Chain]) -> Joined:
    """Return chains one after another."""
    starts = np.concatenate(([0], np.cumsum([len(chain.nodes) for chain in chains], dtype=int)))
    nodes = np.concatenate([chain.nodes for chain in chains]) if chains else np.zeros(0, int)
    return Joined(nodes, starts, np.array([chain.closed for chain in chains], bool))


def curvature(points: Array, chains: Joined) -> Array:
    """Return the curvature at each point, in 1 / pixel; positive where the chain turns to the right (y points down).

    A parabola is fitted to x and to y of neighbouring points: of more of them where the chain is nearly straight, since
    noise then decides. Near the ends of an open chain the curvature is that of the nearest such fit; chains with fewer
    points have the curvature 0.
    """
    found, _ = _curvature(points, chains, NEAR)
    smooth, arc = _curvature(points, chains, FAR)
    result: Array = np.where((arc > 0) & (arc < STRAIGHT), smooth, found)
    return result


def _curvature(points: Array, chains: Joined, reach: int) -> tuple[Array, Array]:
    """Return the curvature from `reach` points on each side, and the angle of half the arc in radians; else 0."""
    size, first = chains.each(np.diff(chains.starts)), chains.each(chains.starts[:-1])
    closed, place = chains.each(chains.closed), np.arange(len(chains.nodes)) - first
    long = size > 2 * reach
    middle = np.where(closed, place, np.clip(place, reach, np.maximum(size - 1 - reach, reach)))
    steps = np.arange(-reach, reach + 1)
    squares = steps**2 - np.mean(steps**2)
    slope, bend = steps / np.sum(steps**2), 2 * squares / np.sum(squares**2)
    velocity, acceleration = np.zeros_like(points), np.zeros_like(points)
    for step, by_slope, by_bend in zip(steps, slope, bend, strict=True):
        at = points[first + (middle + step) % np.maximum(size, 1)]
        velocity += by_slope * at
        acceleration += by_bend * at
    speed = np.hypot(*velocity.T)
    turned = velocity[:, 0] * acceleration[:, 1] - velocity[:, 1] * acceleration[:, 0]
    found = np.where(long & (speed > 0), turned / np.where(speed > 0, speed, 1) ** 3, 0)
    arc = np.abs(found) * speed * reach
    return found / (1 + ARC * np.minimum(arc, LARGEST_ARC) ** 2), arc
