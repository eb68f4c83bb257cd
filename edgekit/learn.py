"""Learns a kernel from images before and after filtering. May import `focus` and what is below it.

The coefficients are the solution of a least squares problem. L-BFGS finds them, and the normal matrix of the same data
gives their standard errors.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from edgekit.backends.choice import load
from edgekit.common.choices import shown
from edgekit.common.html_views import coloured_grid
from edgekit.common.types import ChannelAxis
from edgekit.errors import DtypeError, ParameterError, ShapeError
from edgekit.filters.apply import apply_learned
from edgekit.filters.inputs import check_image
from edgekit.focus.planes import planes_of
from edgekit.operators.borders import Border
from edgekit.operators.table import own_operator

if TYPE_CHECKING:
    from torch import Tensor

#: Directions in which the variance of the data is below this fraction of the largest are not determined.
RANK_TOLERANCE = 1e-12

#: The search ends when this number of steps together lowers the loss by at most this fraction of the initial loss.
PATIENCE, LEAST_GAIN = 5, 1e-14

#: Factor of the loss in the search.
_MAGNIFIED = 1e6


@dataclass(frozen=True, repr=False)
class KernelFit:
    """A learned kernel and its errors.

    Attributes
    ----------
    kernel : ndarray of float64
        Coefficients of shape (rows, columns); they are correlated and not flipped.
    errors : ndarray of float64
        Standard error of each coefficient, for noise in the targets that is independent from pixel to pixel. Infinite
        where the data do not determine the coefficient.
    history : tuple of float
        Mean squared error of a kernel of zeros, then after each step.
    status : {"converged", "limit"}
        Whether the loss had stopped decreasing when the search ended.
    explained : float
        The fraction of the targets' variance that the kernel explains, at most 1; NaN if they do not vary.
    condition : float
        Condition number: the ratio of the largest to the smallest standard deviation of the inputs, over all directions
        of coefficients.
    pixels : int
        Number of compared responses.
    """

    kernel: NDArray[np.float64]
    errors: NDArray[np.float64]
    history: tuple[float, ...]
    status: str
    explained: float
    condition: float
    pixels: int

    def __repr__(self) -> str:
        rows, columns = self.kernel.shape
        return f"KernelFit({rows}x{columns}, {self.status}, {self.explained:.2%} of the target explained)"

    def _repr_html_(self) -> str:
        return coloured_grid(repr(self), self.kernel.tolist())

    @property
    def determined(self) -> NDArray[np.bool_]:
        """True where the data determine a coefficient."""
        return np.isfinite(self.errors)


def fit_kernel(
    inputs: Any,
    targets: Any,
    *,
    size: int | tuple[int, int] = 3,
    border: Border = "reflect",
    steps: int = 200,
    channel_axis: ChannelAxis = "auto",
    device: str | None = None,
    progress: Callable[[int, float], None] | None = None,
) -> KernelFit:
    """Learn the kernel that filters `inputs` into `targets`.

    Parameters
    ----------
    inputs, targets : ndarray, Tensor, or list of them
        Images as for `edgekit.sharpness`; of colour images the luminance is used. Each target has the size of its
        input. Pixels with a target or a response that is not finite are not used.
    size : int or (int, int)
        Rows and columns of the kernel, odd.
    border : str
        The border of the filter that made the targets, as for `edgekit.sobel`; not ``valid``.
    steps : int
        Largest number of steps of L-BFGS.
    channel_axis : int, None or "auto"
        The axis of the channels, as for `edgekit.sobel`.
    device : str, optional
        A torch device. Double precision is used if the device has it.
    progress : callable, optional
        Called with the number of each step and the mean squared error before it.

    Returns
    -------
    KernelFit
        With the kernel in units of target over input.

    Raises
    ------
    ParameterError
        If an option has an invalid value, or there is no such device.
    ShapeError, DtypeError
        If images do not fit together, or there are no images.
    MissingExtraError
        If torch is not installed.

    References
    ----------
    Liu and Nocedal, On the limited memory BFGS method for large scale optimization, 1989, 10.1007/BF01589116.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> image = np.random.default_rng(0).random((32, 32))
    >>> fit = ek.fit_kernel(image, ek.sobel(image, angle=0))
    >>> bool(np.abs(fit.kernel - np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 8).max() < 1e-9)
    True
    """
    backend = load("torch", device)
    rows, columns = _sides(size)
    own_operator([[1.0] * columns] * rows)  # Checks that both are odd.
    if isinstance(border, str) and border == "valid":
        raise ParameterError('border="valid" leaves targets smaller than inputs; choose the border they were made with')
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
        raise ParameterError(f"steps={shown(steps)} must be an integer, at least 1")
    if progress is not None and not callable(progress):
        raise ParameterError(f"progress={shown(progress)} must be a function of two numbers: step and loss")
    pairs = list(_pairs(inputs, targets, device, channel_axis))
    problem = _Problem(pairs, (rows, columns), border, backend.xp)
    kernel, history, status = problem.descend(steps, progress)
    errors, condition = problem.errors(kernel, history[-1])
    variance = problem.spread
    return KernelFit(
        kernel=kernel,
        errors=errors,
        history=tuple(history),
        status=status,
        explained=1 - history[-1] / variance if variance > 0 else math.nan,
        condition=condition,
        pixels=problem.pixels,
    )


def _sides(size: Any) -> tuple[int, int]:
    """Return rows and columns of a kernel of this size."""
    sides = (size, size) if isinstance(size, Integral) else tuple(size) if isinstance(size, tuple | list) else ()
    if len(sides) != 2 or any(isinstance(n, bool) or not isinstance(n, Integral) or n < 1 for n in sides):
        raise ParameterError(f"size={shown(size)} must be an odd integer, or two: rows and columns")
    return int(sides[0]), int(sides[1])


def _pairs(inputs: Any, targets: Any, device: str | None, channel_axis: ChannelAxis) -> Iterator[tuple[Any, Any]]:
    """Yield planes of inputs and of their targets."""
    before, after = (list(i) if isinstance(i, list | tuple) else [i] for i in (inputs, targets))
    if len(before) != len(after) or not before:
        raise ShapeError(f"each input needs its target: found {len(before)} and {len(after)}")
    for one, other in zip(before, after, strict=True):
        x, y = (_planes(image, device, channel_axis) for image in (one, other))
        if x.shape != y.shape:
            raise ShapeError(f"a target must have its input's size; found {tuple(x.shape)} and {tuple(y.shape)}")
        if 0 in x.shape:
            raise ShapeError(f"there is nothing to learn from: an input's shape is {tuple(x.shape)}")
        yield x, y


def _planes(image: Any, device: str | None, channel_axis: ChannelAxis) -> Any:
    """Return luminance as a tensor (..., rows, columns) of the most precise type that the device has."""
    planes = planes_of(check_image(image, channel_axis)[0])
    if isinstance(planes, np.ndarray):
        planes = load("torch").from_numpy(np.ascontiguousarray(planes), None)
    planes = planes.detach().to(device or planes.device)
    return planes.float() if planes.device.type == "mps" else planes.double()


class _Problem:
    """The least squares problem of pairs of images."""

    def __init__(self, pairs: list[tuple[Any, Any]], size: tuple[int, int], border: str, torch: Any) -> None:
        self.torch, self.size, self.border = torch, size, border
        devices = {str(x.device) for x, _ in pairs}
        if len(devices) > 1:
            raise DtypeError(f"the images are on several devices: {', '.join(sorted(devices))}; give device=")
        self.pairs = []
        ones = pairs[0][0].new_ones(size)
        with torch.no_grad():
            for x, y in pairs:
                known = y.isfinite() & apply_learned(x, ones, border=border).isfinite()
                x = torch.where(x.isfinite(), x, 0)
                self.pairs.append((x, torch.where(known, y, 0), known))
            self.pixels = sum(int(known.sum()) for *_, known in self.pairs)
            if not self.pixels:
                raise ShapeError("there is nothing to learn from: no pixel of the targets is finite")
            mean = sum(float(y.sum()) for _, y, _ in self.pairs) / self.pixels
            self.spread = sum(float(((y - mean)[known] ** 2).sum()) for _, y, known in self.pairs) / self.pixels
            # The search uses units in which inputs and targets have a mean square of 1.
            self.unit = math.sqrt(self._power(0) or 1), math.sqrt(self._power(1) or 1)

    def _power(self, which: int) -> float:
        return sum(float((pair[which] ** 2).sum()) for pair in self.pairs) / self.pixels

    def loss(self, kernel: "Tensor") -> "Tensor":
        """Return the mean squared error over the targets' mean square, for a kernel in the search's unit."""
        total = kernel.new_zeros(())
        for x, y, known in self.pairs:
            difference = apply_learned(x, kernel, border=self.border) * (1 / self.unit[0]) - y * (1 / self.unit[1])
            total = total + self.torch.where(known, difference, 0).square().sum()
        return total / self.pixels

    def descend(
        self, steps: int, progress: Callable[[int, float], None] | None
    ) -> tuple[NDArray[np.float64], list[float], str]:
        """Search from zero: of all kernels that are equally good this finds the smallest."""
        scale, history, status = self.unit[1] ** 2, list[float](), "limit"
        with self.torch.enable_grad():
            kernel = self.pairs[0][0].new_zeros(self.size).requires_grad_()
            search = self.torch.optim.LBFGS(
                [kernel], max_iter=1, max_eval=50, history_size=kernel.numel() + 1, line_search_fn="strong_wolfe",
                tolerance_grad=0, tolerance_change=0,
            )  # fmt: skip

            def closure() -> "Tensor":
                search.zero_grad()
                # torch's search ignores changes below 1e-10.
                loss = self.loss(kernel) * _MAGNIFIED
                loss.backward()  # type: ignore[no-untyped-call]  # torch has no types for it
                return loss

            for step in range(1, steps + 1):
                # It returns the loss before the step.
                history.append(search.step(closure).detach().item() / _MAGNIFIED * scale)
                if progress is not None:
                    progress(step, history[-1])
                if len(history) > PATIENCE and history[-1 - PATIENCE] - history[-1] <= LEAST_GAIN * history[0]:
                    status = "converged"
                    break
            history.append(float(self.loss(kernel.detach())) * scale)
        found: NDArray[np.float64] = (kernel.detach().cpu().numpy() * (self.unit[1] / self.unit[0])).astype(np.float64)
        return found, history, status

    def errors(self, kernel: NDArray[np.float64], loss: float) -> tuple[NDArray[np.float64], float]:
        """Return the standard errors, infinite for coefficients that are not determined, and the condition number."""
        normal, missed = self._normal_equations(kernel)
        values, vectors = np.linalg.eigh(normal)
        kept = values > RANK_TOLERANCE * max(values[-1], np.finfo(float).tiny)
        free = self.pixels - int(kept.sum())
        noise = loss * self.pixels / free if free > 0 else math.inf
        variances = (vectors[:, kept] ** 2 / values[kept]).sum(1) * noise
        # The distance of the search's end from the optimum is part of the error.
        variances += (vectors[:, kept] @ ((vectors[:, kept].T @ missed) / values[kept])) ** 2
        variances[(vectors[:, ~kept] ** 2).sum(1) > 1e-9] = math.inf
        condition = math.sqrt(values[-1] / values[0]) if kept.all() else math.inf
        return np.sqrt(variances).reshape(self.size), condition

    def _normal_equations(self, kernel: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the normal matrix of the coefficients, and the products of their inputs with the residuals."""
        torch, count = self.torch, math.prod(self.size)
        normal, missed = np.zeros((count, count)), np.zeros(count)
        single = torch.eye(count).reshape(count, *self.size)
        with torch.no_grad():
            for x, y, known in self.pairs:
                # The input of each coefficient: the image, shifted, with its border.
                seen = torch.stack([apply_learned(x, one.to(x), border=self.border)[known] for one in single])
                rest = y[known] - x.new_tensor(kernel.ravel()) @ seen
                normal += (seen @ seen.T).cpu().double().numpy()
                missed += (seen @ rest).cpu().double().numpy()
        return normal, missed
