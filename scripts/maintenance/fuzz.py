"""Fuzzes the readers of images and of kernel files, guided by the coverage of their Python code.

    pip install -e '.[fuzz]'
    python scripts/maintenance/fuzz.py [--seconds N] [--finds FOLDER] [--seed N]

The seed files are made by this script, one or more of each format that can be written. An input is a find if the result
is neither an image, nor a kernel, nor an error of edgekit. Its bytes and the traceback are written into the folder, one
for each place in the code. A crash of a decoder, more than 30 s for one file, or more than 2 GiB are finds that end the
run. The exit status is 1 if there was a find.
"""

import argparse
import contextlib
import hashlib
import io
import multiprocessing
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

#: Limits for one file.
SECONDS, MEGABYTES = 30, 2048

#: Limit of the pixels: decompression bombs are refused, and other files are decoded fast.
MAX_PIXELS = 2**22

#: An input is one byte for the kind of the file, and the content of the file.
IMAGE, KERNELS = 0, (".json", ".csv", ".npy")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=60, help="how long, at most  [default: 60]")
    parser.add_argument("--finds", type=Path, default=Path("fuzz-finds"), help="their folder  [default: fuzz-finds]")
    parser.add_argument("--seed", type=int, default=1, help="seed of the random mutations  [default: 1]")
    options = parser.parse_args()
    options.finds.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder, "corpus")
        corpus.mkdir()
        for kind, data in seeds():
            Path(corpus, hashlib.sha1(data).hexdigest()).write_bytes(bytes([kind]) + data)
        # The fuzzer ends its process when the time is over.
        process = multiprocessing.get_context("spawn").Process(target=fuzz, args=(options, corpus, Path(folder)))
        process.start()
        process.join()
    finds = sorted(p for p in options.finds.iterdir() if p.suffix != ".txt")
    for path in finds:
        said = path.with_suffix(".txt")
        print(path, said.read_text().splitlines()[-1] if said.exists() else "crash, hang or memory", sep=": ")
    print(f"{len(finds)} finds in {options.finds}")
    return 1 if finds or process.exitcode else 0


def fuzz(options: argparse.Namespace, corpus: Path, folder: Path) -> None:
    """Fuzz until the time is over; ends the process."""
    import atheris

    with atheris.instrument_imports(include=["edgekit", "PIL", "tifffile", "numpy.lib"], enable_loader_override=False):
        from edgekit.common.read_options import ReadOptions
        from edgekit.errors import EdgekitError
        from edgekit.io.kernels import read_kernel
        from edgekit.io.reading import decode
    from edgekit.io.reduced import decode_gray

    # Hides what the decoders print for each damaged file.
    os.dup2(os.open(folder / "printed", os.O_WRONLY | os.O_CREAT), 2)

    def attempts(kind: int, data: bytes) -> Iterator[Callable[[], object]]:
        if kind == IMAGE:
            for truncated in ("refuse", "keep"):
                read_options = ReadOptions(MAX_PIXELS, truncated)
                yield lambda read_options=read_options: decode(data, "fuzzed", read_options=read_options)
            yield lambda: decode_gray(data, "fuzzed", least=16, read_options=ReadOptions(MAX_PIXELS))
        else:
            path = (folder / "kernel").with_suffix(KERNELS[(kind - 1) % len(KERNELS)])
            path.write_bytes(data)
            yield lambda: read_kernel(path)

    def one(data: bytes) -> None:
        if not data:
            return
        kind = data[0] % (1 + len(KERNELS))
        for attempt in attempts(kind, data[1:]):
            try:
                with contextlib.suppress(EdgekitError):
                    attempt()
            except Exception:
                keep(data[1:], options.finds)

    found = [f"-max_total_time={options.seconds}", f"-seed={options.seed}", f"-timeout={SECONDS}", "-max_len=65536",
             f"-rss_limit_mb={MEGABYTES}", f"-artifact_prefix={options.finds}/", "-verbosity=0"]  # fmt: skip
    atheris.Setup([sys.argv[0], *found, str(corpus)], one)
    atheris.Fuzz()


def keep(data: bytes, finds: Path) -> None:
    """Write a find, unless there is one from the same place in the code."""
    raised = traceback.format_exc()
    places = [line for line in raised.splitlines() if line.startswith("  File")]
    path = finds / hashlib.sha1("".join(places).encode()).hexdigest()[:16]
    if not path.exists():
        path.write_bytes(data)
        path.with_suffix(".txt").write_text(raised)


def seeds() -> Iterator[tuple[int, bytes]]:
    """Yield small files of every format that can be written here, with their kinds."""
    import cv2
    import numpy as np
    import tifffile
    from PIL import Image

    gray = np.arange(12 * 17, dtype=np.uint8).reshape(12, 17)
    colour = np.dstack((gray, gray[::-1], 255 - gray))
    picture = Image.fromarray(colour)
    for kind in (
        "PNG",
        "JPEG",
        "GIF",
        "TIFF",
        "WEBP",
        "BMP",
        "PPM",
        "JPEG2000",
        "TGA",
        "PCX",
        "SGI",
        "ICO",
        "AVIF",
        "DDS",
        "QOI",
    ):
        for mode in ("RGB", "L", "P", "1", "RGBA", "CMYK"):
            file = io.BytesIO()
            # No format supports all of these options.
            with contextlib.suppress(Exception):
                picture.convert(mode).save(file, kind)
                yield IMAGE, file.getvalue()
    for kind, more in (("JPEG", {"progressive": True}), ("GIF", {"save_all": True}), ("PNG", {"save_all": True}),
                       ("WEBP", {"lossless": True}), ("TIFF", {"compression": "tiff_lzw"}),
                       ("TIFF", {"compression": "jpeg"}), ("TGA", {"compression": "tga_rle"})):  # fmt: skip
        file = io.BytesIO()
        frames = [picture.rotate(180)] if "save_all" in more else []
        picture.save(file, kind, append_images=frames, **more)
        yield IMAGE, file.getvalue()
    for ending, image in ((".hdr", colour / np.float32(255)), (".pfm", gray / np.float32(255)), (".ras", colour),
                          (".pam", colour), (".png", gray.astype(np.uint16) * 257)):  # fmt: skip
        yield IMAGE, cv2.imencode(ending, image)[1].tobytes()
    for dtype in ("uint8", "uint16", "int32", "float32", "float64"):
        for more in ({}, {"compression": "zlib"}, {"tile": (16, 16)}, {"bigtiff": True}, {"photometric": "miniswhite"}):
            file = io.BytesIO()
            with contextlib.suppress(ValueError):
                tifffile.imwrite(file, gray.astype(dtype), **more)
                yield IMAGE, file.getvalue()
        file = io.BytesIO()
        np.save(file, colour.astype(dtype))
        yield IMAGE, file.getvalue()
    yield IMAGE, b"farbfeld" + bytes([0, 0, 0, 2, 0, 0, 0, 1]) + bytes(range(16))
    yield 1, b'{"taps": [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], "divisor": 8}'
    yield 1, b"[[1, 2.5e3, -1]]"
    yield 2, b"-1;0;1\r\n-2;0;2\r\n\r\n-1;0;1"
    file = io.BytesIO()
    np.save(file, np.eye(3))
    yield 3, file.getvalue()


if __name__ == "__main__":
    sys.exit(main())
