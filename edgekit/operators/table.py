"""Every operator as a row of data. Standard library only.

To add a linear operator, add its row to `OPERATORS`: the functions, the command line, the
generic tests and the README's table find it there.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from numbers import Real
from typing import Any

from edgekit.common.names import unknown
from edgekit.errors import KernelError, ParameterError
from edgekit.operators.kernels import NARROW, Kernel, Matrix, moment, ring, shape

#: A Gaussian is cut off at this many standard deviations.
TRUNCATE = 4.0

#: A Gaussian beyond this is wider than images are; reduce the image first.
LARGEST = 500.0

#: Two standard deviations in this ratio make a difference of Gaussians look most like a Laplacian
#: (Marr and Hildreth, Theory of Edge Detection, 1980).
DOG_RATIO = 1.6


class Kind(Enum):
    """How an operator's kernels are used."""

    GRADIENT = "gradient"
    """Two kernels at right angles: any direction by steering, the magnitude as their root sum of squares."""
    COMPASS = "compass"
    """One kernel turned round its ring in eight directions, and the maximum over them."""
    LAPLACIAN = "laplacian"
    """One kernel, a second derivative without a direction."""
    KERNEL = "kernel"
    """A user's own kernel."""


@dataclass(frozen=True, eq=False)
class Operator:
    """One row: what an operator is and which kernels its parameter chooses.

    Attributes
    ----------
    name : str
        The name in Python and on the command line.
    title : str
        The name in a sentence.
    kind : Kind
        How its kernels are used.
    order : int
        Order of the derivative.
    accuracy : int
        2 where the response at the pixel's centre is exact for polynomials of one degree more
        than the derivative's order, else 1.
    reference : str
        Where the taps are from.
    parameters : mapping
        The parameters that choose the kernels, with their defaults.
    choices : mapping
        Kernels by the value of the first parameter; for gradients the one along `axis`, and the
        one 90 degrees on.
    build : callable
        Makes the kernels where parameters are continuous.
    axis : float
        Direction of the first kernel in degrees.
    """

    name: str
    title: str
    kind: Kind
    order: int
    accuracy: int
    reference: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    choices: Mapping[Any, tuple[Kernel, ...]] = field(default_factory=dict)
    build: Callable[..., tuple[Kernel, ...]] | None = None
    axis: float = 0.0

    @property
    def directed(self) -> bool:
        """Whether it takes an angle."""
        return self.kind in (Kind.GRADIENT, Kind.COMPASS)

    def kernels(self, **parameters: Any) -> tuple[Kernel, ...]:
        """Return the kernels for `parameters`; those not given take their defaults.

        Raises
        ------
        ParameterError
            If the operator has no such parameter, or not with this value.
        """
        for name in parameters:
            if name not in self.parameters:
                known = ", ".join(self.parameters) or "no parameter of its own"
                raise ParameterError(f"{self.name} does not take {name}=; it takes {known}")
        given = {**self.parameters, **parameters}
        if self.build is not None:
            return self.build(**given)
        value = next(iter(given.values()), None)
        if value not in self.choices or isinstance(value, bool):
            (name,) = self.parameters
            choices = ", ".join(repr(c) for c in self.choices)
            raise ParameterError(f"{self.name} has no {name}={value!r}; choose one of {choices}")
        return self.choices[value]

    def divisor(self, kernel: Kernel, angle: float = 0.0) -> float:
        """Return what `kernel` reads on the unit ramp towards `angle`, or on x²/2 for a Laplacian.

        A user's own kernel has no unit: its divisor is 1.
        """
        if self.order == 0:
            return 1.0
        if self.order == 2:
            return moment(kernel.taps, 2) / 2
        return moment(kernel.taps, 1, *cos_sin(angle))

    def turned(self, kernel: Kernel, angle: float) -> Kernel:
        """Turn a 3x3 `kernel` round its ring from direction 0 to `angle`, a multiple of 45 degrees."""
        steps = (angle % 360) / 45
        if kernel.shape != (3, 3) or self.axis:
            raise ParameterError(f'rotate="ring" needs a 3x3 kernel; found {_size(kernel)} for {self.name}. Steer it')
        if not steps.is_integer():
            raise ParameterError(f"angle={angle:g} does not fit a ring; choose a multiple of 45 degrees")
        return Kernel.dense(ring(kernel.taps, int(steps)))


