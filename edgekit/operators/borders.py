"""Borders: the pixels beyond the edge of an image. Standard library only.

The index map has the meaning of `numpy.pad` for any size of the halo. All backends use it.
"""

from typing import Literal, get_args

from edgekit.errors import ParameterError

#: NumPy's names; with ``valid`` nothing is added and the result is smaller.
Border = Literal["reflect", "symmetric", "edge", "constant", "wrap", "valid"]
BORDERS = get_args(Border)

#: The same borders by their constants in OpenCV, and by their names in OpenCV, SciPy and PyTorch. For error messages.
OTHER_NAMES = {
    "0": "constant", "1": "edge", "2": "symmetric", "3": "wrap", "4": "reflect",
    "border_constant": "constant", "border_replicate": "edge", "border_reflect": "symmetric", "border_wrap": "wrap",
    "border_reflect_101": "reflect", "border_reflect101": "reflect", "border_default": "reflect",
    "replicate": "edge", "reflect_101": "reflect", "reflect101": "reflect", "default": "reflect",
    "nearest": "edge", "mirror": "reflect", "grid-mirror": "symmetric", "grid-constant": "constant",
    "grid-wrap": "wrap", "circular": "wrap", "periodic": "wrap", "zeros": "constant", "zero": "constant",
}  # fmt: skip

#: In an index map, a pixel outside the image whose value is zero.
OUTSIDE = -1


def index_map(start: int, stop: int, size: int, border: str) -> list[int]:
    """Map the positions ``start`` to ``stop - 1`` of an infinite axis to pixels of an axis of `size` pixels.

    Parameters
    ----------
    start, stop : int
        Positions along the axis. Those below 0, and from `size` on, are outside the image.
    size : int
        The length of the axis, at least 1.
    border : str
        One of `BORDERS` except ``valid``.

    Returns
    -------
    list of int
        An index in ``[0, size)`` for each position, or `OUTSIDE` where the value is zero.

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
