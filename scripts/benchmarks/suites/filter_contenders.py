"""The compared filters of an image in memory: edgekit, and each library as it is usually called. All return (H, W), or
(N, H, W) for several directions.
"""

import math
from typing import Any

import cv2
import numpy as np

from benchmarks import LeftOut
from benchmarks.harness.comparison import Contender, Work
from benchmarks.harness.images import Image, photograph, reach
from benchmarks.harness.worker import Call
from benchmarks.harness.workers import has_switch
from benchmarks.suites.copy import floor

OPERATIONS = {
    "magnitude": "Sobel magnitude",
    "angle": "Sobel at 45°",
    "laplacian": "Laplacian",
    "oriented": "Sobel in eight directions",
    "picture": "Sobel magnitude as an 8-bit image",
}

ANGLES = tuple(22.5 * n for n in range(8))

#: Responses may differ by this fraction of the largest level, rendered images by one level.
TOLERANCE = 2e-5

#: The Sobel kernels at 0 and 90 degrees, not divided: the response to a ramp of one level per pixel is 8.
SOBEL_X = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], np.float32)
SOBEL_Y = np.ascontiguousarray(SOBEL_X.T)
LAPLACE = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]], np.float32)
RAW = 1 / 8

#: scikit-image divides integers by the largest one. Its Sobel operator responds with 2 to a ramp, its magnitude is
#: divided by √2.
HALF = 1 / 2


def works(operations: list[str], types: list[str], sizes: list[float]) -> list[Work]:
    """Return all operations on all images."""
    return [
        work(operation, dtype, megapixels)
        for operation in operations
        for dtype in (["uint8"] if operation == "picture" else types)
        for megapixels in sizes
    ]


def work(operation: str, dtype: str, megapixels: float) -> Work:
    """Return one operation on one image."""
    return Work(
        f"{operation}-{dtype}-{megapixels:g}",
        f"{OPERATIONS[operation]}, {dtype}, {megapixels:g} megapixels",
        __name__,
        {"operation": operation, "dtype": dtype, "megapixels": megapixels},
        contenders(operation, dtype),
        ("opencv", "floor"),
        tolerance=1.0 if operation == "picture" else TOLERANCE * reach(dtype),
        margin=1,
    )


def contenders(operation: str, dtype: str) -> list[Contender]:
    """Return the contenders, OpenCV first."""
    raw = 1.0 if operation in ("laplacian", "picture") else RAW
    copied = Contender("floor", "copying (lower bound)", own="a copy")
    if operation == "picture":
        opencv = Contender("opencv", "OpenCV: `Sobel` twice, `magnitude`, `convertScaleAbs`")
        vips = Contender("pyvips", "pyvips, `sobel`", own="|gx| + |gy|, clipped")
        return [opencv, *_edgekit(""), vips, copied]
    share = 1.0 if dtype == "float32" else reach(dtype)
    skimage = {"magnitude": share * HALF * math.sqrt(2), "laplacian": -share}.get(operation, share * HALF)
    easobel = Contender("easobel", "easobel, `sobel_mt`", own="|gx| + |gy|, and 0 at the border")
    lines = {
        "magnitude": "`Sobel` twice and `magnitude`",
        "angle": "`Sobel` twice and `addWeighted`",
        "laplacian": "`Laplacian`",
        "oriented": "`Sobel` twice, `addWeighted` eight times",
    }
    return [
        Contender("opencv", f"OpenCV: {lines[operation]}", factor=raw),
        Contender("opencv-out", "the same, into existing arrays", factor=raw),
        Contender("filter2d", "OpenCV: `filter2D`", factor=raw),
        *_edgekit(""),
        *_edgekit("-out", ", `out=`"),
        Contender("skimage", "scikit-image", factor=skimage),
        Contender("scipy", "SciPy", factor=raw),
        # By default kornia divides by the same number as edgekit.
        Contender("kornia", "kornia, torch on the CPU", "torch", factor=1.0 if operation == "magnitude" else raw),
        Contender("pyvips", "pyvips, `conv`", factor=raw),
        *([easobel] if operation == "magnitude" and dtype == "float32" else []),
        copied,
    ]


def _edgekit(suffix: str, said: str = "") -> list[Contender]:
    return [
        Contender(f"base{suffix}", f"edgekit, base path{said}", "base"),
        Contender(f"fast{suffix}", f"edgekit, fast path{said}", "fast"),
    ]


def make(name: str, operation: str, dtype: str, megapixels: float) -> Call:
    """Return the call of a contender."""
    image = photograph(megapixels, dtype)
    library, _, how = name.partition("-")
    if library in ("edgekit", "base", "fast"):
        return _by_edgekit(library, operation, image, bool(how))
    if library == "floor":
        planes = len(ANGLES) if operation == "oriented" else 1
        return floor(image, np.uint8 if operation == "picture" else np.float32, planes)
    if library == "opencv":
        return _by_opencv(operation, image, bool(how))
    makers = {
        "filter2d": _by_filter2d, "skimage": _by_skimage, "scipy": _by_scipy, "kornia": _by_kornia,
        "pyvips": _by_pyvips, "easobel": _by_easobel,
    }  # fmt: skip
    return makers[library](operation, image)


