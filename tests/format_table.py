"""The table of formats in docs/formats.md, filled by reading files that the libraries wrote.

python tests/format_table.py           # fills the table
python tests/format_table.py FOLDER    # writes the files into a folder
"""

import io
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import cv2
import imagecodecs
import numpy as np
import pydicom
import tifffile
from format_files import dng, exr, heif, heif_of, jpeg, jpeg_xr
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from edgekit.errors import MissingExtraError
from edgekit.io.pages import images_in
from edgekit.io.reading import Decoded, decode

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "formats.md"
HEAD = "| format | extra | orientation | bits | opacity | images | pixel size |\n|---|---|---|---|---|---|---|"

#: Libraries of extras. They are hidden to find the files that need them.
_LIBRARIES = ("rawpy", "pillow_heif", "imagecodecs", "OpenEXR", "pydicom")

COLOUR = np.random.default_rng(0).integers(0, 256, (48, 32, 3), np.uint8)
GRAY = COLOUR[..., 0].copy()
CLEAR = np.dstack([COLOUR, GRAY])
HOLES = np.dstack([COLOUR, np.where(GRAY < 128, 0, 255).astype(np.uint8)])

Maker = Callable[[], bytes]


class Files(NamedTuple):
    """Files of one format.

    Attributes
    ----------
    usual : callable
        A file with the image COLOUR or GRAY.
    turned : callable, optional
        The same, stored with the orientation 6.
    bits : mapping
        Files of gray images by their number of bits.
    clear, several, sized : callable, optional
        A file with opacity, with three images, with the size of a pixel.
    needing : callable, optional
        A file that needs the extra, if the usual one does not.
    """

    usual: Maker
    turned: Maker | None = None
    bits: Mapping[int, Maker] = {}
    clear: Maker | None = None
    several: Maker | None = None
    sized: Maker | None = None
    needing: Maker | None = None


def _pillow(format: str, image: np.ndarray = COLOUR, **options: object) -> Maker:
    def make() -> bytes:
        file = io.BytesIO()
        Image.fromarray(image).save(file, format, **options)
        return file.getvalue()

    return make


def _frames(format: str, **options: object) -> Maker:
    rest = [Image.fromarray(np.roll(COLOUR, n, 0)) for n in (1, 2)]
    return _pillow(format, save_all=True, append_images=rest, duration=50, **options)


def _tiff(image: np.ndarray, **options: object) -> Maker:
    def make() -> bytes:
        file = io.BytesIO()
        tifffile.imwrite(file, image, **{"metadata": None, **options})
        return file.getvalue()

    return make


def _deep(bits: int) -> np.ndarray:
    """Return the gray image with more bits."""
    return (GRAY.astype(np.uint16) << (bits - 8)) | (GRAY.astype(np.uint16) >> (16 - bits))


def _opencv(ending: str, image: np.ndarray) -> Maker:
    return lambda: cv2.imencode(ending, image)[1].tobytes()


def _dicom(image: np.ndarray = GRAY, bits: int = 8, frames: int = 1, size: float | None = None) -> Maker:
    def make() -> bytes:
        meta = FileMetaDataset()
        meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, SecondaryCaptureImageStorage
        meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
        data = FileDataset(None, {}, file_meta=meta, preamble=bytes(128))
        data.Rows, data.Columns = image.shape
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.BitsAllocated = 8 * image.itemsize
        data.BitsStored, data.HighBit, data.PixelRepresentation = bits, bits - 1, 0
        if frames > 1:
            data.NumberOfFrames = frames
        if size is not None:
            data.PixelSpacing = [size, size]
        data.PixelData = image.tobytes() * frames
        file = io.BytesIO()
        pydicom.dcmwrite(file, data, enforce_file_format=True)
        return file.getvalue()

    return make


_PNG16 = {16: _opencv(".png", _deep(16))}
_EXIF = Image.Exif()
_EXIF[0x0112] = 6
_SCALE = [(33550, "d", 3, (2.0, 2.0, 0.0), True)]

