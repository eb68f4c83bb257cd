"""The ways of finding edges that edge_detection.py measures and figures/edges.py shows, as rows."""

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

#: The scale that detectors on these photographs are usually compared at.
SIGMA = 2.0

#: Canny's low threshold as a part of the high one, the share that MATLAB's detector made common.
LOW = 0.4

#: Levels of gray, which a step over the whole range has.
RANGE = 255

#: What such a step reads after a Gaussian of scale SIGMA, where the gradient reads 1 on a ramp of one level per pixel.
SMOOTH_STEP = RANGE / (SIGMA * math.sqrt(2 * math.pi))

#: What its Laplacian changes by from pixel to pixel where it crosses zero.
CROSSING = SMOOTH_STEP / SIGMA**2

#: How many times the gradient the usual taps of Sobel read, which are not divided.
TAPS = 8

#: Weights of red, green and blue.
LUMINANCE = (0.299, 0.587, 0.114)


class Method(NamedTuple):
    """A way of finding edges."""

    name: str
    label: str
    strength: Callable[[Image], Strength]
    """From (H, W, 3) to thin edges in [0, 1], (H, W)."""
    once: Callable[[Image, float], Any]
    """What a user calls to have the edges above a threshold: this is what is timed."""


def graded(name: str, label: str, detect: Callable[[Image], npt.NDArray[Any]], white: float) -> Method:
    """Return the row of a detector whose edges have strengths; `white` is what a step over the whole range has."""

    def strength(image: Image) -> Strength:
        return spread(detect(image) / white)

    return Method(name, label, strength, lambda image, _: detect(image))


def swept(name: str, label: str, detect: Callable[[Image, float], npt.NDArray[Any]], white: float) -> Method:
    """Return the row of a detector that says yes or no, given a threshold; `white` as for graded ones."""

    def once(image: Image, threshold: float) -> npt.NDArray[Any]:
        return detect(image, white * threshold**2)  # The inverse of `spread`.

    def strength(image: Image) -> Strength:
        out = np.zeros(image.shape[:2], np.float32)
        # Who survives a threshold survives every lower one, but for a few pixels that are thinned differently: the last
        # that is written is the largest. By half a step more, rounding does not decide at the threshold itself.
        for threshold in THRESHOLDS.tolist():
            edges = once(image, threshold) != 0
            if not edges.any():
                break
            out[edges] = threshold + 0.005
        return out

    return Method(name, label, strength, once)


def spread(share: npt.NDArray[Any]) -> Strength:
    """Map shares of the strongest step there can be into [0, 1], so that equally far thresholds tell edges apart.

    Most edges of photographs have a few hundredths of it: the root gives them tens of thresholds, a plain scale would
    give them three or four. Only the order of strengths counts in the measures, and the root keeps it.
    """
    return np.sqrt(np.clip(share, 0, 1)).astype(np.float32)


def sobel(image: Image) -> npt.NDArray[Any]:
    """Sobel's magnitude where it is greatest across the edge."""
    found = ek.gradient(image, channel="luminance")
    return ek.nonmax_suppress(found.magnitude, found.direction)


def gaussian(image: Image) -> npt.NDArray[Any]:
    """The same at a scale at which texture fades."""
    found = ek.gradient(image, operator="gaussian", sigma=SIGMA, channel="luminance")
    return ek.nonmax_suppress(found.magnitude, found.direction)


def opencv_canny(image: Image, high: float) -> Mask:
    """OpenCV's Canny of the blurred photograph, as its tutorials call it."""
    gray = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (0, 0), SIGMA)
    return cv2.Canny(gray, LOW * high, high, L2gradient=True) > 0


def scikit_canny(image: Image, high: float) -> Mask:
    """Do as scikit-image does, which blurs by itself."""
    return skimage_canny(image @ np.float64(LUMINANCE), SIGMA, LOW * high, high)


def edgekit_canny(image: Image, high: float) -> Mask:
    """Do as edgekit does, at the same scale."""
    return ek.canny(image, sigma=SIGMA, low=LOW * high, high=high, channel="luminance")


def zero_crossings(image: Image) -> npt.NDArray[Any]:
    """Marr and Hildreth's edges, and how steeply the Laplacian crosses zero there."""
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
        Method("detect", "`detect`", lambda image: ek.detect(image), lambda image, _: ek.detect(image)),
    )
}
