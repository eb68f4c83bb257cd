"""What image files look like from outside: endings and first bytes. Standard library only."""

import re
from typing import NamedTuple


class Format(NamedTuple):
    """One image format: its name, its usual endings, and how its files begin.

    Attributes
    ----------
    signatures : tuple of (int, bytes)
        Offset and bytes; one of them marks the format.
    depths : tuple of str
        What can be written: ``8``, ``16``, ``float``; empty where it is only read.
    """

    name: str
    endings: tuple[str, ...]
    signatures: tuple[tuple[int, bytes], ...] = ()
    depths: tuple[str, ...] = ()


FORMATS = (
    Format("PNG", (".png", ".apng"), ((0, b"\x89PNG\r\n\x1a\n"),), ("8", "16")),
    Format("JPEG", (".jpg", ".jpeg", ".jpe", ".jfif"), ((0, b"\xff\xd8\xff"),), ("8",)),
    Format("TIFF", (".tif", ".tiff"),
           ((0, b"II*\0"), (0, b"MM\0*"), (0, b"II+\0"), (0, b"MM\0+")), ("8", "16", "float")),
    Format("WebP", (".webp",), ((8, b"WEBP"),), ("8",)),
    Format("NPY", (".npy",), ((0, b"\x93NUMPY"),), ("8", "16", "float")),
    # A folder, which has no first bytes.
    Format("Zarr", (".zarr",), (), ("8", "16", "float")),
    Format("BMP", (".bmp", ".dib"), ((0, b"BM"),)),
    Format("GIF", (".gif",), ((0, b"GIF8"),)),
    Format("JPEG 2000", (".jp2", ".j2k", ".jpf", ".jpx"), ((0, b"\0\0\0\x0cjP  "), (0, b"\xff\x4f\xff\x51"))),
    Format("AVIF", (".avif", ".avifs"), ((4, b"ftypavif"), (4, b"ftypavis"), (4, b"ftypmif1"))),
    Format("HEIF", (".heic", ".heif"), ((4, b"ftypheic"), (4, b"ftypheix"))),
    Format("netpbm", (".pbm", ".pgm", ".ppm", ".pnm", ".pam", ".pfm"),
           tuple((0, b"P" + kind) for kind in (b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"f", b"F"))),
    Format("Radiance HDR", (".hdr", ".pic"), ((0, b"#?RADIANCE"), (0, b"#?RGBE"))),
    Format("OpenEXR", (".exr",), ((0, b"\x76\x2f\x31\x01"),)),
    Format("Sun raster", (".ras", ".sr"), ((0, b"\x59\xa6\x6a\x95"),)),
    Format("PSD", (".psd",), ((0, b"8BPS"),)),
    Format("ICO", (".ico", ".cur"), ((0, b"\0\0\1\0"), (0, b"\0\0\2\0"))),
    Format("DDS", (".dds",), ((0, b"DDS "),)),
    Format("QOI", (".qoi",), ((0, b"qoif"),)),
    Format("SGI", (".sgi", ".rgb", ".bw"), ((0, b"\x01\xda"),)),
    Format("PCX", (".pcx",), ((0, b"\x0a\x05\x01"),)),
    Format("TGA", (".tga",)),
)  # fmt: skip

#: How many bytes `sniff` wants to see.
HEAD = 16

BY_ENDING = {ending: f for f in FORMATS for ending in f.endings}


def sniff(head: bytes) -> Format | None:
    """Return the format that a file with these first bytes has, None if they are not known."""
    for candidate in FORMATS:
        for offset, signature in candidate.signatures:
            if head[offset : offset + len(signature)] != signature:
                continue
            # "P1" begins many a text; netpbm goes on with white space and a number or a comment.
            if candidate.name == "netpbm" and not re.match(rb"P7\s|P[1-6fF]\s[\s\d#]", head):
                continue
            return candidate
    return None
