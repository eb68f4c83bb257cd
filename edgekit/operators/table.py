"""The table of operators. Standard library only.

To add a linear operator, add its row to `_ROWS`; see docs/architecture.md.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from numbers import Real
from typing import Any

from edgekit.common.choices import shown, unknown_choice
from edgekit.errors import KernelError, ParameterError
from edgekit.operators.kernels import NARROW, Kernel, Matrix, moment, ring, shape

#: A Gaussian is truncated at this many standard deviations.
TRUNCATE = 4.0

#: Largest standard deviation in pixels. For larger ones reduce the image first.
LARGEST = 500.0

#: The ratio of the standard deviations at which a difference of Gaussians is most similar to a Laplacian (Marr and
#: Hildreth, Theory of Edge Detection, 1980).
DOG_RATIO = 1.6


class Kind(Enum):
    """How an operator's kernels are used."""

    GRADIENT = "gradient"
    """Two perpendicular kernels: steering gives any direction, the root of their sum of squares the magnitude."""
    COMPASS = "compass"
    """One kernel rotated into eight directions; the magnitude is the maximum over them."""
    LAPLACIAN = "laplacian"
    """One kernel: a second derivative without a direction."""
    KERNEL = "kernel"
    """A user-defined kernel."""


@dataclass(frozen=True, eq=False)
class Operator:
    """A row of the table: an operator and its kernels.

    Attributes
    ----------
    name : str
        The name in Python and on the command line.
    title : str
        The name in texts.
    kind : Kind
        How its kernels are used.
    order : int
        Order of the derivative; 0 for a user-defined kernel.
    accuracy : int
        2 if the response at the centre of the pixel is exact for polynomials whose degree is the order plus 1, else 1.
    reference : str
        Publication of the coefficients.
    parameters : mapping
        Names and defaults of the parameters that choose the kernels.
    choices : mapping
        Kernels by the value of the first parameter. A gradient has two: one in the direction `axis`, one 90 degrees
        further.
    build : callable
        Computes the kernels from continuous parameters, instead of `choices`.
    axis : float
        Direction of the first kernel, in degrees.
    split : callable, optional
        Returns for parameters of a Laplacian its second derivatives along x and y, or None; see `second_derivatives`.
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
    split: Callable[..., tuple[Kernel, Kernel] | None] | None = None

    @property
    def directed(self) -> bool:
        """Whether the operator has a direction, and so an option `angle`."""
        return self.kind in (Kind.GRADIENT, Kind.COMPASS)

    def kernels(self, **parameters: Any) -> tuple[Kernel, ...]:
        """Return the kernels for `parameters`; missing ones have their defaults.

        Raises
        ------
        ParameterError
            If the operator does not have a parameter, or not with this value.
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
            raise ParameterError(f"{self.name} has no {name}={shown(value)}; choose one of {choices}")
        return self.choices[value]

    def second_derivatives(self, **parameters: Any) -> tuple[Kernel, Kernel] | None:
        """Return the second derivatives along x and y whose sum is the Laplacian; None if it is no such sum."""
        return None if self.split is None else self.split(**{**self.parameters, **parameters})

    def divisor(self, kernel: Kernel, angle: float = 0.0) -> float:
        """Return the response of `kernel` to a ramp of slope 1 towards `angle`, or to x²/2 for a Laplacian.

        A user-defined kernel has no unit: its divisor is 1.
        """
        if self.order == 0:
            return 1.0
        if self.order == 2:
            return moment(kernel.coefficients, 2) / 2
        return moment(kernel.coefficients, 1, *cos_sin(angle))

    def turned(self, kernel: Kernel, angle: float) -> Kernel:
        """Rotate the outer coefficients of a 3x3 `kernel` from direction 0 to `angle`, a multiple of 45 degrees."""
        steps = (angle % 360) / 45
        if kernel.shape != (3, 3) or self.axis:
            raise ParameterError(f'rotate="ring" needs a 3x3 kernel; found {_size(kernel)}. Use rotate="steer"')
        if not steps.is_integer():
            raise ParameterError(f"angle={angle:g} must be a multiple of 45 degrees for kernels that are rotated")
        return Kernel.dense(ring(kernel.coefficients, int(steps)))


