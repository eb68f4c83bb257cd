"""What lies beyond the edge of an image: border names and the index map. Standard library only.

The map has the meaning of :func:`numpy.pad` at any size, halos wider than the image included,
and serves every backend and every window alike.
"""

from edgekit.errors import ParameterError

#: Border names as NumPy spells them; ``valid`` adds nothing and shrinks the result instead.
BORDERS = ("reflect", "symmetric", "edge", "constant", "wrap", "valid")

#: Stands in an index map for a pixel outside the image whose value is zero.
OUTSIDE = -1


def index_map(start: int, stop: int, size: int, border: str) -> list[int]:
    """Map the positions ``start .. stop - 1`` of an endless axis to pixels of one with `size`.

    Parameters
    ----------
    start, stop : int
        Positions along the axis; those below 0 or from `size` on lie outside the image.
    size : int
        The length of the axis, at least 1.
    border : str
        One of `BORDERS` except ``valid``.

    Returns
    -------
    list of int
        An index in ``[0, size)`` for each position, or `OUTSIDE` where it reads zero.

    Examples
    --------
    >>> index_map(-3, 6, 4, "reflect")
    [3, 2, 1, 0, 1, 2, 3, 2, 1]
    >>> index_map(-3, 6, 4, "constant")
    [-1, -1, -1, 0, 1, 2, 3, -1, -1]
    """
    positions = range(start, stop)
    match border:
        case "edge":
            return [min(max(i, 0), size - 1) for i in positions]
        case "wrap":
            return [i % size for i in positions]
        case "constant":
            return [i if 0 <= i < size else OUTSIDE for i in positions]
        case "symmetric":
            folded = (i % (2 * size) for i in positions)
            return [i if i < size else 2 * size - 1 - i for i in folded]
        case "reflect":
            period = max(2 * size - 2, 1)
            folded = (i % period for i in positions)
            return [i if i < size else period - i for i in folded]
    raise ParameterError(f"border={border!r} has no index map")
