"""Reads the image of a command that measures one image. Imports nothing heavy."""

from typing import TYPE_CHECKING, Any

from edgekit.cli.options import READING
from edgekit.cli.terminal import complain

if TYPE_CHECKING:
    from edgekit.backends.interface import Array
    from edgekit.io.image_file import ImageInfo


def read_one(name: str, values: dict[str, Any]) -> "tuple[Array, ImageInfo]":
    """Return the image of a file that ``--page`` chooses, and what the file holds; tell if it has several images.

    Raises
    ------
    ImageError
        If it cannot be read.
    """
    from edgekit.io.image_file import open_image

    file = open_image(name, **{option: values[option] for option in READING})
    image = file.read(page=values["page"] or 1)
    if values["page"] is None and file.pages > 1 and not values["quiet"]:
        complain(f"{name}: image 1 of {file.pages} is measured; choose another one with --page")
    return image, file.info