FILES: Mapping[str, Files] = {
    "PNG": Files(_pillow("PNG"), _pillow("PNG", exif=_EXIF), _PNG16, _pillow("PNG", CLEAR), _frames("PNG")),
    "JPEG": Files(_pillow("JPEG"), _pillow("JPEG", exif=_EXIF)),
    "JPEG of 12 bits": Files(
        lambda: jpeg(_deep(12), bitspersample=12), lambda: jpeg(_deep(12), 6, bitspersample=12),
        {12: lambda: jpeg(_deep(12), bitspersample=12)},
    ),
    "JPEG-LS": Files(lambda: imagecodecs.jpegls_encode(GRAY), bits={16: lambda: imagecodecs.jpegls_encode(_deep(16))}),
    "TIFF": Files(
        _tiff(COLOUR, photometric="rgb"), _tiff(COLOUR, photometric="rgb", extratags=[(274, "H", 1, 6, True)]),
        {16: _tiff(_deep(16)), 32: _tiff(GRAY.astype(np.float32) / 255)},
        _tiff(CLEAR, photometric="rgb", extrasamples=["unassalpha"]),
        _tiff(np.stack([GRAY] * 3), photometric="minisblack"), _tiff(GRAY, extratags=_SCALE),
    ),
    "WebP": Files(_pillow("WEBP"), _pillow("WEBP", exif=_EXIF), {}, _pillow("WEBP", CLEAR, exact=True),
                  _frames("WEBP", lossless=True)),
    "GIF": Files(_pillow("GIF"), clear=_pillow("GIF", HOLES), several=_frames("GIF")),
    "BMP": Files(_pillow("BMP")),
    "JPEG 2000": Files(
        _pillow("JPEG2000"), clear=_pillow("JPEG2000", CLEAR),
        bits={n: (lambda n=n: imagecodecs.jpeg2k_encode(_deep(n), level=0, bitspersample=n, codecformat="jp2"))
              for n in (9, 12, 16)},
    ),
    "JPEG XL": Files(
        lambda: imagecodecs.jpegxl_encode(COLOUR, lossless=True), clear=lambda: imagecodecs.jpegxl_encode(CLEAR),
        bits={12: lambda: imagecodecs.jpegxl_encode(_deep(12), lossless=True, bitspersample=12)},
    ),
    "JPEG XR": Files(lambda: jpeg_xr(COLOUR), bits={16: lambda: jpeg_xr(_deep(16))}),
    "AVIF": Files(
        _pillow("AVIF"), _pillow("AVIF", exif=_EXIF),
        {n: (lambda n=n: imagecodecs.avif_encode(_deep(n), level=100, bitspersample=n)) for n in (10, 12)},
        _pillow("AVIF", CLEAR),
    ),
    "HEIF": Files(
        lambda: heif("RGB", COLOUR), None, {}, lambda: heif("RGBA", CLEAR), lambda: heif_of(COLOUR, COLOUR, COLOUR),
    ),
    "raw": Files(dng, lambda: dng(orientation=6), needing=lambda: dng(pattern=(0, 1, 2, 2))),
    "netpbm": Files(
        _pillow("PPM"),
        bits={n: (lambda n=n: b"P5 32 48 %d\n" % (2**n - 1) + _deep(n).astype(">u2").tobytes()) for n in (10, 12, 16)},
        clear=lambda: b"P7\nWIDTH 32\nHEIGHT 48\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n" + CLEAR.tobytes(),
    ),
    "OpenEXR": Files(lambda: exr({"RGB": COLOUR.astype(np.float32) / 255}),
                     clear=lambda: exr({"RGBA": CLEAR.astype(np.float32) / 255})),
    "Radiance HDR": Files(_opencv(".hdr", COLOUR.astype(np.float32))),
    "DICOM": Files(_dicom(), bits={12: _dicom(_deep(12), 12)}, several=_dicom(frames=3), sized=_dicom(size=0.5)),
    "NPY": Files(lambda: _npy(COLOUR), bits={16: lambda: _npy(_deep(16))}),
    "PSD, ICO, CUR, DDS, QOI, SGI, PCX, TGA, Sun raster, farbfeld": Files(_pillow("TGA"), clear=_pillow("TGA", CLEAR)),
}  # fmt: skip


def _npy(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, image)
    return file.getvalue()


def _read(make: Maker, page: int = 1) -> Decoded:
    return decode(make(), "an image", page=page)


def _extra(files: Files) -> str:
    """Return the extra that a file needs."""
    data = (files.needing or files.usual)()
    with patch.dict(sys.modules, dict.fromkeys(_LIBRARIES)):
        try:
            decode(data, "an image")
        except MissingExtraError as error:
            (name,) = re.findall(r"\[(\w+)\]", str(error)) or re.findall(r"edgekit.*?(\w+)\W*$", str(error))
            return f"`{name}`"
    return ""


def _bits(files: Files) -> str:
    found = [8] if _read(files.usual).stored == "uint8" else []
    for bits, make in files.bits.items():
        read = _read(make)
        top = 1.0 if read.image.dtype.kind == "f" else 2.0**bits - 1
        if read.limits[1] == top and np.abs(read.image / top - GRAY / 255).max() < 0.02:
            found.append(bits)
    if _read(files.usual).image.dtype.kind == "f":
        found.append(32)
    return ", ".join(map(str, found)) or "16"


def _yes(fact: bool) -> str:
    return "yes" if fact else "no"


def row(name: str) -> str:
    """Return the row of a format."""
    files = FILES[name]
    usual = _read(files.usual).image.shape[:2]
    cells = [
        name,
        _extra(files),
        "" if files.turned is None else _yes(_read(files.turned).image.shape[:2] == usual[::-1] != usual),
        _bits(files),
        "" if files.clear is None else _yes(_read(files.clear).opacity and _read(files.clear).image.shape[-1] == 3),
        ""
        if files.several is None
        else _yes(images_in(files.several(), "an image") == 3 and _read(files.several, 3).image.any()),
        "" if files.sized is None else _yes(_read(files.sized).pixels.spacing is not None),
    ]
    return f"| {' | '.join(cells)} |".replace("  ", " ")


def table() -> str:
    """Return the table."""
    return "\n".join([HEAD, *map(row, FILES)])


def write_files(folder: Path) -> None:
    """Write the files of all formats into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, files in FILES.items():
        makers = {str(bits): make for bits, make in files.bits.items()}
        makers |= {kind: getattr(files, kind) for kind in ("usual", "turned", "clear", "several", "sized", "needing")}
        for kind, make in makers.items():
            if make is not None:
                (folder / f"{name.partition(',')[0]}-{kind}").write_bytes(make())


def main() -> None:
    """Fill the table, or write the files."""
    if sys.argv[1:]:
        write_files(Path(sys.argv[1]))
        return
    text = PAGE.read_text("utf-8")
    block = f"<!-- formats -->\n\n{table()}\n\n<!-- /formats -->"
    PAGE.write_text(re.sub(r"<!-- formats -->.*<!-- /formats -->", lambda _: block, text, flags=re.DOTALL), "utf-8")


if __name__ == "__main__":
    main()
