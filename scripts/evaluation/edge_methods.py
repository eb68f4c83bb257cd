"""The edge detectors that edge_detection.py measures and figures/edges.py shows."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from skimage.feature import canny as skimage_canny

import edgekit as ek
from evaluation.boundary_measure import THRESHOLDS, Mask

Image = npt.NDArray[np.uint8]
Strength = npt.NDArray[np.float32]

#: The standard deviation at which detectors are usually compared on these photographs.
SIGMA = 2.0

#: Canny's low threshold divided by the high one; the default of MATLAB.
LOW = 0.4

#: Height of a step over the whole range, in gray levels.
RANGE = 255

#: The largest gradient of such a step after a Gaussian of standard deviation SIGMA, in gray levels per pixel.
SMOOTH_STEP = RANGE / (SIGMA * math.sqrt(2 * math.pi))

#: The change of the Laplacian of such a step per pixel, at its zero crossing.
CROSSING = SMOOTH_STEP / SIGMA**2

#: The response of the Sobel kernel as printed, divided by the gradient.
TAPS = 8

#: Weights of red, green and blue.
LUMINANCE = (0.299, 0.587, 0.114)


class Method(NamedTuple):
    """An edge detector."""

    name: str
    label: str
    strength: Callable[[Image], Strength]
    """Takes an image (H, W, 3); returns thin edges in [0, 1], (H, W)."""
    once: Callable[[Image, float], Any]
    """Returns the edges above a threshold, as a user would compute them. This call is timed."""


def graded(name: str, label: str, detect: Callable[[Image], npt.NDArray[Any]], white: float) -> Method:
    """Return a detector that gives strengths; `white` is the strength of a step over the whole range."""

    def strength(image: Image) -> Strength:
        return spread(detect(image) / white)

    return Method(name, label, strength, lambda image, _: detect(image))


def swept(name: str, label: str, detect: Callable[[Image, float], npt.NDArray[Any]], white: float) -> Method:
    """Return a detector that gives a mask for a threshold; `white` as for `graded`."""

    def once(image: Image, threshold: float) -> npt.NDArray[Any]:
        return detect(image, white * threshold**2)  # The inverse of `spread`.

    def strength(image: Image) -> Strength:
        out = np.zeros(image.shape[:2], np.float32)
        # An edge above a threshold is above every lower one, except for a few pixels that are thinned differently: the
        # last value written is the largest. Half a step is added, so that rounding does not matter at the threshold.
        for threshold in THRESHOLDS.tolist():
            edges = once(image, threshold) != 0
            if not edges.any():
                break
            out[edges] = threshold + 0.005
        return out

    return Method(name, label, strength, once)


def detector(name: str, label: str, **options: Any) -> Method:
    """Return `detect` with these options."""
    return Method(name, label, lambda image: ek.detect(image, **options), lambda image, _: ek.detect(image, **options))


def spread(share: npt.NDArray[Any]) -> Strength:
    """Map strengths, divided by that of the strongest possible step, to [0, 1] by the square root.

    Most edges of photographs have a few hundredths of this strength. With the root tens of equidistant thresholds fall
    between them, without it three or four. The measures depend only on the order of strengths, which the root keeps.
    """
    return np.sqrt(np.clip(share, 0, 1)).astype(np.float32)


def sobel(image: Image) -> npt.NDArray[Any]:
    """Return the Sobel magnitude after non-maximum suppression."""
    found = ek.gradient(image, channel="luminance")
    return ek.nonmax_suppress(found.magnitude, found.direction)


def gaussian(image: Image) -> npt.NDArray[Any]:
    """Return the gradient magnitude of a Gaussian derivative after non-maximum suppression."""
    found = ek.gradient(image, operator="gaussian", sigma=SIGMA, channel="luminance")
    return ek.nonmax_suppress(found.magnitude, found.direction)


def opencv_canny(image: Image, high: float) -> Mask:
    """Return OpenCV's Canny edges of the blurred photograph, as in its tutorials."""
    gray = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (0, 0), SIGMA)
    return cv2.Canny(gray, LOW * high, high, L2gradient=True) > 0


def scikit_canny(image: Image, high: float) -> Mask:
    """Return scikit-image's Canny edges; it blurs the image itself."""
    return skimage_canny(image @ np.float64(LUMINANCE), SIGMA, LOW * high, high)


def edgekit_canny(image: Image, high: float) -> Mask:
    """Return edgekit's Canny edges, with the same standard deviation."""
    return ek.canny(image, sigma=SIGMA, low=LOW * high, high=high, channel="luminance")


def zero_crossings(image: Image) -> npt.NDArray[Any]:
    """Return the slope of the Laplacian of Gaussian at its zero crossings."""
    return ek.zero_crossings(image, sigma=SIGMA, channel="luminance")


METHODS = {
    row.name: row
    for row in (
        graded("sobel", "Sobel, thinned", sobel, RANGE / 2),
        graded("gaussian", f"Gaussian, σ = {SIGMA:g}, thinned", gaussian, SMOOTH_STEP),
        swept("opencv-canny", f"OpenCV Canny, σ = {SIGMA:g}", opencv_canny, TAPS * SMOOTH_STEP),
        swept("skimage-canny", f"scikit-image canny, σ = {SIGMA:g}", scikit_canny, TAPS * SMOOTH_STEP),
        graded("zero-crossings", f"`zero_crossings`, σ = {SIGMA:g}", zero_crossings, CROSSING),
        swept("canny", f"`canny`, σ = {SIGMA:g}", edgekit_canny, SMOOTH_STEP),
        detector("detect", "`detect`"),
        detector("detect-edges", '`detect`, `what="edges"`', what="edges"),
        detector("learned-fast", '`detect`, `model="learned-fast"`', model="learned-fast"),
        detector("learned", '`detect`, `model="learned"`', model="learned"),
        detector("learned-edges", "`detect`, learned edges", what="edges", model="learned"),
    )
}
