"""Photographs and drawn boundaries as examples for the boundary network, changed at random."""

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from scipy.io import loadmat

Plane = npt.NDArray[np.float32]

#: A pixel is a boundary if this share of people drew one within about two pixels.
AGREED = 0.28


class Photograph(NamedTuple):
    """A photograph (H, W, 3) of 8 bits, and each person's division into regions, numbered from 1."""

    name: str
    pixels: npt.NDArray[np.uint8]
    people: list[npt.NDArray[np.uint16]]


class Example(NamedTuple):
    """The input of the network, and what it should find.

    Attributes
    ----------
    image : array of float32
        (3, H, W), as `scaled` returns it.
    target : array of float32
        (H, W): 1 on boundaries.
    weight : array of float32
        (H, W): importance of each pixel; 0 where people do not agree.
    """

    image: Plane
    target: Plane
    weight: Plane


def load(images: Path, boundaries: Path) -> list[Photograph]:
    """Read all photographs of a folder that have a file of boundaries with the same stem."""
    found = []
    for path in sorted(images.glob("*.jpg")):
        pixels = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        people = loadmat(str(boundaries / f"{path.stem}.mat"))["groundTruth"][0]
        found.append(Photograph(path.stem, pixels, [p["Segmentation"][0, 0].astype(np.uint16) for p in people]))
    return found


def scaled(pixels: npt.NDArray[np.uint8]) -> Plane:
    """Return the network's input of an image: square roots relative to the brightest value, (3, H, W)."""
    peak = max(int(pixels.max()), 1)
    return np.ascontiguousarray(np.sqrt(np.moveaxis(pixels, 2, 0) * np.float32(1 / peak)) * 4 - 2)


def labels(people: list[npt.NDArray[np.uint16]], positive: float) -> tuple[Plane, Plane]:
    """Return target and weight of the regions that people drew; 0 in a region means unknown.

    Lines are two pixels wide, so that they have no side. `positive` is the weight of a boundary that all people drew.
    """
    every = np.zeros((len(people), *people[0].shape), np.uint8)
    for line, region in zip(every, people, strict=True):
        across, down = region[:, 1:] != region[:, :-1], region[1:] != region[:-1]
        line[:, 1:] |= across
        line[:, :-1] |= across
        line[1:] |= down
        line[:-1] |= down
    near = np.mean([cv2.dilate(line, np.ones((3, 3), np.uint8)) for line in every], axis=0, dtype=np.float32)
    target = every.any(0) & (near >= AGREED)
    weight = np.where(target, positive * near, near == 0)
    weight[people[0] == 0] = 0
    return target.astype(np.float32), weight.astype(np.float32)


def example(photographs: list[Photograph], size: int, positive: float, random: np.random.Generator) -> Example:
    """Return a random part of a random photograph, turned, scaled, mirrored, and with changed colours."""
    photograph = photographs[random.integers(len(photographs))]
    scale = np.exp(random.uniform(np.log(0.6), np.log(1.5)))
    angle = random.choice((0.0, random.uniform(0, 360)), p=(0.4, 0.6)) + 90 * random.integers(4)
    matrix = cv2.getRotationMatrix2D((0, 0), angle, scale)
    if random.random() < 0.5:
        matrix[:, 0] *= -1
    rows, columns = photograph.pixels.shape[:2]
    margin = min(size / scale / 2, rows / 2 - 1, columns / 2 - 1)
    centre = np.array([random.uniform(margin, columns - margin), random.uniform(margin, rows - margin)])
    matrix[:, 2] = size / 2 - matrix[:, :2] @ centre

    image = cv2.warpAffine(
        photograph.pixels, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
    people = [
        cv2.warpAffine(p, matrix, (size, size), flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT)
        for p in photograph.people
    ]
    return Example(recoloured(scaled(image), random), *labels(people, positive))


def recoloured(image: Plane, random: np.random.Generator) -> Plane:
    """Change contrast, brightness, colours and sharpness at random, and add noise."""
    draw = random.random(5)
    if draw[0] < 0.2:
        image[:] = np.tensordot(np.float32([0.299, 0.587, 0.114]), image, 1)
    gain = random.uniform(0.5, 1.3) * random.uniform(0.9, 1.1, (3, 1, 1)) if draw[1] < 0.7 else 1.0
    shift = random.uniform(-0.5, 0.5) if draw[1] < 0.7 else 0.0
    image = (image * np.float32(gain) + np.float32(shift)).astype(np.float32)
    if draw[2] < 0.15:
        sigma = random.uniform(0.4, 1.2)
        image = np.stack([cv2.GaussianBlur(np.ascontiguousarray(plane), (0, 0), sigma) for plane in image])
    if draw[3] < 0.25:
        image += random.standard_normal(image.shape, np.float32) * np.float32(random.uniform(0.02, 0.25))
    if draw[4] < 0.1:
        image = -image
    return image
