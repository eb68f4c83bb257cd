"""The kernel of an operator as an array, with its unit and reference. May import `backends` and what is below it."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgekit.common.choices import check_choice
from edgekit.common.html_views import coloured_grid
from edgekit.filters.apply import specification
from edgekit.filters.vectors import operator_parameters
from edgekit.operators.filter_spec import ANGLE_REFERENCES, AngleOf, Rotate, Scale, raw_responses
from edgekit.operators.table import find

#: The unit of a response at unit scale, by the order of the derivative.
_UNITS = {1: "gray levels per pixel", 2: "gray levels per squared pixel"}


@dataclass(frozen=True, eq=False, repr=False)
class OperatorKernel:
    """The kernel of an operator in one direction, as returned by `kernel`. Notebooks show it as a coloured grid.

    Attributes
    ----------
    array : ndarray of float64
        Coefficients of shape (rows, columns), with the y axis down; they are correlated and not flipped.
    angle : float or None
        Direction of the gradient in degrees, clockwise from +x; None for an operator without a direction.
    divisor : float
        The raw response divided by this number is the response at unit scale.
    unit : str
        Unit of the response, such as "gray levels per pixel".
    title : str
        Name of the operator in texts.
    reference : str
        Publication of the coefficients.
    """

    array: NDArray[np.float64]
    angle: float | None
    divisor: float
    unit: str
    title: str
    reference: str

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.array, dtype=dtype, copy=copy)

    def tolist(self) -> list[list[float]]:
        """Return the coefficients as rows of numbers."""
        rows: list[list[float]] = self.array.tolist()
        return rows

    def __repr__(self) -> str:
        return f"OperatorKernel({self._name}, in {self.unit},\n{self.array!r})"

    def _repr_html_(self) -> str:
        return coloured_grid(f"{self._name}, response in {self.unit}", self.tolist(), self.reference)

    @property
    def _name(self) -> str:
        return self.title if self.angle is None else f"{self.title} at {self.angle:g}°"


def kernel(
    operator: str,
    *,
    angle: float | None = None,
    angle_of: AngleOf = "gradient",
    rotate: Rotate = "steer",
    size: int | None = None,
    sigma: float | None = None,
    sigma2: float | None = None,
    stencil: Literal[4, 8, "isotropic"] | None = None,
    levels: int | None = None,
    scale: Scale = "unit",
) -> OperatorKernel:
    """Return the kernel of an operator in one direction.

    Parameters
    ----------
    operator : str
        Name of the operator, such as "sobel".
    angle : float, optional
        Direction in degrees, clockwise from +x. Default: the direction in which the reference prints the kernel, which
        is 0, and 45 for roberts.
    angle_of : {"gradient", "edge"}
        Whether `angle` is the direction of the gradient, or of the edge, which is 90 degrees further.
    rotate : {"steer", "ring"}
        ``steer``: any angle, as cos·gx + sin·gy. ``ring``: multiples of 45 degrees, by shifting the outer coefficients
        of a 3x3 kernel.
    size : int, optional
        Kernel size of sobel and farid.
    sigma, sigma2 : float, optional
        Standard deviations of gaussian, laplacian and dog, in pixels.
    stencil : {4, 8, "isotropic"}, optional
        The neighbours that a laplacian covers.
    levels : int, optional
        Of robinson: 3 or 5.
    scale : {"unit", "raw"}
        ``unit``: correlation with the kernel gives the response in gray levels per pixel, or per squared pixel for a
        Laplacian. ``raw``: coefficients as the reference prints them.

    Returns
    -------
    OperatorKernel
        With ``.array``, ``.angle``, ``.divisor``, ``.unit``, ``.title`` and ``.reference``. NumPy functions and
        `correlate` accept it as an array.

    Raises
    ------
    ParameterError
        If there is no such operator, or an option does not fit it.

    Examples
    --------
    >>> import edgekit as ek
    >>> ek.kernel("sobel", angle=45, rotate="ring", scale="raw").array
    array([[-2., -1.,  0.],
           [-1.,  0.,  1.],
           [ 0.,  1.,  2.]])
    >>> ek.kernel("laplacian").unit
    'gray levels per squared pixel'
    """
    row = find(operator)
    check_choice("angle_of", angle_of, ANGLE_REFERENCES)
    if angle is None and row.directed:
        angle = row.axis + (90.0 if angle_of == "edge" else 0.0)
    parameters = operator_parameters(operator, size=size, sigma=sigma, sigma2=sigma2, stencil=stencil, levels=levels)
    # This checks the options, and converts the direction of an edge to that of the gradient.
    spec = specification(row, parameters, angle, {"scale": scale, "angle_of": angle_of, "rotate": rotate})
    directions = None if spec.direction is None else (spec.direction,)
    printed = raw_responses(row, row.kernels(**parameters), directions, rotate)
    divisor = printed.divisors[0]
    unit = _UNITS[row.order] if scale == "unit" else f"{_UNITS[row.order]} times {divisor:g}"
    array = np.array(printed.coefficients[0]) / (divisor if scale == "unit" else 1.0)
    # Adding 0 turns -0 into 0.
    return OperatorKernel(array + 0.0, printed.angles[0], divisor, unit, row.title, row.reference)
