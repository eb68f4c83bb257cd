"""The filters: what each operator is called and does. May import dispatch and what is below it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Unpack

from edgekit.backends.choice import backend_of
from edgekit.backends.interface import Array
from edgekit.errors import ParameterError
from edgekit.filters.apply import Common, Directional, apply, apply_bank, apply_taps, apply_vector
from edgekit.filters.channel_axis import filtered
from edgekit.filters.execute import at_any_size
from edgekit.operators.table import find, own


def sobel(image: Array, *, size: int = 3, **options: Unpack[Directional]) -> Array:
    """Filter with the Sobel operator.

    Parameters
    ----------
    image : ndarray or Tensor
        (H, W) or (H, W, C) in RGB order for NumPy; (H, W) or (..., C, H, W) for torch. Bool, integers
        or floats; integers are not rescaled.
    size : {3, 5, 7}
        Taps along each side.
    **options
        See `Common` and `Directional`.

    Returns
    -------
    ndarray or Tensor
        Magnitude, at least 0; with ``angle``, the signed response. In levels per pixel (``scale="unit"``),
        in the input's layout. Floating types keep their own; bool and integers up to 16 bits give
        float32, wider ones float64.

    Raises
    ------
    ParameterError
        If an option has a value it cannot take.
    ShapeError, DtypeError
        If an array does not fit.

    References
    ----------
    Sobel and Feldman, A 3x3 isotropic gradient operator for image processing, 1968.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> ramp = np.tile(np.arange(5, dtype=np.uint8), (4, 1))
    >>> ek.sobel(ramp, angle=0)[1:-1, 1:-1]
    array([[1., 1., 1.],
           [1., 1., 1.]], dtype=float32)
    >>> float(ek.sobel(ramp, angle=45)[1, 1])
    0.7071067690849304
    """
    return filtered(apply, image, "sobel", {"size": size}, **options)


def scharr(image: Array, **options: Unpack[Directional]) -> Array:
    """Filter with the Scharr operator: 3x3, its direction more accurate than Sobel's.

    Parameters, results and errors are those of `sobel`, without ``size``.

    References
    ----------
    Scharr, Optimal operators in digital image processing, 2000.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> ek.scharr(np.eye(3), angle=0, scale="raw")[1]
    array([0., 0., 0.])
    """
    return filtered(apply, image, "scharr", {}, **options)


def prewitt(image: Array, **options: Unpack[Directional]) -> Array:
    """Filter with the Prewitt operator: 3x3, unweighted smoothing.

    Parameters, results and errors are those of `sobel`, without ``size``.

    References
    ----------
    Prewitt, Object enhancement and extraction, 1970.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> step = np.repeat(np.uint8([[0, 0, 90, 90]]), 3, axis=0)
    >>> ek.prewitt(step)[1]
    array([ 0., 45., 45.,  0.], dtype=float32)
    """
    return filtered(apply, image, "prewitt", {}, **options)


def roberts(image: Array, **options: Unpack[Directional]) -> Array:
    """Filter with the Roberts cross: 2x2, the sharpest and the most sensitive to noise.

    A response belongs to the point half a pixel right of and below the pixel it is stored at.
    Parameters, results and errors are those of `sobel`, without ``size``.

    References
    ----------
    Roberts, Machine perception of three-dimensional solids, 1963.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> ek.roberts(np.uint8([[0, 0], [0, 9]]), angle=45, scale="raw")[0, 0]
    np.float32(9.0)
    """
    return filtered(apply, image, "roberts", {}, **options)


def farid(image: Array, *, size: int = 5, **options: Unpack[Directional]) -> Array:
    """Filter with the Farid and Simoncelli operator, made for accurate directions.

    Parameters, results and errors are those of `sobel`; ``size`` is 5 or 7.

    References
    ----------
    Farid and Simoncelli, Differentiation of discrete multidimensional signals, 2004,
    10.1109/TIP.2004.823819.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> y, x = np.mgrid[:9, :9].astype(float)
    >>> round(float(ek.farid(x + y)[4, 4]), 6)
    1.414214
    """
    return filtered(apply, image, "farid", {"size": size}, **options)


def gaussian_gradient(image: Array, *, sigma: float = 1.0, **options: Unpack[Directional]) -> Array:
    """Filter with the first derivative of a Gaussian: a gradient at a chosen scale.

    Parameters, results and errors are those of `sobel`, but for:

    Parameters
    ----------
    sigma : float
        Standard deviation in pixels, at least 0.15.
    image, **options
        As for `sobel`.

    References
    ----------
    Canny, A computational approach to edge detection, 1986, 10.1109/TPAMI.1986.4767851.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> ramp = np.tile(np.arange(32.0), (32, 1))
    >>> round(float(ek.gaussian_gradient(ramp, sigma=2)[16, 16]), 12)
    1.0
    """
    return filtered(apply, image, "gaussian", {"sigma": sigma}, **options)


def kirsch(image: Array, **options: Unpack[Directional]) -> Array:
    """Filter with the Kirsch compass: eight 3x3 templates, by default the maximum over them.

    Parameters, results and errors are those of `sobel`; ``angle`` is a multiple of 45 degrees.

    References
    ----------
    Kirsch, Computer determination of the constituent structure of biological images, 1971,
    10.1016/0010-4809(71)90034-6.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> step = np.repeat(np.uint8([[0, 0, 8, 8]]), 3, axis=0)
    >>> ek.kirsch(step, scale="raw")[1]
    array([  0., 120.,  72.,   0.], dtype=float32)
    """
    return filtered(apply, image, "kirsch", {}, **options)


def robinson(image: Array, *, levels: int = 3, **options: Unpack[Directional]) -> Array:
    """Filter with a Robinson compass: eight 3x3 templates, by default the maximum over them.

    Parameters, results and errors are those of `sobel`; ``angle`` is a multiple of 45 degrees.

    Parameters
    ----------
    levels : {3, 5}
        How many different taps: -1, 0, 1, or also -2 and 2.
    image, **options
        As for `sobel`.

    References
    ----------
    Robinson, Edge detection by compass gradient masks, 1977, 10.1016/S0146-664X(77)80024-5.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> step = np.repeat(np.uint8([[0, 0, 8, 8]]), 3, axis=0)
    >>> ek.robinson(step)[1]
    array([0., 4., 4., 0.], dtype=float32)
    """
    return filtered(apply, image, "robinson", {"levels": levels}, **options)


def laplacian(image: Array, *, stencil: int | str = 4, sigma: float | None = None, **options: Unpack[Common]) -> Array:
    """Filter with the Laplacian: positive in valleys of brightness, negative on peaks.

    Parameters, results and errors are those of `sobel` without a direction, but for:

    Parameters
    ----------
    stencil : {4, 8, "isotropic"}
        Neighbours that count.
    sigma : float, optional
        Take the Laplacian of a Gaussian of this many pixels instead of a stencil; at least 0.3.
    image, **options
        As for `sobel`, without a direction.

    References
    ----------
    Marr and Hildreth, Theory of edge detection, 1980, 10.1098/rspb.1980.0020.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> x = np.arange(6.0)
    >>> ek.laplacian(np.tile(x**2 / 2, (3, 1)), stencil=8)[1, 1:-1]
    array([1., 1., 1., 1.])
    """
    return filtered(apply, image, "laplacian", {"stencil": stencil, "sigma": sigma}, **options)


def dog(image: Array, *, sigma: float = 1.0, sigma2: float | None = None, **options: Unpack[Common]) -> Array:
    """Filter with a difference of Gaussians, a band-pass close to the Laplacian of Gaussian.

    With ``scale="unit"`` it is a Laplacian and has a Laplacian's sign; with ``scale="raw"`` it is the
    Gaussian of `sigma` minus that of `sigma2`. Other parameters, results and errors are those of
    `laplacian`.

    Parameters
    ----------
    sigma, sigma2 : float
        Standard deviations in pixels; `sigma2` is 1.6 times `sigma` unless given.
    image, **options
        As for `sobel`, without a direction.

    References
    ----------
    Marr and Hildreth, Theory of edge detection, 1980, 10.1098/rspb.1980.0020.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> bool((ek.dog(np.full((9, 9), 0.1), sigma=1.5) == 0).all())
    True
    """
    return filtered(apply, image, "dog", {"sigma": sigma, "sigma2": sigma2}, **options)


def correlate(image: Array, taps: Any, **options: Unpack[Common]) -> Array:
    """Correlate with a kernel of your own; nothing is flipped.

    Parameters
    ----------
    image : ndarray or Tensor
    taps : array of float
        (rows, columns), both odd. A tensor that needs a gradient gets one.
    **options
        See `Common`. A kernel of your own has no unit: ``scale`` makes no difference.

    Returns
    -------
    ndarray or Tensor
        The response, as for `sobel`.

    Raises
    ------
    KernelError
        If `taps` is not a table of finite numbers with odd sides.
    ParameterError, ShapeError, DtypeError
        As for `sobel`.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> ek.correlate(np.arange(5.0)[None], [[-1, 0, 1]], border="edge")
    array([[1., 2., 2., 2., 1.]])
    """
    if getattr(taps, "requires_grad", False):
        return filtered(apply_taps, image, taps, **options)
    return filtered(apply, image, own(taps.tolist() if hasattr(taps, "tolist") else taps), {}, **options)


def oriented(image: Array, angles: Sequence[float], *, operator: str = "sobel", **options: Any) -> Array:
    """Filter with one operator in many directions, for the price of two filterings and the mixing.

    Parameters
    ----------
    image : ndarray or Tensor
    angles : sequence of float
        Directions in degrees; multiples of 45 for a compass operator or ``rotate="ring"``.
    operator : str
        The name of an operator with a direction.
    **options
        The operator's own parameters (``size``, ``sigma``, ``levels``), and those of `Common` and
        `Directional`.

    Returns
    -------
    ndarray or Tensor
        Signed responses, one for each angle on a new first axis.

    Raises
    ------
    ParameterError, ShapeError, DtypeError
        As for `sobel`.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> ek.oriented(np.eye(8), [0, 22.5, 45], operator="farid").shape
    (3, 8, 8)
    """
    parameters = {k: options.pop(k) for k in find(operator).parameters if k in options}
    return filtered(apply_bank, image, operator, parameters, angles, stacked=True, **options)


@dataclass(frozen=True)
class Gradient:
    """A gradient: two signed responses, and what follows from them.

    Attributes
    ----------
    gx, gy : ndarray or Tensor
        Positive where it gets brighter to the right, and downward.
    """

    gx: Array
    gy: Array

    @property
    def magnitude(self) -> Array:
        """The root of gx² + gy², exactly 0 where both are."""
        backend, parts = backend_of(self.gx), self._working
        with backend.quiet():
            return backend.cast(at_any_size(lambda p: backend.magnitude(*p), parts, backend), self.gx.dtype)

    @property
    def direction(self) -> Array:
        """Degrees clockwise from +x, in [0, 360); 0 where the gradient is 0."""
        backend = backend_of(self.gx)
        xp, (gx, gy) = backend.xp, self._working
        degrees = xp.rad2deg(xp.arctan2(gy, gx))
        degrees = backend.cast(xp.where(degrees < 0, degrees + 360, degrees), self.gx.dtype)
        # A direction just short of +x rounds up to 360; a gradient of -0.0 has the direction 180.
        return xp.where((degrees >= 360) | ((gx == 0) & (gy == 0)), 0, degrees)

    @property
    def _working(self) -> list[Array]:
        """The components in the type to compute in: half precision cannot hold their squares."""
        backend = backend_of(self.gx)
        return [backend.cast(part, backend.dtypes(part, wide=False)[0]) for part in (self.gx, self.gy)]


def gradient(image: Array, *, operator: str = "sobel", **options: Any) -> Gradient:
    """Return the gradient's components, and from them its magnitude and direction.

    Parameters
    ----------
    image : ndarray or Tensor
    operator : str
        sobel, scharr, prewitt, roberts, central, farid or gaussian.
    **options
        The operator's own parameters (``size``, ``sigma``), and those of `Common` but ``out``.

    Returns
    -------
    Gradient
        With ``.gx``, ``.gy``, ``.magnitude`` and ``.direction``.

    Raises
    ------
    ParameterError, ShapeError, DtypeError
        As for `sobel`.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> down = np.tile(np.arange(5.0)[:, None], (1, 5))
    >>> float(ek.gradient(down, operator="scharr").direction[2, 2])
    90.0
    """
    if refused := sorted({"out", "angle", "angle_of", "rotate"} & options.keys()):
        raise ParameterError(f"gradient does not take {refused[0]}=: it returns both components, as new arrays")
    parameters = {k: options.pop(k) for k in find(operator).parameters if k in options}
    return Gradient(*filtered(apply_vector, image, operator, parameters, stacked=True, **options))
