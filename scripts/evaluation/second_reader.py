"""Compares what edgekit reads from image files with what a second library reads from them.

Run `python scripts/evaluation/second_reader.py FOLDER...`. It decodes the first image of every file under the folders
and prints a Markdown table by formats: how many files give the same values within one level, how many differ, and how
many only one of the two reads. A list of the files that differ or that one of them refuses follows. The second library
is, where there is one, not that which edgekit uses for the file.
"""

import argparse
import contextlib
import io
import resource
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import imagecodecs
import numpy as np
import numpy.typing as npt
import pydicom
import rawpy
import tifffile
from PIL import Image as Pillow
from PIL import ImageOps, UnidentifiedImageError

from edgekit.common.read_options import ReadOptions
from edgekit.io.formats import HEAD, RAW_FORMAT, sniff
from edgekit.io.headers import is_unusual_bmp
from edgekit.io.pixels import upright
from edgekit.io.raw_headers import is_raw
from edgekit.io.reading import decode

Image = npt.NDArray[Any]

#: The columns of the table after the format and the number of files.
SAME, DIFFER, ONLY_EDGEKIT, ONLY_OTHER, REFUSED = "same", "differ", "only edgekit", "only the other", "refused by both"
OUTCOMES = (SAME, DIFFER, ONLY_EDGEKIT, ONLY_OTHER, REFUSED)

#: Bytes of memory of a run.
MEMORY = 2**32

#: Floats agree within this fraction of the largest value.
EXACT = 1e-5


class Read(NamedTuple):
    """An image that a library read: its array, and the values of white and black."""

    array: Image
    white: float
    black: float = 0.0


class Result(NamedTuple):
    """The comparison of one file: one of `OUTCOMES`, with the largest difference or the reason of a refusal."""

    path: Path
    format: str
    outcome: str
    remark: str


def top_of(dtype: np.dtype[Any]) -> float:
    """Return the largest value of a type; 1 for floats."""
    return float(np.iinfo(dtype).max) if dtype.kind in "iu" else 1.0


def over_white(array: Image, white: float) -> Read:
    """Lay an image, whose last channel is its opacity, over white."""
    weight = array[..., -1:].astype(np.float64) / white
    laid = array[..., :-1] * weight + white * (1 - weight)
    return Read((np.rint(laid) if array.dtype.kind in "iu" else laid).astype(array.dtype), white)


def plain(array: Image, white: float | None = None) -> Read:
    """Return an array of a codec, in which an even number of channels means that the last one is the opacity."""
    white = top_of(array.dtype) if white is None else white
    return over_white(array, white) if array.ndim == 3 and array.shape[2] in (2, 4) else Read(array, white)


def by_pillow(data: bytes) -> Read:
    """Decode with Pillow."""
    image: Any = Pillow.open(io.BytesIO(data))
    image.load()
    image = ImageOps.exif_transpose(image)
    if image.has_transparency_data:
        return over_white(np.asarray(image.convert("RGBA")), 255.0)
    if image.mode in ("1", "LA"):
        image = image.convert("L")
    elif image.mode not in ("L", "RGB", "F", "I") and not image.mode.startswith("I;16"):
        image = image.convert("RGB")
    array = np.asarray(image)
    # Pillow has 16 bits of netpbm in 32.
    return Read(array, 65535.0 if array.dtype == np.int32 else top_of(array.dtype))


def by_opencv(data: bytes) -> Read:
    """Decode with OpenCV."""
    array: Any = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if array is None:
        raise ValueError("OpenCV cannot decode it")
    return plain(array if array.ndim == 2 else array[..., [2, 1, 0, 3][: array.shape[2]]])


def no_other(data: bytes) -> Read:
    """Refuse a format that only the library of edgekit reads."""
    raise ValueError("there is no second reader")


def by_png(data: bytes) -> Read:
    """Decode PNG with Pillow, and with libpng by imagecodecs if Pillow cannot or returns 8 of 16 bits."""
    if data[24] != 16:
        with contextlib.suppress(Exception):
            return by_pillow(data)
    return plain(imagecodecs.png_decode(data))


def by_bmp(data: bytes) -> Read:
    """Decode BMP with Pillow, and with OpenCV where edgekit uses Pillow."""
    return (by_opencv if is_unusual_bmp(data) else by_pillow)(data)


def by_netpbm(data: bytes) -> Read:
    """Decode gray PNM with Pillow and colours, which Pillow reads with 8 bits, with OpenCV. edgekit uses netpbmfile."""
    return (by_pillow if data[:2] in (b"P1", b"P2", b"P4", b"P5") else by_opencv)(data)


