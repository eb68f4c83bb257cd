"""Slow reference filters in NumPy with double precision, and the published kernels of all operators.

Independent of edgekit, which is not imported here.
"""

from dataclasses import dataclass, field
from functools import cache, reduce
from typing import Any

import numpy as np

BORDERS = ("reflect", "symmetric", "edge", "constant", "wrap", "valid")

#: The type of the response for each type of NumPy image.
RESULT = {
    "bool": "float32", "uint8": "float32", "int8": "float32", "uint16": "float32", "int16": "float32",
    "int32": "float64", "uint32": "float64", "int64": "float64", "uint64": "float64",
    "float16": "float16", "float32": "float32", "float64": "float64",
}  # fmt: skip

#: Distance of 1 to the next number of each floating type.
EPS = {"bfloat16": 2.0**-7, "float16": 2.0**-10, "float32": 2.0**-23, "float64": 2.0**-52}


def pad(image, shape, border, outside=0.0):
    """Pad an image for a kernel of `shape`; an even side reaches one pixel further to the right and down."""
    if border == "valid":
        return image
    around = [((n - 1) // 2, n // 2) for n in shape] + [(0, 0)] * (image.ndim - 2)
    if border == "constant":
        return np.pad(image, around, "constant", constant_values=outside)
    return np.pad(image, around, border)


def correlate(image, kernel, border="reflect"):
    """Correlate with a kernel."""
    kernel = np.asarray(kernel, np.float64)
    rows, columns = kernel.shape
    padded = pad(np.asarray(image).astype(np.float64), kernel.shape, border)
    height, width = padded.shape[0] - rows + 1, padded.shape[1] - columns + 1
    out = np.zeros((height, width, *padded.shape[2:]))
    lost = np.zeros_like(out)
    for i in range(rows):
        for j in range(columns):
            # Compensated summation: thousands of rounding errors would exceed the tolerance of the filters.
            term = kernel[i, j] * padded[i : i + height, j : j + width] + lost
            total = out + term
            lost = term - (total - out)
            out = total
    return out


def weight(image, kernel, border="reflect"):
    """Return the sum of absolute products, to which rounding errors are proportional."""
    return correlate(np.abs(np.asarray(image).astype(np.float64)), np.abs(kernel), border)


def reach(image, kernel, border="reflect"):
    """Return the sum of absolute coefficients times the largest absolute pixel under the kernel."""
    padded = pad(np.abs(np.asarray(image).astype(np.float64)), kernel.shape, border)
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernel.shape, (0, 1))
    return np.abs(kernel).sum() * windows.max((-2, -1))


def affected(valid, kernel, border="reflect"):
    """Tell where a nonzero coefficient meets an invalid pixel; padding is valid."""
    kernel = np.asarray(kernel, np.float64)
    support = np.abs(kernel) > 1e-9 * np.abs(kernel).max()
    return correlate(~valid, support, border) > 0


def turn(kernel, steps):
    """Shift the outer coefficients of a 3x3 kernel clockwise on the screen, 45 degrees per step."""
    circle = [(0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0)]
    out = np.array(kernel, np.float64)
    for here, there in zip(circle, circle[steps % 8 :] + circle[: steps % 8], strict=True):
        out[there] = kernel[here[0]][here[1]]
    return out


def gaussian(sigma, radius):
    """Return samples of a Gaussian with the sum 1."""
    x = np.arange(-radius, radius + 1)
    values = np.exp(-(x**2) / (2 * sigma**2))
    return values / values.sum()


def radius(sigma):
    """Return the radius at which a Gaussian is truncated: four standard deviations."""
    return int(4 * sigma + 0.5)


def gaussian_derivative(sigma):
    """Return the derivative of a Gaussian, positive on a rising ramp."""
    x = np.arange(-radius(sigma), radius(sigma) + 1)
    return x / sigma**2 * gaussian(sigma, radius(sigma))


def gaussian_second_derivative(sigma):
    """Return the second derivative of a Gaussian, corrected to the sum 0 with a multiple of the Gaussian."""
    x = np.arange(-radius(sigma), radius(sigma) + 1)
    smooth = gaussian(sigma, radius(sigma))
    values = (x**2 / sigma**4 - 1 / sigma**2) * smooth
    return values - values.sum() * smooth


def log_kernel(sigma):
    """Return the Laplacian of Gaussian."""
    smooth, curvature = gaussian(sigma, radius(sigma)), gaussian_second_derivative(sigma)
    return np.outer(smooth, curvature) + np.outer(curvature, smooth)


def dog_kernel(sigma, sigma2):
    """Return the Gaussian of `sigma` minus that of `sigma2`."""
    r = radius(max(sigma, sigma2))
    a, b = gaussian(sigma, r), gaussian(sigma2, r)
    return np.outer(a, a) - np.outer(b, b)


@dataclass(frozen=True, repr=False)
class Row:
    """The kernels and expected responses of one operator.

    `along` is the kernel at `axis` (0 is +x), `across` the one 90 degrees further. `divisor` is the raw response to
    the unit ramp along `axis`, or to x²/2.
    """

    operator: str
    along: Any
    across: Any
    divisor: float
    parameters: dict = field(default_factory=dict)
    kind: str = "gradient"
    axis: float = 0.0
    accuracy: int = 2
    parts: Any = None
    """For kernels that are differences: the sum of both parts, to which rounding errors are proportional."""

    def __repr__(self):
        return f"<{self.id}>"

    @property
    def id(self):
        return "-".join([self.operator, *(f"{k}{v}" for k, v in self.parameters.items())])

    @property
    def bank(self):
        """The kernels whose responses give the result without an angle."""
        if self.kind == "compass":
            return [turn(self.along, steps) for steps in range(8)]
        return [k for k in (self.along, self.across) if k is not None]

    @property
    def weights(self):
        """For each kernel of the bank, the coefficients to which rounding errors are proportional."""
        return self.bank if self.parts is None else [self.parts]

    @property
    def integer(self):
        return all((k == np.round(k)).all() for k in self.bank)

    def at(self, angle):
        """Return the raw kernel steered to `angle` in degrees."""
        turned = np.deg2rad(angle - self.axis)
        kernel = np.cos(turned) * self.along + np.sin(turned) * self.across
        return np.where(np.abs(kernel) < 1e-12, 0, kernel)

    def answer(self, image, border="reflect", scale="unit"):
        """Return the result without an angle: magnitude, maximum over the bank, or the single response."""
        responses = [correlate(image, k, border) for k in self.bank]
        joined = {
            "gradient": lambda: reduce(np.hypot, responses),
            "compass": lambda: reduce(np.maximum, responses),
            "laplacian": lambda: responses[0],
        }[self.kind]()
        return joined / (self.divisor if scale == "unit" else 1)


def _outer(along_y, along_x):
    return np.outer(along_y, along_x).astype(np.float64)


def _gradient(operator, smooth, derivative, divisor, **parameters):
    return Row(operator, _outer(smooth, derivative), _outer(derivative, smooth), divisor, parameters)


def _single(operator, kernel, divisor, **parameters):
    return Row(operator, np.array(kernel, np.float64), None, divisor, parameters, kind="laplacian")


def _dog(parameters, sigma, sigma2):
    r = radius(max(sigma, sigma2))
    a, b = gaussian(sigma, r), gaussian(sigma2, r)
    kernel = dog_kernel(sigma, sigma2)
    divisor = (_moment(a, 2) - _moment(b, 2)) / 2
    return Row("dog", kernel, None, divisor, parameters, kind="laplacian", parts=np.outer(a, a) + np.outer(b, b))


def _compass(operator, kernel, divisor, accuracy, **parameters):
    kernel = np.array(kernel, np.float64)
    return Row(operator, kernel, kernel.T, divisor, parameters, kind="compass", accuracy=accuracy)


# Farid and Simoncelli 2004, table I.
P5, D5 = [0.037659, 0.249153, 0.426375, 0.249153, 0.037659], [-0.109604, -0.276690, 0, 0.276690, 0.109604]
P7 = [0.004711, 0.069321, 0.245410, 0.361117, 0.245410, 0.069321, 0.004711]
D7 = [-0.018708, -0.125376, -0.193091, 0, 0.193091, 0.125376, 0.018708]


def _moment(values, power):
    r = len(values) // 2
    return (values * np.arange(-r, r + 1.0) ** power).sum()


#: One row for each operator and each choice of its parameters. A new operator needs a row here.
ROWS = (
    Row("sobel", np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]),
        np.array([[-1.0, -2, -1], [0, 0, 0], [1, 2, 1]]), 8, {"size": 3}),
    _gradient("sobel", [1, 4, 6, 4, 1], [-1, -2, 0, 2, 1], 128, size=5),
    _gradient("sobel", [1, 6, 15, 20, 15, 6, 1], [-1, -4, -5, 0, 5, 4, 1], 2048, size=7),
    Row("scharr", np.array([[-3.0, 0, 3], [-10, 0, 10], [-3, 0, 3]]),
        np.array([[-3.0, -10, -3], [0, 0, 0], [3, 10, 3]]), 32),
    Row("prewitt", np.array([[-1.0, 0, 1], [-1, 0, 1], [-1, 0, 1]]),
        np.array([[-1.0, -1, -1], [0, 0, 0], [1, 1, 1]]), 6),
    Row("roberts", np.array([[-1.0, 0], [0, 1]]), np.array([[0.0, -1], [1, 0]]), 2**0.5, axis=45, accuracy=1),
    _gradient("central", [0, 1, 0], [-1, 0, 1], 2),
    # With six decimals, the sums are 0.999999 and 0.991796, and 1.000001 and 0.999934.
    _gradient("farid", P5, D5, 0.999999 * 0.991796, size=5),
    _gradient("farid", P7, D7, 1.000001 * 0.999934, size=7),
    _gradient("gaussian", gaussian(0.7, 3), gaussian_derivative(0.7), _moment(gaussian_derivative(0.7), 1), sigma=0.7),
    _gradient("gaussian", gaussian(1, 4), gaussian_derivative(1), _moment(gaussian_derivative(1), 1), sigma=1.0),
    _single("laplacian", [[0, 1, 0], [1, -4, 1], [0, 1, 0]], 1, stencil=4),
    _single("laplacian", [[1, 1, 1], [1, -8, 1], [1, 1, 1]], 3, stencil=8),
    _single("laplacian", [[1, 4, 1], [4, -20, 4], [1, 4, 1]], 6, stencil="isotropic"),
    _single("laplacian", log_kernel(0.8), _moment(gaussian_second_derivative(0.8), 2) / 2, sigma=0.8),
    _single("laplacian", log_kernel(1.4), _moment(gaussian_second_derivative(1.4), 2) / 2, sigma=1.4),
    _dog({"sigma": 1.0}, 1.0, 1.6),
    _dog({"sigma": 1.5, "sigma2": 0.6}, 1.5, 0.6),
    _compass("kirsch", [[-3, -3, 5], [-3, 0, 5], [-3, -3, 5]], 24, 1),
    _compass("robinson", [[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]], 6, 2, levels=3),
    _compass("robinson", [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], 8, 2, levels=5),
)  # fmt: skip

GRADIENTS = tuple(row for row in ROWS if row.kind == "gradient")
COMPASSES = tuple(row for row in ROWS if row.kind == "compass")
LAPLACIANS = tuple(row for row in ROWS if row.kind == "laplacian")


@cache
def picture(dtype, shape=(13, 17), seed=0, largest=None):
    """Return a random image: integers over their type's range, at most `largest` and below 2^53; floats in [-1, 1)."""
    rng = np.random.default_rng([seed, *shape])
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        image = rng.integers(0, 2, shape).astype(bool)
    elif dtype.kind in "iu":
        info = np.iinfo(dtype)
        high = min(info.max, 2**53 - 1 if largest is None else largest)
        image = rng.integers(max(info.min, -high), high, shape, dtype=dtype, endpoint=True)
    else:
        image = rng.uniform(-1, 1, shape).astype(dtype)
    image.flags.writeable = False
    return image
