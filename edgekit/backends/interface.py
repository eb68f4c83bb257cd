"""The functions that every backend provides. May import `operators` and what is below it.

A backend is a module with the functions of `Backend`. Shared code calls these functions and never asks which backend
it has.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from enum import Enum
from typing import Any, NamedTuple, Protocol

from edgekit.errors import DtypeError, ParameterError, ShapeError
from edgekit.operators.filter_spec import FilterSpec
from edgekit.operators.kernels import Kernel

#: A NumPy array or a torch tensor, whichever the backend computes on.
Array = Any

#: Pixels above, below, left and right of an output pixel that its kernel covers.
Halo = tuple[int, int, int, int]


class ImageLayout(NamedTuple):
    """The size of an image and the place of its axes.

    Attributes
    ----------
    rows, columns : int
    channels : int or None
        None where the array has no channel axis.
    leading : tuple of int
        Sizes of the batch axes.
    channel_axis : int
        Counted from the end.
    """

    rows: int
    columns: int
    channels: int | None
    leading: tuple[int, ...]
    channel_axis: int


class ArrayTypes(NamedTuple):
    """The types that belong to an array's type.

    Attributes
    ----------
    result : dtype
        Of the response.
    work : dtype
        Of the computation: single or double precision, never less precise than `result`.
    pixels : dtype
        Of the tiles that are cut out of the image.
    low, high : float
        Least and largest value of the array's type; infinite for floating types.
    digits, exponent : int
        Binary digits of `work`, and the exponent of the power of two above its largest number.
    floating : bool
        Whether the array has a floating type.
    """

    result: Any
    work: Any
    pixels: Any
    low: float
    high: float
    digits: int
    exponent: int
    floating: bool


class Result(NamedTuple):
    """The array to compute.

    Attributes
    ----------
    shape : tuple of int
    dtype : dtype
    row_axis : int
    out : array or None
        The array that the caller wants to be filled.
    """

    shape: tuple[int, ...]
    dtype: Any
    row_axis: int
    out: Array | None

    def check_out(self) -> None:
        """Raise unless `out` fits, if it is given."""
        if self.out is None:
            return
        if tuple(self.out.shape) != self.shape:
            raise ShapeError(f"out must have the result's shape {self.shape}; found {tuple(self.out.shape)}")
        if self.out.dtype != self.dtype:
            raise DtypeError(f"out must have the result's type {self.dtype}; found {self.out.dtype}")
        if not getattr(getattr(self.out, "flags", None), "writeable", True):
            raise ParameterError("out is read-only; pass an array that can be written")


#: ``compute(start, stop, into)`` returns rows ``start`` to ``stop - 1`` of a result. `into` is the place of these rows
#: in the result, or None; the returned array is `into` or another one.
ComputeRows = Callable[[int, int, Array | None], Array]


#: As `ComputeRows`; returns None for rows that it cannot compute.
TryRows = Callable[[int, int, Array | None], Array | None]


class TileFilter(NamedTuple):
    """A filter of tiles in two steps. A tile is a run of rows.

    Attributes
    ----------
    image : array
    read : callable
        ``read(image, start, stop)`` returns the padded pixels for rows ``start`` to ``stop - 1`` of the response, and
        which of them are valid (None: all).
    filter : callable
        ``filter(pixels, valid, into)`` returns the response of these pixels.
    """

    image: Array
    read: Callable[[Array, int, int], tuple[Array, Array | None]]
    filter: Callable[[Array, Array | None, Array | None], Array]


class FusedFilter(NamedTuple):
    """A faster way to the rows of a response.

    Attributes
    ----------
    compute : callable
        ``compute(image, start, stop, into)`` returns rows as `ComputeRows` does; None for rows that it cannot compute,
        such as those with NaN. The image has the shape and type of the given one.
    one_pass : bool
        Whether each pixel is read once and each value of the response is written once. Then tiles may be larger than
        the processor's cache.
    """

    compute: Callable[[Array, int, int, Array | None], Array | None]
    one_pass: bool


class Rounding(Enum):
    """What rounding does to a linear response."""

    NONE = "none"
    """Every sum is exact, in any order."""
    HIDDEN = "hidden"
    """Sums are computed with far more digits than the result has."""
    SEEN = "seen"
    """Rounding changes the last digits of the result."""


class Backend(Protocol):
    """The functions of a backend."""

    name: str
    xp: Any
    """The namespace of elementwise functions."""

    def image_layout(self, image: Array) -> ImageLayout:
        """Return the layout of an image.

        Raises
        ------
        ShapeError
            If the array has not the axes of an image, or no pixels.
        """

    def array_types(self, array: Array, *, wide: bool = False) -> ArrayTypes:
        """Return the types that belong to the type of an array; with `wide`, `work` is double precision.

        Raises
        ------
        DtypeError
            If filters do not accept the type.
        """

    def run_tiles(
        self, compute: ComputeRows, layout: ImageLayout, rows: int, overlap: int, result: Result,
        sources: Sequence[Array | None], tile: TileFilter | None = None, at_once: TryRows | None = None,
    ) -> Array:  # fmt: skip
        """Compute a result of `rows` rows tile by tile.

        Parameters
        ----------
        compute : callable
        layout : ImageLayout
            Of the image.
        rows : int
        overlap : int
            Rows that neighbouring tiles both read.
        sources : sequence of array
            The arrays that are read.
        tile : TileFilter, optional
            The steps of `compute`. With them the gradient is computed tile by tile as well.
        at_once : callable, optional
            A faster way than `compute` for large tiles. Where it returns None, `compute` is called for smaller ones.
        """

    def pad(
        self, image: Array, layout: ImageLayout, start: int, stop: int, halo: Halo, border: str, dtype: Any,
        fill: float,
    ) -> Array:  # fmt: skip
        """Return the pixels that rows ``start`` to ``stop - 1`` of a response depend on, as `dtype`."""

    def correlate(
        self, pixels: Array, kernels: Sequence[Kernel | Array], dtype: Any, rounding: Rounding
    ) -> list[Array]:
        """Correlate padded pixels, or a mask, with each kernel, in `dtype`. No response reaches beyond the pixels.

        A kernel whose coefficients sum to zero gives exactly 0 on a flat image, in spite of rounding.
        """

    def weighted_sum(self, responses: Sequence[Array], weights: Sequence[float], out: Array | None = None) -> Array:
        """Return the weighted sum, without the responses of weight 0; in `out` if possible."""

    def magnitude(self, components: Sequence[Array], out: Array | None = None, *, overwrite: bool = False) -> Array:
        """Return the root of the sum of squares, with gradient 0 where it is 0.

        Parameters
        ----------
        components : sequence of array
        out : array, optional
            Receives the result if possible.
        overwrite : bool
            Whether the components may be overwritten.
        """

    def fused(self, image: Array, spec: FilterSpec, *, padded: bool = False) -> FusedFilter | None:
        """Return a faster way to a response whose sums are all exact, or of floats; None without one.

        The result equals that of `pad`, `correlate`, `weighted_sum` and `magnitude`. With `padded` the image has its
        border already, and rows and columns of the response within the border are not defined.
        """

    def keeps_nan_local(self, pixels: Array, kernels: Sequence[Kernel]) -> bool:
        """Tell whether `correlate` gives NaN only where a coefficient that is not zero meets NaN."""

    def exporting(self) -> bool:
        """Tell whether the computation is recorded as a graph for another runtime."""

    def extent(self, values: Array, tiny: float = 0.0) -> tuple[float, bool, bool] | None:
        """Return the largest finite absolute value, whether all values are finite, and whether some are below `tiny`.

        Values of 0 do not count as below `tiny`. None where the values are not known: on a GPU and in traced code.
        """

    def quantize(
        self, values: Array, scale: float, middle: int, top: int, dtype: Any, out: Array | None = None
    ) -> tuple[Array, Any]:
        """Scale and round a response to integers from 0 to `top`, and count the values that were clipped.

        `middle` is the integer of the response 0; if it is 0 the absolute response is converted. NaN becomes `middle`
        and does not count.
        """

    def run_network(self, describe: Callable[..., Any], weights: Mapping[str, Any], image: Array) -> Array:
        """Run a network of convolutions on an image (channels, rows, columns) in single precision.

        Parameters
        ----------
        describe : callable
            ``describe(functions, image)`` connects the layers, as `edgekit.edges.network.network` does. It must be
            hashable.
        weights : mapping of str to NumPy array
            ``name/kernel`` and ``name/bias`` of each layer.

        Returns
        -------
        array
            (rows, columns): the first channel of the result.
        """

    def keep(self, array: Array, where: Array, other: Any) -> Array:
        """Return the values of an array where `where` is True, and `other` elsewhere."""

    def cast(self, array: Array, dtype: Any) -> Array:
        """Return `array` as `dtype`."""

    def from_numpy(self, image: Any, device: str | None) -> Array:
        """Return a NumPy array as this backend's kind of array, on `device`."""

    def to_numpy(self, array: Array) -> Any:
        """Return an array of this backend as a NumPy array with the same axes."""

    def quiet(self) -> AbstractContextManager[Any]:
        """Return a context without warnings of overflow."""
