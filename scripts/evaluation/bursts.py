"""Picks the sharpest image of bursts with known blur, and counts how often it is the right one.

    python scripts/evaluation/bursts.py FOLDER_OR_CLIP ... [--images N] [--seed N]

A burst of a clip is five frames that follow one another. A burst of a photograph is five views of it, each shifted by a
few pixels, with its own noise. In both, the blur of the images differs by 20 % from one to the next, and is added to
what the image has. Each image is saved as JPEG and read again. The table counts the bursts that form one moment, and
those whose sharpest image is the one with the least blur: by the fingerprints, as `edgekit pick --burst` does it, and
by the score alone.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

import edgekit as ek
from edgekit.focus.likeness import fingerprint, group_bursts
from edgekit.io.video import is_video, read_frames

#: Images of a burst, the ratio of the blur of two, and the least blur of each burst in pixels.
COUNT, RATIO, LEAST = 5, 1.2, (1.0, 2.0, 4.0)

#: The longer side of photographs, the largest shift in pixels, and the standard deviation of the noise.
SIDE, SHIFT, NOISE = 1024, 8, 2.0

#: A clip gives this number of bursts; frames with less contrast are left out.
BURSTS, CONTRAST = 8, 8.0

Images = list[NDArray[np.uint8]]


def of_clip(path: Path) -> Iterator[Images]:
    """Yield frames that follow one another."""
    frames = [frame.image for frame in read_frames(path)]
    step = max(COUNT, len(frames) // BURSTS)
    for start in range(0, len(frames) - COUNT + 1, step):
        burst = frames[start : start + COUNT]
        if min(image.std() for image in burst) >= CONTRAST:
            yield burst


def of_photograph(path: Path, chance: np.random.Generator) -> Iterator[Images]:
    """Yield views of a photograph."""
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if image is None:
        return
    scale = SIDE / max(image.shape)
    if scale < 1:
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    rows, columns = (side - 2 * SHIFT for side in image.shape)
    places = chance.integers(0, 2 * SHIFT, (COUNT, 2))
    yield [np.ascontiguousarray(image[y : y + rows, x : x + columns]) for y, x in places]


def blurred(image: NDArray[np.uint8], sigma: float, noise: float, chance: np.random.Generator) -> NDArray[np.uint8]:
    """Blur an image, add noise, and save it as JPEG."""
    soft = cv2.GaussianBlur(image.astype(np.float32), (0, 0), sigma)
    if noise:
        soft = soft + chance.normal(0, noise, soft.shape)
    data = cv2.imencode(".jpg", np.rint(soft.clip(0, 255)).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 92])[1]
    return cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)


def main(arguments: list[str] | None = None) -> int:
    """Print a line for each folder or clip."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("inputs", type=Path, nargs="+")
    parser.add_argument("--images", type=int, default=40, help="at most this number of photographs of a folder")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    chance = np.random.default_rng(options.seed)
    print("| input | bursts | one moment | right by fingerprint | right by score |")
    print("|---|---:|---:|---:|---:|")
    for given in options.inputs:
        found: list[tuple[Images, float]] = []
        paths = sorted(p for p in given.iterdir() if p.is_file())[: options.images] if given.is_dir() else [given]
        for path in paths:
            video = is_video(path)
            bursts = of_clip(path) if video else of_photograph(path, chance)
            found += [(burst, 0.0 if video else NOISE) for burst in bursts]
        total = together = by_print = by_score = 0
        for burst, noise in found:
            for least in LEAST:
                sigmas = least * RATIO ** chance.permutation(COUNT)
                images = [blurred(one, sigma, noise, chance) for one, sigma in zip(burst, sigmas, strict=True)]
                prints, best = [fingerprint(one) for one in images], int(np.argmin(sigmas))
                total += 1
                together += len(set(group_bursts([0.1 * n for n in range(COUNT)], prints, 1.0))) == 1
                by_print += int(np.argmax(np.nan_to_num([one.detail for one in prints]))) == best
                by_score += int(np.argmax(np.nan_to_num([float(ek.score(one)) for one in images]))) == best
        print(f"| {given.name} | {total} | {together} | {by_print} | {by_score} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
