"""Filters and focus measures as modules."""

from typing import Any

import torch

from edgekit.common.names import unknown
from edgekit.errors import ParameterError
from edgekit.filters.apply import apply, apply_taps, plan_for
from edgekit.filters.channel_axis import AUTO, ChannelAxis, filtered
from edgekit.focus.measures import MEASURES, sharpness
from edgekit.operators.table import Kind, find, own


class Module(torch.nn.Module):
    """A module that shows what it was made with."""

    def __init__(self, **shown: Any) -> None:
        super().__init__()
        self._shown = {k: v for k, v in shown.items() if v is not None}

    def extra_repr(self) -> str:
        return ", ".join(f"{k}={v!r}" for k, v in self._shown.items())


class _Operator(Module):
    """An operator by its name, with its options."""

    def __init__(self, operator: str, parameters: dict[str, Any], angle: float | None, options: dict[str, Any]) -> None:
        super().__init__(**parameters, angle=angle, **options)
        self.channel_axis = options.pop("channel_axis", AUTO)
        self.operator, self.taken, self.angle, self.options = operator, parameters, angle, options
        # What is wrong is said here and not when the first image comes.
        plan_for(find(operator), parameters, angle, **options)

    def forward(self, image: torch.Tensor, *, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Filter (..., C, H, W) or (H, W); `mask` is True where the image is valid."""
        response: torch.Tensor = filtered(
            apply,
            image,
            self.operator,
            self.taken,
            angle=self.angle,
            channel_axis=self.channel_axis,
            mask=mask,
            **self.options,
        )
        return response


class Sobel(_Operator):
    """The Sobel operator; see `edgekit.sobel`.

    Parameters
    ----------
    size : {3, 5, 7}
        Taps along each side.
    angle : float, optional
        Direction in degrees; without it the module gives the magnitude.
    **options
        ``angle_of``, ``rotate``, ``scale``, ``border``, ``channel``, ``channel_axis`` and ``tone``, as for
        `edgekit.sobel`.

    Raises
    ------
    ParameterError
        If an option has a value it cannot take.

    References
    ----------
    Sobel and Feldman, A 3x3 isotropic gradient operator for image processing, 1968.

    Examples
    --------
    >>> import torch, edgekit as ek
    >>> layer = ek.nn.Sobel(angle=0, border="edge")
    >>> layer
    Sobel(size=3, angle=0, border='edge')
    >>> layer(torch.arange(5.0).expand(2, 1, 4, 5))[0, 0, 1]
    tensor([0.5000, 1.0000, 1.0000, 1.0000, 0.5000])
    """

    def __init__(self, *, size: int = 3, angle: float | None = None, **options: Any) -> None:
        super().__init__("sobel", {"size": size}, angle, options)


class Scharr(_Operator):
    """The Scharr operator; parameters and errors are those of `Sobel`, without ``size``.

    References
    ----------
    Scharr, Optimal operators in digital image processing, 2000.

    Examples
    --------
    >>> import torch, edgekit as ek
    >>> ek.nn.Scharr()(torch.zeros(2, 3, 8, 9)).shape
    torch.Size([2, 3, 8, 9])
    """

    def __init__(self, *, angle: float | None = None, **options: Any) -> None:
        super().__init__("scharr", {}, angle, options)


class Laplacian(_Operator):
    """The Laplacian; see `edgekit.laplacian`.

    Parameters
    ----------
    stencil : {4, 8, "isotropic"}
        Neighbours that count.
    sigma : float, optional
        Take the Laplacian of a Gaussian of this many pixels instead; at least 0.3.
    **options
        ``scale``, ``border``, ``channel``, ``channel_axis`` and ``tone``, as for `edgekit.laplacian`.

    Raises
    ------
    ParameterError
        If an option has a value it cannot take.

    References
    ----------
    Marr and Hildreth, Theory of edge detection, 1980, 10.1098/rspb.1980.0020.

    Examples
    --------
    >>> import torch, edgekit as ek
    >>> x = torch.arange(6.0)
    >>> ek.nn.Laplacian(stencil=8)((x**2 / 2).expand(3, 6))[1, 1:-1]
    tensor([1., 1., 1., 1.])
    """

    def __init__(self, *, stencil: int | str = 4, sigma: float | None = None, **options: Any) -> None:
        super().__init__("laplacian", {"stencil": stencil, "sigma": sigma}, None, options)


class GradientMagnitude(_Operator):
    """The magnitude of the gradient, by any gradient operator; exactly 0 on flat ground, with gradient 0 there.

    For the way back it keeps nothing but its input.

    Parameters
    ----------
    operator : str
        sobel, scharr, prewitt, roberts, central, farid or gaussian.
    **options
        The operator's own parameters (``size``, ``sigma``), and ``scale``, ``border``, ``channel``, ``channel_axis``
        and ``tone``.

    Raises
    ------
    ParameterError
        If the operator is not known, is no gradient operator, or an option does not fit it.

    Examples
    --------
    >>> import torch, edgekit as ek
    >>> image = torch.full((1, 1, 6, 6), 0.3, requires_grad=True)
    >>> ek.nn.GradientMagnitude("gaussian", sigma=1.5)(image).sum().backward()
    >>> bool((image.grad == 0).all())
    True
    """

    def __init__(self, operator: str = "sobel", **options: Any) -> None:
        row = find(operator)
        if row.kind is not Kind.GRADIENT:
            raise ParameterError(f"{operator} has no gradient vector, and so no magnitude; choose sobel, scharr, ...")
        own_options = {k: options.pop(k) for k in row.parameters if k in options}
        super().__init__(operator, own_options, None, options)
        self._shown = {"operator": operator, **self._shown}


class Oriented(Module):
    """A gradient towards an angle that is learned.

    Parameters
    ----------
    angle : float or Tensor
        Where it starts, in degrees, clockwise from +x. A tensor broadcasts against the response: shape (N, 1, 1, 1)
        for one angle per sample, (C, 1, 1) per channel, (H, W) per pixel.
    operator : str
        sobel, scharr, prewitt, roberts, central, farid or gaussian.
    learnable : bool
        Make ``angle`` a parameter; otherwise it is a buffer.
    **options
        The operator's own parameters, and ``angle_of``, ``scale``, ``border``, ``channel`` ("each" or "luminance")
        and ``tone``.

    Attributes
    ----------
    angle : Tensor
        In degrees.

    Raises
    ------
    ParameterError, ShapeError, DtypeError
        As for `edgekit.sobel` with an array of angles; for what concerns the image, when it comes.

    References
    ----------
    Freeman and Adelson, The design and use of steerable filters, 1991, 10.1109/34.93808.

    Examples
    --------
    >>> import torch, edgekit as ek
    >>> layer = ek.nn.Oriented(angle=30.0)
    >>> layer(torch.rand(2, 3, 8, 8)).mean().backward()
    >>> layer.angle.grad.shape, list(layer.state_dict())
    (torch.Size([]), ['angle'])
    """

    angle: torch.Tensor

    def __init__(
        self, angle: float | torch.Tensor = 30.0, *, operator: str = "sobel", learnable: bool = True, **options: Any
    ) -> None:
        super().__init__(operator=operator, learnable=learnable, **options)
        self.channel_axis = options.pop("channel_axis", AUTO)
        start = torch.as_tensor(angle)
        start = start.detach().clone().to(start.dtype if start.is_floating_point() else torch.get_default_dtype())
        if not bool(start.isfinite().all()):
            raise ParameterError("angles must be finite; found nan or inf among them")
        if learnable:
            self.angle = torch.nn.Parameter(start)
        else:
            self.register_buffer("angle", start)
        self.operator, self.options = operator, options
        self.taken = {k: options.pop(k) for k in find(operator).parameters if k in options}
        plan_for(find(operator), self.taken, 0.0, **options)

    def extra_repr(self) -> str:
        degrees = f"{self.angle.item():g}" if self.angle.ndim == 0 else f"tensor of shape {tuple(self.angle.shape)}"
        return f"angle={degrees}, {super().extra_repr()}"

    def forward(self, image: torch.Tensor, *, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Filter (..., C, H, W) or (H, W); `mask` is True where the image is valid."""
        # A number would have to be asked for, and the device waited for.
        angle = self.angle if self.angle.ndim else self.angle[None]
        response: torch.Tensor = filtered(
            apply,
            image,
            self.operator,
            self.taken,
            angle=angle,
            channel_axis=self.channel_axis,
            mask=mask,
            **self.options,
        )
        return response


class Filter(Module):
    """A kernel of your own, which is learned; each channel is correlated with it.

    Parameters
    ----------
    kernel : table of float, or Tensor
        Shape (rows, columns), both odd.
    learnable : bool
        Make ``kernel`` a parameter; otherwise it is a buffer.
    **options
        ``border``, ``channel``, ``channel_axis`` and ``tone``, as for `edgekit.correlate`.

    Attributes
    ----------
    kernel : Tensor
        The taps, correlated and not flipped.

    Raises
    ------
    KernelError
        If the kernel is not a table of finite numbers with odd sides, or all zero.
    ParameterError
        If an option has a value it cannot take.

    Examples
    --------
    >>> import torch, edgekit as ek
    >>> layer = ek.nn.Filter([[0, -1, 0], [-1, 5, -1], [0, -1, 0]])
    >>> layer(torch.rand(4, 4)).sum().backward()
    >>> layer.kernel.grad.shape
    torch.Size([3, 3])
    """

    kernel: torch.Tensor

    def __init__(self, kernel: Any, *, learnable: bool = True, **options: Any) -> None:
        row = own(kernel.tolist() if hasattr(kernel, "tolist") else kernel)
        (checked,) = row.kernels()
        super().__init__(learnable=learnable, **options)
        self.channel_axis = options.pop("channel_axis", AUTO)
        plan_for(row, {}, **options)
        dtype = getattr(kernel, "dtype", None)
        floating = isinstance(dtype, torch.dtype) and dtype.is_floating_point
        start = torch.tensor(
            checked.taps,
            dtype=dtype if floating else torch.get_default_dtype(),
            device=kernel.device if isinstance(kernel, torch.Tensor) else None,
        )
        if learnable:
            self.kernel = torch.nn.Parameter(start)
        else:
            self.register_buffer("kernel", start)
        self.options = options

    def extra_repr(self) -> str:
        return f"{'x'.join(map(str, self.kernel.shape))}, {super().extra_repr()}"

    def forward(self, image: torch.Tensor, *, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Filter (..., C, H, W) or (H, W); `mask` is True where the image is valid."""
        response: torch.Tensor = filtered(
            apply_taps, image, self.kernel, channel_axis=self.channel_axis, mask=mask, **self.options
        )
        return response


class Sharpness(Module):
    """A focus measure; see `edgekit.sharpness`.

    Parameters
    ----------
    measure : str
        A name in `edgekit.MEASURES`.
    channel_axis : int or None
        Which axis of the images holds the channels, as for `edgekit.sobel`.

    Raises
    ------
    ParameterError
        If there is no such measure.

    Examples
    --------
    >>> import torch, edgekit as ek
    >>> ek.nn.Sharpness("tenengrad")(torch.rand(4, 3, 16, 16)).shape
    torch.Size([4])
    """

    def __init__(self, measure: str = "laplacian_variance", *, channel_axis: ChannelAxis = AUTO) -> None:
        super().__init__(measure=measure)
        self.channel_axis = channel_axis
        if measure not in MEASURES:
            raise ParameterError(unknown("measure", measure, MEASURES))
        self.measure = measure

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Measure (..., C, H, W) or (H, W): one value for each image of the batch."""
        value: torch.Tensor = sharpness(image, self.measure, channel_axis=self.channel_axis)
        return value
