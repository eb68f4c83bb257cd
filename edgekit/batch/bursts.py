"""Groups the rows of a run by moment: images taken shortly after one another that show the same scene.

May import `io` and what is below it.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from edgekit.batch.score_cache import Row
from edgekit.batch.sources import natural
from edgekit.common.choices import SCORE
from edgekit.focus.likeness import Fingerprint, group_bursts


class Shot(NamedTuple):
    """A row in its group.

    Attributes
    ----------
    row : Row
    taken : float
        When it was taken, in seconds: by Exif, else by the time of the file; for a frame its time in the video.
    sharpness : float
        By which the images of a group are compared; NaN if undefined.
    group : int
        The number of the group, from 1 on.
    """

    row: Row
    taken: float
    sharpness: float
    group: int


def group_rows(rows: Iterable[Row], gap: float, measure: str) -> list[Shot]:
    """Group rows that have fingerprints, in the order of time.

    Parameters
    ----------
    rows : iterable of Row
        Failed ones are left out.
    gap : float
        Seconds between two images, after which a group ends.
    measure : str
        Name of the rows' first value. By default images of a group are compared by their fingerprints, which tell small
        differences better than the score; any other measure is what they are compared by.
    """
    found = [(row, Fingerprint.from_bytes(row.fingerprint) if row.fingerprint else None) for row in rows if row.values]
    # Videos one after another, each in the order of time.
    timed = sorted(found, key=lambda pair: _order(*pair))
    groups = group_bursts([_taken(*pair) for pair in timed], [image for _, image in timed], gap)
    return [
        Shot(row, _taken(row, image), image.detail if image is not None and measure == SCORE else row.values[0], n + 1)
        for (row, image), n in zip(timed, groups, strict=True)
    ]


def _order(row: Row, image: Fingerprint | None) -> tuple[str, float, list[Any]]:
    return (row.path if row.time is not None else "", _taken(row, image), natural(row.path))


def _taken(row: Row, image: Fingerprint | None) -> float:
    if row.time is not None:
        return row.time
    return row.mtime / 1e9 if image is None or math.isnan(image.taken) else image.taken


def rank(shots: Sequence[Shot]) -> list[Shot]:
    """Return the images of a group, the sharpest first; those without a value last."""
    return sorted(shots, key=lambda shot: (math.isnan(shot.sharpness), -shot.sharpness))


def group_numbers(rows: Iterable[Row], gap: float, measure: str) -> Mapping[tuple[str, int | None], int]:
    """Return the number of the group of each row, by its path and frame; see `group_rows`."""
    return {(shot.row.path, shot.row.frame): shot.group for shot in group_rows(rows, gap, measure)}
