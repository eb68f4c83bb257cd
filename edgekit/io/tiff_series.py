"""The images of a TIFF file: their axes, their pages, and what the metadata of OME or ImageJ say about them.

May import `common` and what is below it.
"""

import math
from pathlib import Path
from typing import Any, NamedTuple

from edgekit.errors import DecodeError, UnreadableError
from edgekit.io.files import as_file, read_bytes, status_of
from edgekit.io.ome import OmeImage, ome_images
from edgekit.io.stores import StorePath
from edgekit.io.tiff import image_pages, load_tifffile


class TiffSeries(NamedTuple):
    """Images of the same size and type.

    Attributes
    ----------
    axes : str
        A letter for each axis before rows and columns, as in tifffile.
    shape : tuple of int
        Their lengths.
    pages : list of int or None
        The number of the page of each image; None if it is in no page of this file.
    """

    axes: str
    shape: tuple[int, ...]
    pages: list[int | None]


class TiffContent(NamedTuple):
    """What a TIFF file contains.

    Attributes
    ----------
    series : list of TiffSeries
        Its images.
    pages : list of int
        The numbers of the pages that are images, without smaller versions of others and masks.
    ome : list of OmeImage
        What the metadata of OME say about each image; empty if there are none.
    imagej : dict
        The metadata of ImageJ.
    note : str
        What cannot be read of the metadata; empty if all is well.
    """

    series: list[TiffSeries]
    pages: list[int]
    ome: list[OmeImage]
    imagej: dict[str, Any]
    note: str


def content_of(path: Path) -> TiffContent:
    """Return the content of a TIFF file. No pixels are read.

    Raises
    ------
    UnreadableError
        If it is missing, empty, or access is denied.
    DecodeError
        If it has no pages.
    """
    if status_of(path).st_size == 0:
        raise UnreadableError(f"{path}: the file is empty (0 bytes); copy or export it again")
    try:
        # The images of OME may be in several files beside each other.
        source = as_file(read_bytes(path)) if isinstance(path, StorePath) else path
        with load_tifffile().TiffFile(source) as file:
            return _content(path, file)
    except (UnreadableError, DecodeError):
        raise
    except Exception as error:  # tifffile may raise anything on damaged files.
        raise DecodeError(f"{path}: expected a TIFF file with pages: {error}") from error


def _content(path: Path, file: Any) -> TiffContent:
    pages = image_pages(file)
    if not pages:
        raise DecodeError(f"{path}: a TIFF file without a page that can be found. Copy or export it again")
    described = "<OME" in (file.pages[0].description or "")
    try:
        series, kind = [_series(file, one) for one in file.series], file.series[0].kind
    except Exception:  # Its pages may be good.
        series, kind = [], "generic"
    if described and kind in ("generic", "uniform"):
        note = f"{path}: its OME metadata cannot be read; its {len(pages)} pages are measured in the order of the file"
        return TiffContent([TiffSeries("Q", (len(pages),), [*pages])], pages, [], {}, note)
    ome = ome_images(file.ome_metadata or "") if file.is_ome else []
    imagej = dict(file.imagej_metadata or {}) if file.is_imagej and not file.is_ome else {}
    return TiffContent(series, pages, ome, imagej, "")


def _series(file: Any, series: Any) -> TiffSeries:
    shape = leading_shape(series)
    pages = [page.index if page is not None and page.parent is file else None for page in series.pages]
    # ImageJ describes only the first page; the others follow it without a gap.
    pages += [None] * (math.prod(shape) - len(pages))
    return TiffSeries(series.axes[: len(shape)], shape, pages)


def leading_shape(series: Any) -> tuple[int, ...]:
    """Return the lengths of the axes of a series of tifffile before those of its pages."""
    inner = series.keyframe.shape
    shape = series.shape
    while shape[-len(inner) :] != inner and shape[-1:] == (1,):
        # An axis of length 1 without a name.
        shape = shape[:-1]
    return tuple(shape[: len(shape) - len(inner)])