def _by_edgekit(path: str, operation: str, image: Image, given: bool) -> Call:
    import edgekit as ek

    if path == "fast" and not has_switch():
        raise LeftOut("this edgekit has no fast path")
    if operation == "picture":
        if not hasattr(ek, "picture"):
            raise LeftOut("this edgekit has no `picture`")
        return lambda: ek.picture(image, "sobel").image
    planes = (len(ANGLES),) if operation == "oriented" else ()
    out: Any = {"out": np.empty((*planes, *image.shape), np.float32)} if given else {}
    calls: dict[str, Call] = {
        "magnitude": lambda: ek.sobel(image, **out),
        "angle": lambda: ek.sobel(image, angle=45, **out),
        "laplacian": lambda: ek.laplacian(image, **out),
        "oriented": lambda: ek.oriented(image, ANGLES, **out),
    }
    return calls[operation]


def _by_opencv(operation: str, image: Image, given: bool) -> Call:
    count = len(ANGLES) if operation == "oriented" else 1
    gx, gy, *out = (np.empty(image.shape, np.float32) if given else None for _ in range(2 + count))

    def sobel() -> tuple[Image, Image]:
        return cv2.Sobel(image, cv2.CV_32F, 1, 0, dst=gx), cv2.Sobel(image, cv2.CV_32F, 0, 1, dst=gy)

    def towards(x: Image, y: Image, angle: float, dst: Image | None) -> Image:
        a = math.radians(angle)
        return cv2.addWeighted(x, math.cos(a), y, math.sin(a), 0, dst=dst)

    def oriented() -> list[Image]:
        x, y = sobel()
        return [towards(x, y, angle, dst) for angle, dst in zip(ANGLES, out, strict=True)]

    calls: dict[str, Call] = {
        "magnitude": lambda: cv2.magnitude(*sobel(), magnitude=out[0]),
        "angle": lambda: towards(*sobel(), 45, out[0]),
        "laplacian": lambda: cv2.Laplacian(image, cv2.CV_32F, dst=out[0]),
        "oriented": oriented,
        "picture": lambda: cv2.convertScaleAbs(cv2.magnitude(*sobel())),
    }
    return calls[operation]


def steered(angle: float) -> Image:
    """Return the kernel for an angle."""
    a = math.radians(angle)
    return (math.cos(a) * SOBEL_X + math.sin(a) * SOBEL_Y).astype(np.float32)


def kernels(operation: str) -> list[Image]:
    """Return the kernels of an operation."""
    if operation == "magnitude":
        return [SOBEL_X, SOBEL_Y]
    if operation == "laplacian":
        return [LAPLACE]
    return [steered(angle) for angle in (ANGLES if operation == "oriented" else (45,))]


def _by_filter2d(operation: str, image: Image) -> Call:
    taps = kernels(operation)
    if operation == "magnitude":
        return lambda: cv2.magnitude(*(cv2.filter2D(image, cv2.CV_32F, t) for t in taps))
    return lambda: [cv2.filter2D(image, cv2.CV_32F, t) for t in taps]


def _by_skimage(operation: str, image: Image) -> Call:
    from skimage import filters

    def towards(x: Image, y: Image, angle: float) -> Image:
        return math.cos(math.radians(angle)) * x + math.sin(math.radians(angle)) * y

    def oriented(angles: tuple[float, ...]) -> list[Image]:
        x, y = filters.sobel_v(image), filters.sobel_h(image)
        return [towards(x, y, angle) for angle in angles]

    calls: dict[str, Call] = {
        "magnitude": lambda: filters.sobel(image),
        "angle": lambda: oriented((45,)),
        "laplacian": lambda: filters.laplace(image),
        "oriented": lambda: oriented(ANGLES),
    }
    return calls[operation]


def _by_scipy(operation: str, image: Image) -> Call:
    from scipy import ndimage

    # SciPy computes in the type of the image: integers would wrap around.
    def floating() -> Image:
        return image.astype(np.float32)

    def magnitude() -> Image:
        gray = floating()
        return np.hypot(ndimage.sobel(gray, 1), ndimage.sobel(gray, 0))

    def correlated() -> list[Image]:
        gray = floating()
        return [ndimage.correlate(gray, t) for t in kernels(operation)]

    calls: dict[str, Call] = {"magnitude": magnitude, "laplacian": lambda: ndimage.laplace(floating())}
    return calls.get(operation, correlated)


def _by_kornia(operation: str, image: Image) -> Call:
    import kornia
    import torch

    def tensor() -> Any:
        return torch.from_numpy(image)[None, None].float()

    if operation == "magnitude":
        return lambda: kornia.filters.sobel(tensor())
    taps = [torch.from_numpy(t)[None] for t in kernels(operation)]

    def filtered() -> Any:
        gray = tensor()
        return torch.cat([kornia.filters.filter2d(gray, t) for t in taps])

    return filtered


def _by_pyvips(operation: str, image: Image) -> Call:
    import pyvips

    masks = [pyvips.Image.new_from_array(t.tolist()) for t in kernels(operation)] if operation != "picture" else []

    def filtered() -> list[Any]:
        lent = pyvips.Image.new_from_array(image)
        return [lent.conv(mask, precision="float") for mask in masks]

    def magnitude() -> Image:
        x, y = filtered()
        return ((x * x + y * y) ** 0.5).numpy()

    calls: dict[str, Call] = {
        "magnitude": magnitude,
        "picture": lambda: pyvips.Image.new_from_array(image).sobel().numpy(),
    }
    return calls.get(operation, lambda: [response.numpy() for response in filtered()])


def _by_easobel(operation: str, image: Image) -> Call:
    import easobel

    return lambda: easobel.sobel_mt(image, cv2.getNumThreads())
