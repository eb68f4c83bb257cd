"""What every kind of array can do for a filter. May import errors, taps and plans.

A backend is a module with the functions of `Backend`, each with one signature.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple, Protocol

from edgekit.errors import DtypeError, ParameterError, ShapeError
from edgekit.operators.filter_spec import Plan
from edgekit.operators.kernels import Kernel

Array = Any


class Frame(NamedTuple):
    """The layout of an image: its size in pixels, and where its axes are."""

    rows: int
    columns: int
    channels: int | None
    """None where the array has no channel axis."""
    leading: tuple[int, ...]
    """Batch axes."""

    channel_axis: int
    """Counted from the end."""

    def shape(self, rows: int, columns: int, channels: int | None) -> tuple[int, ...]:
        """Return an array's shape in this layout."""
        if channels is None:
            return (*self.leading, rows, columns)
        spatial = (channels, rows, columns) if self.channel_axis == -3 else (rows, columns, channels)
        return (*self.leading, *spatial)


class Result(NamedTuple):
    """The array to be made."""

    shape: tuple[int, ...]
    dtype: Any
    row_axis: int
    out: Array | None

    def check_out(self) -> None:
        """Raise unless `out` is None or fits."""
        if self.out is None:
            return
        if tuple(self.out.shape) != self.shape:
            raise ShapeError(f"out must have the result's shape {self.shape}; found {tuple(self.out.shape)}")
        if self.out.dtype != self.dtype:
            raise DtypeError(f"out must have the result's type {self.dtype}; found {self.out.dtype}")
        if not getattr(getattr(self.out, "flags", None), "writeable", True):
            raise ParameterError("out is read-only; give an array that can be written")


#: Makes a run of a result's rows, from the first to before the last, given their place in it.
Rows = Callable[[int, int, Array | None], Array]


@dataclass(frozen=True)
class Steps:
    """A filter, as it makes runs of a result's rows."""

    image: Array
    look: Callable[[Array, int, int], tuple[Array, Array | None]]
    """Take the pixels of an image that rows ``start .. stop - 1`` look at, and which of them are valid."""
    filter: Callable[[Array, Array | None, Array | None], Array]
    """Make the response to those pixels, in its place where that can be."""

    def __call__(self, start: int, stop: int, into: Array | None, /) -> Array:
        """Return rows ``start .. stop - 1``."""
        return self.filter(*self.look(self.image, start, stop), into)


class Rounding(Enum):
    """What rounding does to a linear response."""

    NONE = "none"
    """Nothing: every sum on the way can be held, in whatever order."""
    HIDDEN = "hidden"
    """It changes digits that the result does not have: sums are computed with far more."""
    SEEN = "seen"
    """It changes the result's last digits: the fewer sums, the better."""


class Backend(Protocol):
    """What a backend provides."""

    name: str
    xp: Any
    """The namespace of elementwise functions."""

    def frame(self, image: Array) -> Frame:
        """Check type and shape and return the layout."""

    def dtypes(self, image: Array, *, wide: bool) -> tuple[Any, Any]:
        """Return the type to compute in and the type of the result."""

    def limits(self, image: Array) -> tuple[float, float]:
        """Return the least and largest value of the image's type; infinite for floating types."""

    def digits(self, dtype: Any) -> int:
        """Return how many binary digits `dtype` computes with."""

    def pixels_of(self, image: Array, work: Any) -> Any:
        """Return the type in which `correlate` likes the image's pixels best, where it computes in `work`."""

    def assemble(
        self,
        compute: Rows,
        frame: Frame,
        rows: int,
        halo: int,
        result: "Result",
        sources: Sequence[Array | None],
    ) -> Array:
        """Make the result of what ``compute(start, stop, into)`` gives for runs of its rows.

        `into` is their place in the result; what is not computed there is copied there.
        """  # fmt: skip

    def window(
        self,
        image: Array,
        frame: Frame,
        start: int,
        stop: int,
        halo: tuple[int, int, int, int],
        border: str,
        dtype: Any,
        outside: float,
    ) -> Array:
        """Return the pixels that rows ``start .. stop - 1`` of the result look at, as `dtype`."""  # fmt: skip

    def correlate(self, window: Array, kernel: Kernel, dtype: Any, rounding: Rounding) -> Array:
        """Correlate in `dtype`, giving only the pixels that the whole kernel fits round.

        On flat ground taps that sum to zero give 0, whatever is rounded.
        """

    def mix(self, responses: Sequence[Array], weights: Sequence[float], out: Array | None = None) -> Array:
        """Return the weighted sum, leaving out what has no weight; in `out` where that can be."""

    def shortcut(self, image: Array, plan: Plan) -> Rows | None:
        """Return a faster ``compute`` for `assemble`, of an image without a mask; None where there is none."""

    def levels(
        self, values: Array, scale: float, middle: int, top: int, dtype: Any, out: Array | None = None
    ) -> tuple[Array, Any]:
        """Turn a response into levels, in `out` where that can be, and count what was clipped.

        Scaled, rounded, and absolute where `middle`, the level of 0, is 0. NaN becomes `middle` and does not count.
        """

    def weighted(self, window: Array, taps: Array) -> Array:
        """Correlate with taps that are an array themselves."""

    def carries(self, window: Array, kernels: Sequence[Kernel]) -> bool:
        """Tell whether `correlate` takes NaN to wherever a factor that is not zero touches it, and nowhere else."""

    def extent(self, window: Array) -> tuple[float, bool]:
        """Return the largest absolute pixel of those that are finite, and whether all are known to be.

        Where asking is too dear, 0 and False.
        """

    def some_tiny(self, window: Array, below: float) -> bool:
        """Tell whether some pixel is known to be smaller, but not 0."""

    def some_not_finite(self, array: Array) -> bool:
        """Tell whether some value is known not to be finite; False may mean that asking is too dear."""

    def root(self, squares: Array) -> Array:
        """Return the square root, with gradient 0 at 0."""

    def magnitude(self, gx: Array, gy: Array, out: Array | None = None, *, overwrite: bool = False) -> Array:
        """Return the root of gx² + gy², with gradient 0 where it is 0.

        It is computed in `out` where that can be, and over the components where that is allowed.
        """

    def take_along(self, array: Array, indices: Array, axis: int) -> Array:
        """Pick one entry along `axis` for each position."""

    def cast(self, array: Array, dtype: Any) -> Array:
        """Return `array` as `dtype`."""

    def lend(self, image: Any, device: str | None) -> Array:
        """Return a NumPy image as this backend's kind, on `device`."""

    def give_back(self, response: Array) -> Any:
        """Return a response as a NumPy array in NumPy's layout."""

    def in_numpy(self, image: Array) -> Any:
        """Return an array as NumPy's, in its own layout."""

    def as_mask(self, mask: Array, image: Array, frame: Frame) -> Array:
        """Check a mask against the image it is for and give it the image's axes."""

    def quiet(self) -> AbstractContextManager[Any]:
        """Return a context in which nothing warns of what overflows, and is infinite."""

    def without_graph(self) -> AbstractContextManager[Any]:
        """Return a context in which nothing is recorded for gradients."""

    def by_plane(self, function: Callable[..., Array], *images: Array) -> Array:
        """Apply a function of arrays (..., rows, columns) to images of one shape and give its result their layout."""

    def by_plane_in_numpy(self, function: Callable[..., Any], *images: Array) -> Array:
        """Apply a function of NumPy planes (rows, columns) to each plane of images of one shape.

        The function gives a plane or a number. The results have the images' layout; numbers one that
        broadcasts against it.
        """
