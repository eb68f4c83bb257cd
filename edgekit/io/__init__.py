"""Image files: the only folder that opens them. May import `common` and what is below it."""

from edgekit.io.reading import read_image
from edgekit.io.writing import write_image

__all__ = ["read_image", "write_image"]
