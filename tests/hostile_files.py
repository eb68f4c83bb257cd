"""Small files of every format that can be written here, and damaged ones."""

import io
from collections.abc import Iterator

import cv2
import numpy as np
import tifffile
from PIL import Image

#: Smooth noise, which codecs preserve: 24 rows, 31 columns.
COLOUR = cv2.GaussianBlur(np.random.default_rng(8).integers(0, 256, (24, 31, 3), np.uint8), (0, 0), 1.2)


def pillow(kind: str, image: np.ndarray = COLOUR, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind, **options)
    return file.getvalue()


def opencv(ending: str, image: np.ndarray = COLOUR) -> bytes:
    return cv2.imencode(ending, image)[1].tobytes()


def tiff(image: np.ndarray = COLOUR, **options: object) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, image, **options)
    return file.getvalue()


def npy(image: np.ndarray = COLOUR) -> bytes:
    file = io.BytesIO()
    np.save(file, image)
    return file.getvalue()


def farbfeld(image: np.ndarray) -> bytes:
    rows, columns = image.shape[:2]
    return b"farbfeld" + columns.to_bytes(4, "big") + rows.to_bytes(4, "big") + image.astype(">u2").tobytes()


#: A file of each format by its name.
FILES = {
    "PNG": pillow("PNG"), "JPEG": pillow("JPEG"), "GIF": pillow("GIF", interlace=0), "BMP": pillow("BMP"),
    "WebP": pillow("WEBP"), "WebP lossless": pillow("WEBP", lossless=True), "TIFF": tiff(photometric="rgb"),
    "netpbm": pillow("PPM"),
    "JPEG 2000": pillow("JPEG2000"), "JPEG 2000 bare": pillow("JPEG2000", no_jp2=True), "AVIF": pillow("AVIF"),
    "Radiance HDR": opencv(".hdr", COLOUR / np.float32(255)), "Sun raster": opencv(".ras"), "PAM": opencv(".pam"),
    "PFM": opencv(".pfm", COLOUR[:, :, 0] / np.float32(255)), "BigTIFF": tiff(bigtiff=True, byteorder=">"),
    "TGA": pillow("TGA"), "PCX": pillow("PCX"), "SGI": pillow("SGI"), "DDS": pillow("DDS"), "QOI": pillow("QOI"),
    "NPY": npy(), "farbfeld": farbfeld(np.dstack((COLOUR, COLOUR[:, :, :1])) * np.uint16(257)),
    "progressive JPEG": pillow("JPEG", progressive=True), "packed TIFF": pillow("TIFF", compression="tiff_lzw"),
    "packed TGA": pillow("TGA", compression="tga_rle"), "animated PNG": pillow(
        "PNG", save_all=True, append_images=[Image.fromarray(255 - COLOUR)]),
}  # fmt: skip


def damaged(data: bytes, seed: int) -> bytes:
    """Return a file that is truncated, with changed bits, without a part, or with changed bytes at its start or end."""
    random = np.random.default_rng([seed, len(data)])
    out, kind = bytearray(data), seed % 6
    if kind == 0:
        return data[: random.integers(1, len(data))]
    if kind == 1:
        out[random.integers(len(out))] ^= 1 << random.integers(8)
    elif kind == 2:
        del out[slice(*np.sort(random.integers(0, len(out), 2)))]
    else:
        start, end = {3: (0, 40), 4: (0, 200), 5: (-200, len(out))}[kind]
        places = range(len(out))[start:end]
        for at in random.choice(places, 3):
            length = random.choice((1, 2, 4))
            out[at : at + length] = bytes([random.choice((0, 1, 0x7F, 0x80, 0xFF))]) * len(out[at : at + length])
    return bytes(out)


def all_damaged(count: int) -> Iterator[tuple[str, bytes]]:
    for name, data in FILES.items():
        for seed in range(count):
            yield f"{name} {seed}", damaged(data, seed)
