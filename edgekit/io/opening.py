"""Opens TIFF files and Zarrs that are read window by window. May import `common` and what is below it."""

from pathlib import Path

from edgekit.common.read_options import DEFAULT_READ_OPTIONS, ReadOptions
from edgekit.io.files import is_tiff, is_zarr
from edgekit.io.raw_headers import is_raw_file
from edgekit.io.stores import StorePath
from edgekit.io.windows import Windows, read_error

#: Extensions of files that can be written window by window.
WINDOW_ENDINGS = (".tif", ".tiff", ".zarr")


def has_windows(path: Path) -> bool:
    """Tell whether a file can be read window by window: a local TIFF file or Zarr."""
    return not isinstance(path, StorePath) and (is_zarr(path) or (is_tiff(path) and not is_raw_file(path)))


def open_windows(path: str | Path, read_options: ReadOptions = DEFAULT_READ_OPTIONS) -> Windows:
    """Open a TIFF file or a Zarr; only its metadata is read.

    Parameters
    ----------
    read_options : ReadOptions
        The background of transparent images, and the value of pixels without data.

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
    try:
        if is_zarr(path):
            from edgekit.io.zarr_windows import open_zarr

            return open_zarr(path)
        from edgekit.io.tiff_windows import open_tiff

        return open_tiff(path, read_options)
    except Exception as error:
        raise read_error(path, error) from error
