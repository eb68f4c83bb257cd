"""Small pictures of images: JPEG files are decoded at the size that is needed, pictures to look at encoded small."""

from typing import Any

from numpy.typing import NDArray

from edgekit.common.load_cv2 import cv2
from edgekit.common.read_limits import DEFAULT, Limits
from edgekit.errors import ParameterError
from edgekit.io.channels import swap_red_and_blue
from edgekit.io.reading import decode, decode_reduced_jpeg

Array = NDArray[Any]

#: How OpenCV is asked to let the JPEG decoder reduce, the most first.
_REDUCED = {
    8: cv2.IMREAD_REDUCED_COLOR_8,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    2: cv2.IMREAD_REDUCED_COLOR_2,
}


def decode_reduced(data: bytes, name: str, *, least: int | None = None, limits: Limits = DEFAULT) -> Array:
    """Return the image in `data` as `decode` does, or of a JPEG a smaller one.

    Parameters
    ----------
    least : int, optional
        A JPEG may come reduced by 2, 4 or 8, with at least so many pixels on its longer side.

    Raises
    ------
    DecodeError
        As `decode` does.
    """
    reduced = None if least is None else decode_reduced_jpeg(data, name, least, _REDUCED, limits)
    return decode(data, name, limits=limits).image if reduced is None else swap_red_and_blue(reduced.image)


def fitted(image: Array, longest: int) -> Array:
    """Reduce an image of bytes or single floats to `longest` pixels on its longer side; never enlarge it."""
    rows, columns = image.shape[:2]
    scale = longest / max(rows, columns)
    if scale >= 1:
        return image
    size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def encode_jpeg(image: Array, quality: int) -> bytes:
    """Return uint8, (H, W) or (H, W, 3) in RGB order, as the content of a JPEG file for looking at.

    Raises
    ------
    ParameterError
        If JPEG cannot hold it.
    """
    turned = swap_red_and_blue(image) if image.ndim == 3 else image
    done, data = cv2.imencode(".jpg", turned, (cv2.IMWRITE_JPEG_QUALITY, quality))
    if not done:
        raise ParameterError(f"JPEG cannot hold an image of shape {image.shape} and type {image.dtype}")
    return data.tobytes()
