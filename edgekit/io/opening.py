"""Opens TIFF files and Zarrs that are read window by window. May import all modules for windows."""

from pathlib import Path

from edgekit.io.files import is_tiff, is_zarr
from edgekit.io.stores import StorePath
from edgekit.io.windows import Windows, read_error


def has_windows(path: Path) -> bool:
    """Tell whether a file can be read window by window: a local TIFF file or Zarr."""
    return not isinstance(path, StorePath) and (is_zarr(path) or is_tiff(path))


def open_windows(path: str | Path) -> Windows:
    """Open a TIFF file or a Zarr; only its metadata is read.

    Raises
    ------
    UnreadableError
        If the file is missing, or access is denied.
    DecodeError
        If it is damaged.
    ParameterError
        If its type of pixels or its layout cannot be read by windows.
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
        raise read_error(path, error) from error
