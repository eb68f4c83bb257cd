"""The image formats: endings, first bytes, and what can be written. Imports the standard library only."""

import re
from typing import NamedTuple


class Format(NamedTuple):
    """An image format.

    Attributes
    ----------
    name : str
        Its name in messages.
    endings : tuple of str
        The usual endings of file names.
    signatures : tuple of (int, bytes)
        Offsets and bytes. A file with one of them has this format.
    depths : tuple of str
        The depths that can be written: ``8``, ``16``, ``float``. Empty if the format can only be read.
    pillow : str
        The name of the Pillow plugin, if there is one.
    pattern : bytes
        A regular expression that the first bytes must match as well, for short signatures or none.
    """

    name: str
    endings: tuple[str, ...]
    signatures: tuple[tuple[int, bytes], ...] = ()
    depths: tuple[str, ...] = ()
    pillow: str = ""
    pattern: bytes = b""


#: Many text files begin with "P1". In netpbm files white space and a number or a comment follow.
_NETPBM = rb"P7\s|P[1-6fF]\s[\s\d#]"

#: Color map type, image type, width, height and depth with valid values. TGA has no signature.
_TGA = (
    rb"(?s).(?:\x01[\x01\x09]|[\x00\x01][\x02\x03\x0a\x0b])"
    rb".{9}(?!\x00\x00)..(?!\x00\x00)..[\x08\x0f\x10\x18\x20][\x00-\x3f]"
)

#: Some TGA files begin like icons, but with a number of icons of 0.
_ICONS = rb"(?s).{4}(?!\x00\x00).."

#: AVIF files name a brand of AVIF. If the first brand is that of HEIF in general, it is among the next ones, before
#: the next box.
_AVIF = rb"(?s).{4}ftyp(?:avi[fso]|(?:mif1|mif2|msf1|miaf).{4}(?:(?!meta|moov|mdat|free|uuid).{4})*?avi[fso])"

#: The brands of HEIF (ISO/IEC 23008-12, annex B).
HEIF_BRANDS = (
    b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"mif2", b"msf1", b"miaf",
)  # fmt: skip

#: Raw photographs that do not begin like other TIFF files: Canon CR2 and CR3, Olympus ORF, Panasonic RW2, Fujifilm RAF,
#: Sigma X3F, Minolta MRW. `raw_headers.is_raw` finds the other ones.
RAW = rb"(?s)II\*\0.{4}CR|.{4}ftypcrx |IIRO|IIRS|MMOR|IIU\0|FUJIFILMCCD-RAW|FOVb|\0MRM"

FORMATS = (
    Format("PNG", (".png", ".apng"), ((0, b"\x89PNG\r\n\x1a\n"),), ("8", "16"), "PNG"),
    # Other JPEG-LS files begin as JPEG files do.
    Format("JPEG-LS", (".jls",), ((0, b"\xff\xd8\xff\xf7"), (0, b"\xff\xd8\xff\xe8\0\x20SPIFF\0"))),
    Format("JPEG", (".jpg", ".jpeg", ".jpe", ".jfif"), ((0, b"\xff\xd8\xff"),), ("8",), "JPEG"),
    # The first bytes of some DICOM files are those of TIFF.
    Format("DICOM", (".dcm", ".dicom"), ((128, b"DICM"),)),
    Format("raw", (".dng", ".cr2", ".cr3", ".nef", ".nrw", ".arw", ".sr2", ".srf", ".raf", ".orf", ".rw2", ".rwl",
                   ".pef", ".srw", ".3fr", ".fff", ".iiq", ".mef", ".mos", ".mrw", ".dcr", ".kdc", ".erf", ".x3f"),
           pattern=RAW),
    Format("JPEG XR", (".jxr", ".wdp", ".hdp"), ((0, b"II\xbc\1"),)),
    Format("TIFF", (".tif", ".tiff"),
           ((0, b"II*\0"), (0, b"MM\0*"), (0, b"II+\0"), (0, b"MM\0+")), ("8", "16", "float"), "TIFF"),
    Format("WebP", (".webp",), ((8, b"WEBP"),), ("8",), "WEBP"),
    Format("NPY", (".npy",), ((0, b"\x93NUMPY"),), ("8", "16", "float")),
    # A folder, so that there are no first bytes.
    Format("Zarr", (".zarr",), (), ("8", "16", "float")),
    Format("BMP", (".bmp", ".dib"), ((0, b"BM"),), pillow="BMP"),
    Format("GIF", (".gif",), ((0, b"GIF8"),), pillow="GIF"),
    Format("JPEG 2000", (".jp2", ".j2k", ".jpf", ".jpx"),
           ((0, b"\0\0\0\x0cjP  "), (0, b"\xff\x4f\xff\x51")), pillow="JPEG2000"),
    Format("JPEG XL", (".jxl",), ((0, b"\xff\x0a"), (0, b"\0\0\0\x0cJXL \r\n\x87\n"))),
    Format("AVIF", (".avif", ".avifs"), pillow="AVIF", pattern=_AVIF),
    Format("HEIF", (".heic", ".heif", ".heics", ".heifs", ".hif"),
           tuple((4, b"ftyp" + brand) for brand in HEIF_BRANDS)),
    Format("netpbm", (".pbm", ".pgm", ".ppm", ".pnm", ".pam", ".pfm"),
           tuple((0, b"P" + kind) for kind in (b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"f", b"F")),
           pillow="PPM", pattern=_NETPBM),
    Format("Radiance HDR", (".hdr", ".pic"), ((0, b"#?RADIANCE"), (0, b"#?RGBE"))),
    Format("OpenEXR", (".exr",), ((0, b"\x76\x2f\x31\x01"),)),
    Format("Sun raster", (".ras", ".sr"), ((0, b"\x59\xa6\x6a\x95"),), pillow="SUN"),
    Format("PSD", (".psd",), ((0, b"8BPS"),), pillow="PSD"),
    Format("ICO", (".ico",), ((0, b"\0\0\1\0"),), pillow="ICO", pattern=_ICONS),
    Format("CUR", (".cur",), ((0, b"\0\0\2\0"),), pillow="CUR", pattern=_ICONS),
    Format("DDS", (".dds",), ((0, b"DDS "),), pillow="DDS"),
    Format("QOI", (".qoi",), ((0, b"qoif"),), pillow="QOI"),
    Format("farbfeld", (".ff",), ((0, b"farbfeld"),)),
    Format("SGI", (".sgi", ".rgb", ".bw"), ((0, b"\x01\xda"),), pillow="SGI"),
    Format("PCX", (".pcx",), ((0, b"\x0a\x05\x01"),), pillow="PCX"),
    Format("TGA", (".tga",), pillow="TGA", pattern=_TGA),
)  # fmt: skip

#: The format of raw photographs, which begin like TIFF files.
RAW_FORMAT = next(f for f in FORMATS if f.name == "raw")

#: The number of first bytes that `sniff` needs.
HEAD = 132

BY_ENDING = {ending: f for f in FORMATS for ending in f.endings}


def sniff(head: bytes) -> Format | None:
    """Return the format of a file with these first bytes, None if it is not known."""
    for candidate in FORMATS:
        matches = any(head[offset : offset + len(s)] == s for offset, s in candidate.signatures)
        if candidate.pattern and (matches or not candidate.signatures):
            matches = re.match(candidate.pattern, head) is not None
        if matches:
            return candidate
    return None
