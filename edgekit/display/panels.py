"""Labelled panels of an image and its responses, for notebooks. Needs Matplotlib, of the extra ``plot``.

May import `filters` and what is below it.
"""

import base64
import html
import io
import math
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edgekit.backends.choice import backend_of
from edgekit.common.choices import plain_number, real_number, shown
from edgekit.common.extras import install_command
from edgekit.common.types import ImageT
from edgekit.display.overlays import overlay
from edgekit.errors import MissingExtraError, ParameterError, ShapeError
from edgekit.filters.inputs import check_image, to_numpy_image
from edgekit.filters.vectors import Gradient

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Width of a panel in inches, and the dots per inch of a figure.
_PANEL_WIDTH, _DPI = 4.0, 100

#: Responses up to this percentile are drawn without clipping.
_PERCENTILE = 99.5

#: Panels of a row, unless `columns` is given.
_MOST_COLUMNS = 3

#: The colour of values that are not finite.
_UNDEFINED = "#b00020"


@dataclass(frozen=True, eq=False, repr=False)
class Panels:
    """Labelled panels, as returned by `show`. Notebooks display them; `save` writes them to a file.

    Attributes
    ----------
    figure : matplotlib.figure.Figure
        The figure with all panels.
    """

    figure: "Figure"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the figure to a file; the extension chooses the format, such as .png, .svg or .pdf."""
        self.figure.savefig(path)

    def __repr__(self) -> str:
        width, height = self.figure.get_size_inches() * self.figure.dpi
        return f"Panels({len(self.titles)} panels, {width:.0f}x{height:.0f} pixels)"

    @property
    def titles(self) -> tuple[str, ...]:
        """The titles of the panels."""
        return tuple(axes.get_title() for axes in self.figure.axes if axes.get_label() != "<colorbar>")

    def _repr_png_(self) -> bytes:
        content = io.BytesIO()
        self.figure.savefig(content, format="png")
        return content.getvalue()

    def _repr_html_(self) -> str:
        data = base64.b64encode(self._repr_png_()).decode()
        titles = html.escape(", ".join(self.titles))
        return f'<img style="max-width:100%" alt="{titles}" src="data:image/png;base64,{data}">'


def show(
    image: ImageT,
    *responses: Any,
    titles: list[str] | tuple[str, ...] | None = None,
    unit: str = "gray levels per pixel",
    white: float | None = None,
    columns: int | None = None,
) -> Panels:
    """Draw an image and its responses as labelled panels.

    Parameters
    ----------
    image : ndarray or Tensor
        NumPy: (H, W) or (H, W, C), colour in RGB order. torch: (H, W) or (C, H, W). A fourth channel, such as opacity,
        is not drawn.
    *responses : ndarray, Tensor or Gradient
        Each one is a panel. A mask (bool) is drawn in colour over the image. 8-bit images are drawn as they are. Other
        responses have a colour bar: with negative values zero is mid-gray, else it is black. Values that are not finite
        are red. A `Gradient` gives three panels: gx, gy and the magnitude.
    titles : sequence of str, optional
        One title for each panel, that of the image first.
    unit : str
        Label of the colour bars.
    white : float, optional
        The absolute response that is drawn white in all panels. Default: the 99.5 percentile of each response. A
        colour bar has a pointed end if there are larger values.
    columns : int, optional
        Panels in a row; 3 at most unless given.

    Returns
    -------
    Panels
        Displayed by notebooks; ``.save(path)`` writes it to a file, and ``.figure`` is the Matplotlib figure.

    Raises
    ------
    ShapeError, DtypeError
        If an array is not one image, or a mask does not have the size of the image.
    ParameterError
        If the number of titles is not that of the panels, `white` is not a number above 0, or `columns` is not an
        integer from 1 on.
    MissingExtraError
        If Matplotlib is missing.

    Examples
    --------
    >>> import numpy as np, edgekit as ek
    >>> image = np.tile(np.arange(64, dtype=np.uint8), (48, 1))
    >>> panels = ek.show(image, ek.sobel(image, angle=0), ek.canny(image), titles=["image", "Sobel", "Canny"])
    >>> panels.titles
    ('image', 'Sobel', 'Canny')
    """
    picture = _one_image(image)
    drawn = [("image", picture)]
    for number, response in enumerate(responses, 1):
        if isinstance(response, Gradient):
            drawn += [(name, _one_image(getattr(response, name))) for name in ("gx", "gy", "magnitude")]
        else:
            drawn.append((f"response {number}" if len(responses) > 1 else "response", _one_image(response)))
    if titles is not None:
        if not isinstance(titles, list | tuple) or not all(isinstance(title, str) for title in titles):
            raise ParameterError(f"titles={shown(titles)} must be a sequence of texts")
        if len(titles) != len(drawn):
            raise ParameterError(f"expected {len(drawn)} titles, one for each panel; found {len(titles)}")
        drawn = [(title, panel) for title, (_, panel) in zip(titles, drawn, strict=True)]
    columns = plain_number(columns)
    if columns is not None and (not isinstance(columns, int) or isinstance(columns, bool) or columns < 1):
        raise ParameterError(f"columns={shown(columns)} must be an integer from 1 on")
    if white is not None and real_number("white", white, "a number above 0") <= 0:
        raise ParameterError(f"white={shown(white)} must be a number above 0")
    style = _Style(str(unit), None if white is None else float(white), min(len(drawn), columns or _MOST_COLUMNS))
    return Panels(_figure(picture, drawn, style))


def _one_image(array: Any) -> NDArray[Any]:
    """Return an image or response as a NumPy array (H, W) or (H, W, 3)."""
    checked, _ = check_image(array)
    if checked.ndim > 3:
        raise ShapeError(f"expected one image; found a batch of shape {tuple(checked.shape)}. Choose one of its images")
    image: NDArray[Any] = to_numpy_image(checked, backend_of(checked))
    if image.ndim == 2:
        return image
    if image.shape[2] not in (1, 3, 4):
        raise ShapeError(f"expected 1, 3 or 4 channels; found {image.shape[2]}. Choose some of them")
    return image[..., 0] if image.shape[2] == 1 else image[..., :3]


class _Style(NamedTuple):
    """How responses are drawn; see `show`."""

    unit: str
    white: float | None
    columns: int


def _figure(image: NDArray[Any], drawn: list[tuple[str, NDArray[Any]]], style: _Style) -> "Figure":
    try:
        # Not pyplot, which would open windows and change global settings.
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError(f"show needs {error.name}: {install_command('plot')}") from error
    columns = style.columns
    rows = math.ceil(len(drawn) / columns)
    height = min(max(image.shape[0] / image.shape[1], 0.2), 3) * _PANEL_WIDTH + 0.5
    figure = Figure(figsize=(columns * _PANEL_WIDTH, rows * height), dpi=_DPI, layout="constrained")
    for number, (title, panel) in enumerate(drawn):
        axes = figure.add_subplot(rows, columns, number + 1)
        axes.set(xticks=[], yticks=[])
        # A dollar sign is part of a file name, and begins no formula.
        axes.set_title(title, parse_math=False)
        if number == 0 or panel.dtype == np.uint8:
            _draw_image(axes, panel)
        elif panel.dtype == bool:
            axes.imshow(overlay(image, panel * np.uint8(255)))
        else:
            _draw_response(axes, panel, style)
    return figure


def _draw_image(axes: Any, image: NDArray[Any]) -> None:
    """Draw an 8-bit image over the range of its type, another one over the range of its values."""
    finite = image[np.isfinite(image)]
    low, high = (0, 255) if image.dtype == np.uint8 else (finite.min(initial=0), finite.max(initial=0))
    _imshow(axes, image, float(low), float(high))


def _draw_response(axes: Any, response: NDArray[Any], style: _Style) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    finite = response[np.isfinite(response)].astype(np.float64)
    strength = np.abs(finite)
    largest = float(strength.max(initial=0))
    high = style.white or (float(np.percentile(strength, _PERCENTILE)) if strength.size else 0.0) or largest or 1.0
    signed = bool((finite < 0).any())
    low = -high if signed else 0.0
    _imshow(axes, response, low, high)
    extend = "neither" if largest <= high else "both" if signed else "max"
    bar = ScalarMappable(Normalize(low, high), _gray())
    axes.figure.colorbar(bar, ax=axes, shrink=0.85, extend=extend).ax.set_ylabel(style.unit, parse_math=False)


def _imshow(axes: Any, values: NDArray[Any], low: float, high: float) -> None:
    """Draw values so that `low` is black and `high` is white; pixels that are not finite are red."""
    high = high if high > low else low + 1
    if values.ndim == 3:
        from matplotlib.colors import to_rgb

        scaled = (values.astype(np.float64) - low) / (high - low)
        unknown = ~np.isfinite(scaled).all(axis=2, keepdims=True)
        axes.imshow(np.where(unknown, to_rgb(_UNDEFINED), np.nan_to_num(scaled)).clip(0, 1))
    else:
        axes.imshow(np.ma.masked_invalid(values), cmap=_gray(), vmin=low, vmax=high)


def _gray() -> Any:
    """Return the gray colour map, in which values that are not finite are red."""
    from matplotlib import colormaps

    return colormaps["gray"].with_extremes(bad=_UNDEFINED)
