"""Opens what is read window by window. May import files, stores, windows and the formats' modules."""

from pathlib import Path

from edgekit.io.files import is_tiff, is_zarr
from edgekit.io.stores import StorePath
from edgekit.io.windows import Windows, given_up


def has_windows(path: Path) -> bool:
    """Tell whether a file is read window by window: TIFF, or Zarr, which is a folder; objects in stores are not."""
    return not isinstance(path, StorePath) and (is_zarr(path) or is_tiff(path))


def open_windows(path: str | Path) -> Windows:
    """Open a TIFF or a Zarr; only its description is read.

    Raises
    ------
    UnreadableError
        If the file is missing or may not be read.
    DecodeError
        If it is damaged.
    ParameterError
        If its pixels are of a kind, or lie so, that it cannot be read by windows.
    MissingExtraError
        If a library is missing.
    """
    path = Path(path)
    if is_zarr(path):
        from edgekit.io.zarr_windows import open_zarr as opener
    else:
        from edgekit.io.tiff_windows import open_tiff as opener
    try:
        return opener(path)
    except Exception as error:
        raise given_up(path, error) from error
