"""Makes a sample focus stack, and draws docs/focus-stack.png: two of its images, the fused image and the depth map.

    python scripts/figures/focus_stack.py [-o FILE] [--stack FOLDER]

The stack is a photograph with a depth for each pixel: a table that rises towards the back, and a cup that stands on it.
--stack keeps its images in a folder.
"""

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import edgekit as ek
from common.paths import README, SAMPLES

Image = npt.NDArray[np.uint8]
Plane = npt.NDArray[np.float64]

#: Images of the stack, the blur of a step in pixels, and the standard deviation of the noise in gray levels.
IMAGES, BLUR, NOISE = 9, 1.6, 1.0

#: The cup: its middle and its half axes, as fractions of the width and the height.
CUP = (0.44, 0.45, 0.29, 0.40)


def depth_of_scene(rows: int, columns: int) -> Plane:
    """Return the number of the image in which each pixel is sharp, with fractions."""
    y, x = np.mgrid[0 : 1 : rows * 1j, 0 : 1 : columns * 1j]
    table = 7.5 - 6 * y
    middle_x, middle_y, half_x, half_y = CUP
    inside = ((x - middle_x) / half_x) ** 2 + ((y - middle_y) / half_y) ** 2 < 1
    return np.where(inside, 1.0 + 2 * (y - middle_y), table)


def sample_stack() -> tuple[list[Image], Plane]:
    """Return the images of the stack, and the depth of each pixel."""
    photograph = ek.read_image(SAMPLES / "coffee.png").astype(np.float32)
    depth = depth_of_scene(*photograph.shape[:2])
    sigmas = np.linspace(0, BLUR * IMAGES, 60)
    levels = np.stack([cv2.GaussianBlur(photograph, (0, 0), sigma) if sigma else photograph for sigma in sigmas])
    random = np.random.default_rng(0)
    y, x = np.indices(depth.shape)
    images = []
    for z in range(IMAGES):
        at = np.interp(BLUR * np.abs(z - depth), sigmas, np.arange(len(sigmas))).clip(0, len(sigmas) - 1.001)
        lower, part = at.astype(int), (at % 1)[..., None]
        image = levels[lower, y, x] * (1 - part) + levels[lower + 1, y, x] * part
        images.append((image + random.normal(0, NOISE, image.shape)).round().clip(0, 255).astype(np.uint8))
    return images, depth


def in_colours(depth: npt.NDArray[np.float32]) -> Image:
    """Return a depth map in colours, blue for the first image and yellow for the last."""
    scaled = (depth / (IMAGES - 1) * 255).round().clip(0, 255).astype(np.uint8)
    return cv2.cvtColor(cv2.applyColorMap(scaled, cv2.COLORMAP_VIRIDIS), cv2.COLOR_BGR2RGB)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=README.parent / "docs" / "focus-stack.png")
    parser.add_argument("--stack", type=Path, help="also write the images of the stack into this folder")
    arguments = parser.parse_args()
    images, depth = sample_stack()
    if arguments.stack is not None:
        for z, image in enumerate(images):
            ek.write_image(arguments.stack / f"z{z}.png", image)
    found = ek.depth_map(images)
    error = np.sqrt(np.mean((found.depth - depth) ** 2))
    print(f"root mean square error of the depth: {error:.2f} steps")
    rows = [[images[1], images[7]], [ek.fuse(images), in_colours(found.depth)]]
    ek.write_image(arguments.output, np.concatenate([np.concatenate(row, axis=1) for row in rows]))


if __name__ == "__main__":
    main()