def by_avif(data: bytes) -> Read:
    """Decode AVIF with Pillow, and with imagecodecs, which turns no image, if it has more than 8 bits."""
    array = imagecodecs.avif_decode(data)
    return by_pillow(data) if array.dtype == np.uint8 else plain(array, 1023 if array.max() < 1024 else 4095)


def by_tiff(data: bytes) -> Read:
    """Decode the first page of TIFF with Pillow if it has 8 bits, else with tifffile, which returns stored values."""
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page: Any = file.pages[0]
        if page.bitspersample <= 8 and page.sampleformat != 2:
            return by_pillow(data)
        array = page.asarray()
        if page.planarconfig == 2 and array.ndim == 3:
            array = np.moveaxis(array, 0, -1)
        array = upright(array, page.tags.valueof("Orientation", 1))
        white = 2.0**page.bitspersample - 1 if array.dtype.kind == "u" else top_of(array.dtype)
        if page.photometric == 0:
            array = (white - array).astype(array.dtype)
        elif page.photometric == 3:
            array = np.moveaxis(page.colormap[:, array], 0, -1)
        elif page.photometric == 5:
            inks = array / white
            array = np.rint((1 - inks[..., :3]) * (1 - inks[..., 3:4]) * white).astype(array.dtype)
        return over_white(array, white) if tuple(page.extrasamples) == (2,) else Read(array, white)


def by_dicom(data: bytes) -> Read:
    """Decode the first frame with pydicom, and rescale it."""
    stored = pydicom.dcmread(io.BytesIO(data))
    array = pydicom.pixels.pixel_array(stored, index=0)
    slope, intercept = float(stored.get("RescaleSlope", 1)), float(stored.get("RescaleIntercept", 0))
    rescaled = array if (slope, intercept) == (1, 0) else (slope * array + intercept).astype(np.float32)
    return Read(rescaled, 2.0 ** int(stored.BitsStored) - 1)


def by_raw(data: bytes) -> Read:
    """Develop a raw photograph at half size, without changes of the brightness, as edgekit does by default."""
    same = {"use_camera_wb": True, "no_auto_bright": True, "adjust_maximum_thr": 0.0, "output_bps": 16}
    with rawpy.imread(io.BytesIO(data)) as raw:
        return Read(raw.postprocess(half_size=True, **same), 65535.0)


def by_jpeg(data: bytes) -> Read:
    """Decode JPEG with Pillow, and with imagecodecs if it has more than 8 bits."""
    with contextlib.suppress(UnidentifiedImageError):
        return by_pillow(data)
    array = imagecodecs.jpeg8_decode(data)
    return Read(array, 4095.0 if array.dtype == np.uint16 else 255.0)


def by_gif(data: bytes) -> Read:
    """Decode the first frame with giflib."""
    array = imagecodecs.gif_decode(data, asrgb=True)
    return plain(array[0] if array.ndim == 4 else array)


def by_farbfeld(data: bytes) -> Read:
    """Decode farbfeld with NumPy."""
    width, height = np.frombuffer(data, ">u4", 2, 8)
    return over_white(np.frombuffer(data, ">u2", offset=16).reshape(height, width, 4).astype(np.uint16), 65535.0)


#: The second reader of each format; Pillow reads the others. edgekit reads JPEG XL, JPEG XR, JPEG-LS, DICOM and NPY
#: by the same library, so that only the conversions after it are compared.
READERS: Mapping[str, Callable[[bytes], Read]] = {
    "OpenEXR": no_other,
    "HEIF": no_other,
    "PNG": by_png,
    "JPEG": by_jpeg,
    "netpbm": by_netpbm,
    "TIFF": by_tiff,
    "DICOM": by_dicom,
    "raw": by_raw,
    "GIF": by_gif,
    "BMP": by_bmp,
    "AVIF": by_avif,
    "farbfeld": by_farbfeld,
    "NPY": lambda data: plain(np.load(io.BytesIO(data))),
    "JPEG 2000": lambda data: plain(imagecodecs.jpeg2k_decode(data)),
    "JPEG XL": lambda data: plain(imagecodecs.jpegxl_decode(data)),
    "JPEG XR": lambda data: plain(imagecodecs.jpegxr_decode(data)),
    "JPEG-LS": lambda data: plain(imagecodecs.jpegls_decode(data)),
    "QOI": lambda data: plain(imagecodecs.qoi_decode(data)),
    "Radiance HDR": lambda data: plain(imagecodecs.rgbe_decode(data)),
}