def cos_sin(angle: float) -> tuple[float, float]:
    """Return cosine and sine of `angle` in degrees: exact at multiples of 90, equal at 45."""
    quarter, rest = divmod(angle % 360, 90)
    c, s = math.cos(math.radians(rest)), math.sin(math.radians(rest))
    if rest == 45:
        c = s = math.sqrt(0.5)
    # The remainder of a tiny negative angle is rounded to 360, the fifth quarter.
    return ((c, s), (-s, c), (-c, -s), (s, -c))[int(quarter) % 4]


def _size(kernel: Kernel) -> str:
    return "{}x{}".format(*kernel.shape)


def _pair(smooth: Sequence[float], derivative: Sequence[float]) -> tuple[Kernel, ...]:
    """Return two separable kernels: the derivative along x smoothed along y, and its transpose."""
    along_x = Kernel.separable((smooth, derivative))
    return along_x, along_x.transposed


def _positive(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 < float(value) <= LARGEST:
        raise ParameterError(f"{name}={shown(value)} must be a positive, finite number of pixels, {LARGEST:g} at most")
    return float(value)


def gaussian(sigma: float, order: int = 0, radius: int | None = None) -> tuple[float, ...]:
    """Return samples of a Gaussian of sum 1, or of its first or second derivative, for correlation.

    The second derivative is corrected to sum 0, so that its response in flat regions is 0.
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
    # Subtract the multiple of the Gaussian that makes the sum 0; without truncation it would be bell / sigma**2.
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
    """Return a Laplacian stencil, or the Laplacian of Gaussian if `sigma` is given."""
    if sigma is None:
        if stencil not in STENCILS or isinstance(stencil, bool):
            raise ParameterError(f"laplacian has no stencil={shown(stencil)}; choose one of 4, 8, 'isotropic'")
        return (STENCILS[stencil],)
    sigma = _positive("sigma", sigma)
    if stencil != 4:
        raise ParameterError(f"stencil={shown(stencil)} and sigma={sigma:g} exclude each other; give one")
    if sigma < 0.3:
        raise ParameterError(f"sigma={sigma:g} is too small for a Laplacian of Gaussian; use 0.3 or more")
    smooth, second = gaussian(sigma), gaussian(sigma, order=2)
    return (Kernel.separable((smooth, second), (second, smooth)),)


def second_derivatives(stencil: int | str, sigma: float | None) -> tuple[Kernel, Kernel] | None:
    """Return the second derivatives along x and y whose sum is `laplacian`; None for stencils with diagonals."""
    if sigma is not None:
        along_x = Kernel.separable((gaussian(sigma), gaussian(sigma, order=2)))
    elif stencil == 4:
        along_x = Kernel.dense([[0, 0, 0], [1, -2, 1], [0, 0, 0]])
    else:
        return None
    return along_x, along_x.transposed


def difference_of_gaussians(sigma: float, sigma2: float | None) -> tuple[Kernel, ...]:
    """Return the Gaussian of `sigma` minus that of `sigma2`.

    A⊗A - B⊗B is computed as A⊗(A - B) + (A - B)⊗B. One factor of each term sums to 0, so that the response of each term
    in flat regions is exactly 0.
    """
    sigma = _positive("sigma", sigma)
    sigma2 = DOG_RATIO * sigma if sigma2 is None else _positive("sigma2", sigma2)
    if min(sigma, sigma2) < 0.15:
        raise ParameterError(f"sigma={min(sigma, sigma2):g} is too small to sample; use 0.15 or more")
    if sigma == sigma2:
        raise ParameterError(f"sigma and sigma2 are both {sigma:g}: their difference is 0; choose different values")
    radius = max(1, int(TRUNCATE * max(sigma, sigma2) + 0.5))
    a, b = gaussian(sigma, radius=radius), gaussian(sigma2, radius=radius)
    difference = [p - q for p, q in zip(a, b, strict=True)]
    kernel = Kernel.separable((a, difference), (difference, b))
    if not abs(moment(kernel.coefficients, 2)) > 1e-12:
        raise ParameterError(f"sigma={sigma:g} and sigma2={sigma2:g} are too small or too similar to differ")
    return (kernel,)


#: 3x3 kernels of the Laplacian, by the option `stencil`.
STENCILS: Mapping[int | str, Kernel] = {
    4: Kernel.dense([[0, 1, 0], [1, -4, 1], [0, 1, 0]]),
    8: Kernel.dense([[1, 1, 1], [1, -8, 1], [1, 1, 1]]),
    "isotropic": Kernel.dense([[1, 4, 1], [4, -20, 4], [1, 4, 1]]),
}

# Farid and Simoncelli 2004, table I: prefilter and first derivative, with 5 and 7 coefficients.
FARID_5 = ((0.037659, 0.249153, 0.426375, 0.249153, 0.037659), (-0.109604, -0.276690, 0, 0.276690, 0.109604))
FARID_7 = (
    (0.004711, 0.069321, 0.245410, 0.361117, 0.245410, 0.069321, 0.004711),
    (-0.018708, -0.125376, -0.193091, 0, 0.193091, 0.125376, 0.018708),
)

# Differences along the diagonals of 2x2 pixels: the response belongs to a point half a pixel to the right of and below
# the pixel at which it is stored.
ROBERTS = (Kernel.dense([[-1, 0], [0, 1]]), Kernel.dense([[0, -1], [1, 0]]))

_ROWS = (
    Operator(
        "sobel", "Sobel", Kind.GRADIENT, order=1, accuracy=2,
        reference="Sobel and Feldman 1968; sizes 5 and 7 by repeated binomial smoothing",
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
        parameters={"stencil": 4, "sigma": None}, build=laplacian, split=second_derivatives,
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

#: The operators by name.
OPERATORS: dict[str, Operator] = {op.name: op for op in _ROWS}


def find(name: str) -> Operator:
    """Return the operator called `name`.

    Raises
    ------
    ParameterError
        If there is no such operator.
    """
    try:
        return OPERATORS[name]
    except (KeyError, TypeError):
        raise ParameterError(unknown_choice("operator", name, OPERATORS)) from None


def own_operator(coefficients: Sequence[Sequence[float]]) -> Operator:
    """Return an operator with a user-defined kernel.

    Raises
    ------
    KernelError
        If the coefficients are not a rectangle of finite numbers, are all 0, or have an even number of rows or columns.
    """
    table: Any = coefficients
    if hasattr(table, "tolist") and not isinstance(table, type):
        table = table.tolist()
    try:
        if any(isinstance(line, str) for line in table):
            raise TypeError
        matrix: Matrix = tuple(tuple(float(t) for t in line) for line in table)
    except (TypeError, ValueError):
        raise KernelError(
            f"a kernel must be a table of numbers: rows of coefficients; found {shown(coefficients)}"
        ) from None
    widths = {len(line) for line in matrix}
    if len(widths) != 1 or 0 in widths:
        raise KernelError(f"the rows of a kernel must have one length; found {sorted(widths) or 'no rows'}")
    rows, columns = len(matrix), widths.pop()
    if rows % 2 == 0 or columns % 2 == 0:
        raise KernelError(
            f"a kernel needs an odd number of rows and columns, so that it has a centre; found {rows}x{columns}. "
            "Add a row or column of zeros on one side"
        )
    if not all(math.isfinite(t) for line in matrix for t in line):
        raise KernelError("a kernel's coefficients must be finite; found nan or inf")
    if not any(t for line in matrix for t in line):
        raise KernelError("a kernel needs a coefficient that is not zero; found only zeros")
    return _own(matrix)


@lru_cache(maxsize=64)
def _own(matrix: Matrix) -> Operator:
    # Small kernels are not factored: one correlation is faster than several, and its sums are exact more often.
    kernel = Kernel.factored(matrix) if max(shape(matrix)) > NARROW else Kernel.dense(matrix)
    return Operator(
        "kernel", "Own kernel", Kind.KERNEL, order=0, accuracy=0, reference="", choices={None: (kernel,)},
    )  # fmt: skip
