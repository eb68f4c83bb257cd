"""The Berkeley measure: how well a map of edges agrees with the boundaries that people drew.

Edges are thinned. The largest possible number of their pixels is matched one to one with each person's boundaries,
within a distance. A found pixel that matches nobody's boundary is false. A drawn pixel counts once for every person who
drew it.

Martin, Fowlkes and Malik, Learning to detect natural image boundaries using local brightness, color, and texture cues,
2004, 10.1109/TPAMI.2004.1273918; the three numbers as Arbelaez and others define them, 2011, 10.1109/TPAMI.2010.161.
Matching: Hopcroft and Karp 1973, 10.1137/0202019. Needs Numba and SciPy, of the extra `bench`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from numba import njit
from scipy.io import loadmat
from skimage.morphology import thin

Mask = npt.NDArray[np.bool_]
Values = npt.NDArray[np.floating[Any]]
Counts = npt.NDArray[np.int64]

#: Increased when counts change, so that old counts are not added to new ones.
VERSION = 1

#: Two pixels match within this fraction of the image's diagonal.
TOLERANCE = 0.0075

NONE = -1


def inner(count: int) -> Values:
    """Return `count` thresholds between 0 and 1, at equal distances."""
    return np.arange(1, count + 1) / (count + 1)


#: Thresholds of the strength: 0.01 to 0.99.
THRESHOLDS = inner(99)


def read_boundaries(path: Path) -> list[Mask]:
    """Return the boundaries of each person: from a .mat file of the Berkeley Segmentation Data Set, or a white drawing.

    Raises
    ------
    OSError
        If there is no such file.
    ValueError
        If it holds no boundaries.
    """
    if path.suffix != ".mat":
        drawing = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_GRAYSCALE)
        if drawing is None:
            raise ValueError(f"{path.name} is no image of boundaries")
        return [drawing > 127]
    try:
        people = loadmat(str(path), appendmat=False)["groundTruth"][0]
        masks = [np.ascontiguousarray(person["Boundaries"][0, 0], bool) for person in people]
    except OSError:
        raise
    # SciPy's reader can raise many kinds of errors for a damaged file.
    except Exception as error:
        raise ValueError(f"holds no boundaries: {error}") from error
    if not masks:
        raise ValueError("holds nobody's boundaries")
    return masks


def match(found: Mask, drawn: Mask, tolerance: float = TOLERANCE) -> Mask:
    """Match as many found pixels as possible with drawn ones, one to one.

    The benchmark uses the matching with the least sum of distances. This function matches the nearest pairs first, and
    then extends the matching to the largest size: the size is the same, and the matched pixels are nearly the same.

    Parameters
    ----------
    found, drawn : array of bool
        (H, W).
    tolerance : float
        Largest distance of two matched pixels, as a fraction of the image's diagonal.

    Returns
    -------
    array of bool
        (H, W): the found pixels that are matched. The same number of drawn pixels is matched.

    Raises
    ------
    ValueError
        If the shapes differ.
    """
    if found.shape != drawn.shape:
        raise ValueError(f"edges are of shape {found.shape}, boundaries of shape {drawn.shape}")
    ys, xs = np.nonzero(found)
    offsets = _offsets(tolerance * float(np.hypot(*found.shape)))
    # Contiguous arrays, so that Numba compiles once.
    partner = _greatest_matching(*_neighbours(ys, xs, np.ascontiguousarray(drawn, bool), offsets))
    out = np.zeros(found.shape, bool)
    out[ys, xs] = partner != NONE
    return out


@lru_cache(maxsize=16)
def _offsets(reach: float) -> npt.NDArray[np.int32]:
    """Return the offsets (rows, columns) within `reach` of a pixel, nearest first."""
    n = int(reach)
    places = [(y, x) for y in range(-n, n + 1) for x in range(-n, n + 1) if y * y + x * x <= reach * reach]
    return np.array(sorted(places, key=lambda p: p[0] ** 2 + p[1] ** 2), np.int32)


# Numba infers the types of the functions below from their calls.
@njit(cache=True)
def _neighbours(ys, xs, drawn, offsets):  # type: ignore[no-untyped-def]
    """Return a graph: for each found pixel the numbers of the drawn pixels near it, and the number of each offset.
    Returns the lists of neighbours one after another, the start of each list, the offsets in the same order, and the
    number of drawn pixels.
    """
    height, width = drawn.shape
    number = np.full(drawn.shape, NONE, np.int32)
    count = 0
    for y in range(height):
        for x in range(width):
            if drawn[y, x]:
                number[y, x] = count
                count += 1
    start = np.zeros(len(ys) + 1, np.int64)
    ends = np.empty(len(ys) * len(offsets), np.int32)
    place = np.empty(len(ends), np.int32)
    total = 0
    for i in range(len(ys)):
        for k in range(len(offsets)):
            y, x = ys[i] + offsets[k, 0], xs[i] + offsets[k, 1]
            if 0 <= y < height and 0 <= x < width and number[y, x] != NONE:
                ends[total] = number[y, x]
                place[total] = k
                total += 1
        start[i + 1] = total
    return ends[:total], start, place[:total], count


@njit(cache=True)
def _greatest_matching(ends, start, place, count):  # type: ignore[no-untyped-def]
    """Return the matched drawn pixel of each found pixel, or NONE."""
    partner = np.full(len(start) - 1, NONE, np.int32)
    owner = np.full(count, NONE, np.int32)
    # The nearest pairs are matched first: this leaves few pixels for the search below, and keeps distances small.
    edge = start[:-1].copy()
    for k in range(place.max() + 1 if len(place) else 0):
        for i in range(len(partner)):
            e = edge[i]
            if e < start[i + 1] and place[e] == k:
                edge[i] += 1
                if partner[i] == NONE and owner[ends[e]] == NONE:
                    owner[ends[e]] = i
                    partner[i] = ends[e]
    layer = np.empty_like(partner)
    while _layers(ends, start, partner, owner, layer):
        _augment(ends, start, partner, owner, layer)
    return partner


@njit(cache=True)
def _layers(ends, start, partner, owner, layer):  # type: ignore[no-untyped-def]
    """Number found pixels by their distance from unmatched ones; tell whether an unmatched drawn pixel is reached."""
    queue = np.empty_like(partner)
    head, tail, reached = 0, 0, False
    for i in range(len(partner)):
        layer[i] = NONE
        if partner[i] == NONE:
            layer[i] = 0
            queue[tail] = i
            tail += 1
    while head < tail:
        i = queue[head]
        head += 1
        for e in range(start[i], start[i + 1]):
            other = owner[ends[e]]
            if other == NONE:
                reached = True
            elif layer[other] == NONE:
                layer[other] = layer[i] + 1
                queue[tail] = other
                tail += 1
    return reached


@njit(cache=True)
def _augment(ends, start, partner, owner, layer):  # type: ignore[no-untyped-def]
    """Search a path from each unmatched found pixel to an unmatched drawn one, and invert the matching along it."""
    path = np.empty_like(partner)
    edge = start[:-1].copy()
    for root in range(len(partner)):
        if layer[root] != 0:
            continue
        depth = 0
        path[0] = root
        while depth >= 0:
            i = path[depth]
            if edge[i] == start[i + 1]:
                depth -= 1
                continue
            other = owner[ends[edge[i]]]
            edge[i] += 1
            if other == NONE:
                for step in range(depth, -1, -1):
                    j = path[step]
                    partner[j] = ends[edge[j] - 1]
                    owner[partner[j]] = j
                break
            if layer[other] == layer[i] + 1:
                depth += 1
                path[depth] = other


class Tally(NamedTuple):
    """The counts of one image, at each threshold."""

    matched: Counts
    """Found pixels that match a boundary of at least one person."""
    found: Counts
    recalled: Counts
    """Drawn pixels that are matched, over all people."""
    drawn: Counts


def tally(strength: Values, people: Sequence[Mask], thresholds: Values = THRESHOLDS) -> Tally:
    """Compare a map of edge strengths in [0, 1] with the drawn boundaries, at each threshold."""
    drawn = sum(int(person.sum()) for person in people)
    rows: list[tuple[int, int, int, int]] = []
    before = None
    # Python floats are compared in the type of the map: a strength of 0.57 in single precision is not below 0.57.
    for threshold in thresholds.tolist():
        cut = strength >= threshold
        if before is None or not np.array_equal(cut, before):
            found = thin(cut)
            each = [match(found, person) for person in people]
            row = (int(np.logical_or.reduce(each).sum()), int(found.sum()), sum(int(m.sum()) for m in each), drawn)
        rows.append(row)
        before = cut
    return Tally(*np.array(rows, np.int64).T)


@dataclass(frozen=True)
class Agreement:
    """Precision and recall over images, and the three usual summaries.

    Attributes
    ----------
    precision, recall : array
        At each threshold, over all images.
    ods : float
        The best F with one threshold for all images ("optimal dataset scale").
    threshold : float
        The threshold of this F. Between two thresholds precision and recall are interpolated linearly.
    ois : float
        The F with the best threshold for each image ("optimal image scale").
    ap : float
        Mean precision over recall from 0 to 1 ("average precision"); 0 at recalls that no threshold reaches.
    """

    precision: Values
    recall: Values
    ods: float
    threshold: float
    ois: float
    ap: float


def harmonic(precision: Values, recall: Values) -> Values:
    """Return F, the harmonic mean; 0 where both are 0."""
    return 2 * precision * recall / np.maximum(precision + recall, np.finfo(float).tiny)


def agree(tallies: Sequence[Tally], thresholds: Values = THRESHOLDS) -> Agreement:
    """Sum the counts of images, and return the measures."""
    every = np.array(tallies, float)  # images, kinds of count, thresholds
    precision, recall = rates(every.sum(0))
    f = harmonic(_between(precision), _between(recall))
    best = int(f.argmax())
    alone = harmonic(*rates(every.transpose(1, 0, 2)))
    chosen = np.take_along_axis(every, alone.argmax(1)[:, None, None], 2)[..., 0]
    ois = float(harmonic(*rates(chosen.sum(0))))
    return Agreement(
        precision, recall, float(f[best]), float(_between(thresholds)[best]), ois, _area(precision, recall)
    )


def rates(counts: Values) -> tuple[Values, Values]:
    """Return precision and recall; 0 where nothing is found or drawn."""
    matched, found, recalled, drawn = counts
    return matched / np.maximum(found, 1), recalled / np.maximum(drawn, 1)


def _between(values: Values) -> Values:
    """Insert interpolated values between neighbours, as many as the benchmark uses."""
    part = np.linspace(0, 1, 100)
    straight = values[:-1, None] * (1 - part) + values[1:, None] * part
    return straight.ravel() if straight.size else values


def _area(precision: Values, recall: Values) -> float:
    levels, first = np.unique(recall, return_index=True)
    if len(levels) < 2:  # The benchmark's value if there is no curve.
        return 0.0
    return float(np.interp(np.linspace(0, 1, 101), levels, precision[first], left=0, right=0).sum() / 100)