def difference(first: Read, second: Read) -> tuple[float, bool]:
    """Return the largest difference in levels of the coarser image, and whether it is at most one level.

    Raises
    ------
    ValueError
        If the images have other sizes.
    """
    arrays = [one.array.squeeze() if one.array.shape[2:] == (1,) else one.array for one in (first, second)]
    if arrays[0].shape[:2] != arrays[1].shape[:2]:
        raise ValueError(f"{arrays[0].shape[1::-1]} and {arrays[1].shape[1::-1]} pixels")
    # A gray image has the same values in red, green and blue.
    arrays = [array[..., None] if array.ndim == 2 else array for array in arrays]
    if arrays[0].shape[2] != arrays[1].shape[2] and 1 not in (arrays[0].shape[2], arrays[1].shape[2]):
        raise ValueError(f"{arrays[0].shape[2]} and {arrays[1].shape[2]} channels")
    one, other = np.broadcast_arrays(*(array.astype(np.float64) for array in arrays))
    # edgekit returns NaN for pixels without data.
    one, other = one[~np.isnan(one)], other[~np.isnan(one)]
    if "f" in (arrays[0].dtype.kind, arrays[1].dtype.kind):
        found = float(np.abs(one - other).max(initial=0))
        return found, found <= EXACT * float(np.abs(other).max(initial=0))
    if arrays[0].dtype == arrays[1].dtype and (found := float(np.abs(one - other).max())) <= 1:
        return found, True
    # The whites differ where one of them scales the values to its type.
    spans = first.white - first.black, second.white - second.black
    fractions = (one - first.black) / spans[0], (other - second.black) / spans[1]
    found = float(np.abs(fractions[0].clip(0, 1) - fractions[1].clip(0, 1)).max()) * min(spans)
    return found, found <= 1 + 1e-6


def read(function: Callable[[], Read]) -> Read | str:
    """Return what a library reads, or why it refuses."""
    try:
        return function()
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def by_edgekit(data: bytes) -> Read:
    """Decode the first image with edgekit."""
    found = decode(data, "the file", read_options=ReadOptions(background="white"), page=1)
    black, white = found.limits
    return Read(found.image, white, black)


def compare(path: Path) -> Result | None:
    """Read a file in both ways; None if it is no image."""
    data = path.read_bytes()
    found = sniff(data[:HEAD])
    if found is None:
        return None
    name = RAW_FORMAT.name if found.name == "TIFF" and is_raw(data) else found.name
    first, second = read(lambda: by_edgekit(data)), read(lambda: READERS.get(name, by_pillow)(data))
    match first, second:
        case str(), str():
            return Result(path, name, REFUSED, first)
        case str(), _:
            return Result(path, name, ONLY_OTHER, first)
        case _, str():
            return Result(path, name, ONLY_EDGEKIT, second)
    try:
        largest, same = difference(first, second)
    except ValueError as error:
        return Result(path, name, DIFFER, str(error))
    kinds = f"{first.array.dtype} to {first.white:g}, and {second.array.dtype} to {second.white:g}"
    return Result(path, name, SAME if same else DIFFER, f"at most {largest:.6g} of {kinds}")


def files_in(folders: list[Path]) -> Iterator[Path]:
    """Yield all files under the folders, in order."""
    for folder in folders:
        yield from sorted(p for p in folder.rglob("*") if p.is_file())


def table(results: list[Result]) -> str:
    """Return the Markdown table of the outcomes by formats."""
    counts = defaultdict[str, Counter[str]](Counter)
    for result in results:
        counts[result.format][result.outcome] += 1
    rows = [("format", "files", *OUTCOMES), ("---", *["--:"] * (len(OUTCOMES) + 1))]
    for name, found in [*sorted(counts.items()), ("all", sum(counts.values(), Counter[str]()))]:
        rows.append((name, str(found.total()), *(str(found[outcome]) for outcome in OUTCOMES)))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    warnings.simplefilter("ignore")
    # Some damaged files state billions of pixels.
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    results = [result for path in files_in(parser.parse_args().folders) if (result := compare(path)) is not None]
    print(table(results))
    for outcome in OUTCOMES[1:]:
        print(f"\n{outcome}:\n")
        for result in results:
            if result.outcome == outcome:
                print(f"- {result.path}: {result.remark}")


if __name__ == "__main__":
    main()