def cos_sin(angle: float) -> tuple[float, float]:
    """Return cosine and sine of `angle` in degrees, exact at multiples of 90 and equal at 45."""
    quarter, rest = divmod(angle % 360, 90)
    c, s = math.cos(math.radians(rest)), math.sin(math.radians(rest))
    if rest == 45:
        c = s = math.sqrt(0.5)
    # Rounded, an angle a little below 0 is 360.
    return ((c, s), (-s, c), (-c, -s), (s, -c))[int(quarter) % 4]


def _size(kernel: Kernel) -> str:
    return "{}x{}".format(*kernel.shape)


def _pair(smooth: Sequence[float], derivative: Sequence[float]) -> tuple[Kernel, ...]:
    """Return the derivative along x, smoothed along y, and the same along y."""
    along_x = Kernel.separable((smooth, derivative))
    return along_x, along_x.transposed


def _positive(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 < float(value) <= LARGEST:
        raise ParameterError(f"{name}={value!r} must be a positive, finite number of pixels, {LARGEST:g} at most")
    return float(value)


def gaussian(sigma: float, order: int = 0, radius: int | None = None) -> tuple[float, ...]:
    """Sample a Gaussian of unit sum, or its first or second derivative, ready to be correlated.

    The second derivative is corrected to zero sum: flat ground has no curvature.
    """
    radius = max(1, int(TRUNCATE * sigma + 0.5)) if radius is None else radius
    xs = range(-radius, radius + 1)
    bell = [math.exp(-0.5 * (x / sigma) ** 2) for x in xs]
    total = math.fsum(bell)
    bell = [b / total for b in bell]
    if order == 0:
        return tuple(bell)
    if order == 1:
        return tuple(x / sigma**2 * b for x, b in zip(xs, bell, strict=True))
    # Less the one multiple of the bell that leaves a sum of zero; of an endless Gaussian that is bell / sigma**2.
    second = [x**2 / sigma**4 * b for x, b in zip(xs, bell, strict=True)]
    excess = math.fsum(second)
    return tuple(s - excess * b for s, b in zip(second, bell, strict=True))


def gaussian_derivative(sigma: float) -> tuple[Kernel, ...]:
    """Return the derivatives of a Gaussian along x and y."""
    sigma = _positive("sigma", sigma)
    if sigma < 0.15:
        raise ParameterError(f"sigma={sigma:g} is too small to sample on a grid of pixels; use 0.15 or more")
    return _pair(gaussian(sigma), gaussian(sigma, order=1))


def laplacian(stencil: int | str, sigma: float | None) -> tuple[Kernel, ...]:
    """Return a Laplacian stencil, or the Laplacian of Gaussian where `sigma` is given."""
    if sigma is None:
        if stencil not in STENCILS or isinstance(stencil, bool):
            raise ParameterError(f"laplacian has no stencil={stencil!r}; choose one of 4, 8, 'isotropic'")
        return (STENCILS[stencil],)
    sigma = _positive("sigma", sigma)
    if stencil != 4:
        raise ParameterError(f"stencil={stencil!r} and sigma={sigma:g} exclude each other; give one")
    if sigma < 0.3:
        raise ParameterError(f"sigma={sigma:g} is too small for a Laplacian of Gaussian; use 0.3 or more")
    smooth, second = gaussian(sigma), gaussian(sigma, order=2)
    return (Kernel.separable((smooth, second), (second, smooth)),)


def difference_of_gaussians(sigma: float, sigma2: float | None) -> tuple[Kernel, ...]:
    """Return the Gaussian of `sigma` minus that of `sigma2`.

    A⊗A - B⊗B is written as A⊗(A - B) + (A - B)⊗B: in each term one factor sums to 0, so that
    each is 0 on flat ground by itself.
    """
    sigma = _positive("sigma", sigma)
    sigma2 = DOG_RATIO * sigma if sigma2 is None else _positive("sigma2", sigma2)
    if min(sigma, sigma2) < 0.15:
        raise ParameterError(f"sigma={min(sigma, sigma2):g} is too small to sample on pixels; use 0.15 or more")
    if sigma == sigma2:
        raise ParameterError(f"sigma and sigma2 are both {sigma:g}: their difference is zero everywhere")
    radius = max(1, int(TRUNCATE * max(sigma, sigma2) + 0.5))
    a, b = gaussian(sigma, radius=radius), gaussian(sigma2, radius=radius)
    difference = [p - q for p, q in zip(a, b, strict=True)]
    kernel = Kernel.separable((a, difference), (difference, b))
    if not abs(moment(kernel.taps, 2)) > 1e-12:
        raise ParameterError(f"sigma={sigma:g} and sigma2={sigma2:g} are too small or too alike to differ on pixels")
    return (kernel,)


#: Second derivatives on 3x3 pixels.
STENCILS: Mapping[int | str, Kernel] = {
    4: Kernel.dense([[0, 1, 0], [1, -4, 1], [0, 1, 0]]),
    8: Kernel.dense([[1, 1, 1], [1, -8, 1], [1, 1, 1]]),
    "isotropic": Kernel.dense([[1, 4, 1], [4, -20, 4], [1, 4, 1]]),
}

# Farid and Simoncelli 2004, table I: prefilter and first derivative for 5 and 7 taps.
FARID_5 = ((0.037659, 0.249153, 0.426375, 0.249153, 0.037659), (-0.109604, -0.276690, 0, 0.276690, 0.109604))
FARID_7 = (
    (0.004711, 0.069321, 0.245410, 0.361117, 0.245410, 0.069321, 0.004711),
    (-0.018708, -0.125376, -0.193091, 0, 0.193091, 0.125376, 0.018708),
)

# The diagonals of a 2x2 window: the response belongs to the point half a pixel right of and below
# the pixel that it is stored at.
ROBERTS = (Kernel.dense([[-1, 0], [0, 1]]), Kernel.dense([[0, -1], [1, 0]]))

_ROWS = (
    Operator(
        "sobel", "Sobel", Kind.GRADIENT, order=1, accuracy=2,
        reference="Sobel and Feldman 1968; 5 and 7 taps by repeated binomial smoothing",
        parameters={"size": 3},
        choices={
            3: _pair((1, 2, 1), (-1, 0, 1)),
            5: _pair((1, 4, 6, 4, 1), (-1, -2, 0, 2, 1)),
            7: _pair((1, 6, 15, 20, 15, 6, 1), (-1, -4, -5, 0, 5, 4, 1)),
        },
    ),
    Operator(
        "scharr", "Scharr", Kind.GRADIENT, order=1, accuracy=2,
        reference="Scharr 2000, Optimal operators in digital image processing",
        choices={None: _pair((3, 10, 3), (-1, 0, 1))},
    ),
    Operator(
        "prewitt", "Prewitt", Kind.GRADIENT, order=1, accuracy=2,
        reference="Prewitt 1970, Object enhancement and extraction",
        choices={None: _pair((1, 1, 1), (-1, 0, 1))},
    ),
    Operator(
        "roberts", "Roberts cross", Kind.GRADIENT, order=1, accuracy=1,
        reference="Roberts 1963, Machine perception of three-dimensional solids",
        choices={None: ROBERTS}, axis=45.0,
    ),
    Operator(
        "central", "Central difference", Kind.GRADIENT, order=1, accuracy=2,
        reference="the symmetric difference quotient",
        choices={None: _pair((0, 1, 0), (-1, 0, 1))},
    ),
    Operator(
        "farid", "Farid", Kind.GRADIENT, order=1, accuracy=2,
        reference="Farid and Simoncelli 2004, 10.1109/TIP.2004.823819",
        parameters={"size": 5}, choices={5: _pair(*FARID_5), 7: _pair(*FARID_7)},
    ),
    Operator(
        "gaussian", "Gaussian derivative", Kind.GRADIENT, order=1, accuracy=2,
        reference="Canny 1986, 10.1109/TPAMI.1986.4767851",
        parameters={"sigma": 1.0}, build=gaussian_derivative,
    ),
    Operator(
        "laplacian", "Laplacian", Kind.LAPLACIAN, order=2, accuracy=2,
        reference="Marr and Hildreth 1980, 10.1098/rspb.1980.0020 (of Gaussian); Horn 1986 (isotropic)",
        parameters={"stencil": 4, "sigma": None}, build=laplacian,
    ),
    Operator(
        "dog", "Difference of Gaussians", Kind.LAPLACIAN, order=2, accuracy=2,
        reference="Marr and Hildreth 1980, 10.1098/rspb.1980.0020",
        parameters={"sigma": 1.0, "sigma2": None}, build=difference_of_gaussians,
    ),
    Operator(
        "kirsch", "Kirsch compass", Kind.COMPASS, order=1, accuracy=1,
        reference="Kirsch 1971, 10.1016/0010-4809(71)90034-6",
        choices={None: (Kernel.dense([[-3, -3, 5], [-3, 0, 5], [-3, -3, 5]]),)},
    ),
    Operator(
        "robinson", "Robinson compass", Kind.COMPASS, order=1, accuracy=2,
        reference="Robinson 1977, 10.1016/S0146-664X(77)80024-5",
        parameters={"levels": 3},
        choices={
            3: (Kernel.dense([[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]]),),
            5: (Kernel.dense([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]),),
        },
    ),
)  # fmt: skip

#: Every operator by name.
OPERATORS: dict[str, Operator] = {op.name: op for op in _ROWS}


def find(name: str) -> Operator:
    """Return the row called `name`.

    Raises
    ------
    ParameterError
        If there is none.
    """
    try:
        return OPERATORS[name]
    except (KeyError, TypeError):
        raise ParameterError(unknown("operator", name, OPERATORS)) from None


def own(taps: Sequence[Sequence[float]]) -> Operator:
    """Make a row of a user's own kernel.

    Raises
    ------
    KernelError
        If it is not a rectangle of finite numbers with an odd number of rows and columns, or all zero.
    """
    try:
        if any(isinstance(line, str) for line in taps):
            raise TypeError
        matrix: Matrix = tuple(tuple(float(t) for t in line) for line in taps)
    except (TypeError, ValueError):
        raise KernelError("a kernel must be a table of numbers: rows of taps") from None
    widths = {len(line) for line in matrix}
    if len(widths) != 1 or 0 in widths:
        raise KernelError(f"a kernel's rows must be of one length; found {sorted(widths) or 'no rows'}")
    rows, columns = len(matrix), widths.pop()
    if rows % 2 == 0 or columns % 2 == 0:
        raise KernelError(
            f"a kernel needs an odd number of rows and columns, to have a middle; found {rows}x{columns}. "
            "Pad it with a row or column of zeros on the side you mean"
        )
    if not all(math.isfinite(t) for line in matrix for t in line):
        raise KernelError("a kernel's taps must be finite; found nan or inf")
    if not any(t for line in matrix for t in line):
        raise KernelError("a kernel needs a tap that is not zero")
    return _own(matrix)


@lru_cache(maxsize=64)
def _own(matrix: Matrix) -> Operator:
    # A small kernel is done sooner in one go, and its sums are exact more often.
    kernel = Kernel.factored(matrix) if max(shape(matrix)) > NARROW else Kernel.dense(matrix)
    return Operator(
        "kernel", "Own kernel", Kind.KERNEL, order=0, accuracy=0, reference="", choices={None: (kernel,)},
    )  # fmt: skip
