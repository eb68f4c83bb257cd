"""Makes samples/: photographs with a known source, one of them darkened, a test chart, a video, and a README.

Run `python scripts/maintenance/make_samples.py`. The photographs are copied byte for byte from the installed
scikit-image; nothing is downloaded.
"""

import argparse
import io
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import skimage.data
from PIL import Image as Picture
from PIL.PngImagePlugin import PngInfo

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import edgekit as ek
from common.paths import SAMPLES
from common.slanted_chart import INK, PAPER, TILT, slanted_chart, to_srgb
from maintenance.make_clip import write

Image = npt.NDArray[np.uint8]


#: How many times darker the dark photograph is.
DARKER = 8

#: Pixels along each side of a quarter of the chart: a ramp of one level per pixel has room for all 256.
QUARTER = 256

#: At r pixels from their centre the rings repeat every RINGS / r pixels; at the edge of the quarter every 4.
RINGS = 2 * QUARTER


#: The lens of the chart of slanted squares, and the noise of its sensor as a part of white.
LENS, NOISE = {"middle": 0.45, "corner": 1.1, "distortion": 0.02}, 0.003


@dataclass(frozen=True)
class Sample:
    """One row of the README's table."""

    name: str
    what: str
    author: str
    licence: str
    source: str


_CC0 = "[CC0](https://creativecommons.org/publicdomain/zero/1.0/)"
_DATA = "https://scikit-image.org/docs/stable/api/skimage.data.html#skimage.data"

PHOTOGRAPHS = (
    Sample("coffee.png", "A cup of coffee on a wooden table", "Rachel Michetti", _CC0,
           f"[skimage.data.coffee]({_DATA}.coffee), courtesy of Pikolo Espresso Bar"),
    Sample("chelsea.png", "Chelsea, a cat: fur and whiskers", "Stéfan van der Walt", _CC0,
           f"[skimage.data.chelsea]({_DATA}.chelsea)"),
    Sample("camera.png", "A photographer at work, in gray", "Lav Varshney", _CC0,
           f"[skimage.data.camera]({_DATA}.camera)"),
    Sample("rocket.jpg", "A Falcon 9 rocket on its launch pad at dusk", "SpaceX", "Public domain",
           f"[skimage.data.rocket]({_DATA}.rocket), from "
           "[SpaceX Photos](https://www.flickr.com/photos/spacexphotos/16511594820/)"),
)  # fmt: skip

DARK = Sample(
    "coffee-dark.png", f"coffee.png with every value divided by {DARKER} and rounded, half to even",
    "Rachel Michetti; darkened by scripts/maintenance/make_samples.py", _CC0, "coffee.png",
)  # fmt: skip

CHART = Sample(
    "chart.png", "Rings, a disc, a ramp and a star: edges in every direction, computed by formulas",
    "scripts/maintenance/make_samples.py", "MIT, like edgekit", "computed",
)  # fmt: skip

SLANTED = Sample(
    "slanted-edges.png", "Slanted squares through a lens whose blur grows outward, for `edgekit mtf`",
    "scripts/maintenance/make_samples.py", "MIT, like edgekit", "computed",
)  # fmt: skip

CLIP = Sample(
    "pan.mp4", "A moving view of coffee.png that stops twice: 60 frames, most of them blurred",
    "Rachel Michetti; rendered by scripts/maintenance/make_clip.py", _CC0, "coffee.png",
)  # fmt: skip

README = """\
# Samples

Small images for trying edgekit. `python scripts/maintenance/make_samples.py` writes this folder.

| file | what it is | by | licence | source |
|---|---|---|---|---|
{rows}

The photographs are unchanged copies of the files in scikit-image. Authors and licences are those in its
documentation.

The chart is {side} pixels wide and high. It has four quarters of {quarter} pixels:

- top left, **rings**: the gray level is 127.5 (1 + cos(π r² / {rings})), at a distance of r pixels from the centre
  of the quarter. The period of the rings is {rings} / r pixels; it decreases with r.
- top right, a **disc** of gray level 192 on 64, with an edge one pixel wide: the same step in every direction.
- bottom left, a **ramp** of one gray level per pixel to the right: `sobel(chart, angle=0)` is 1, and
  `sobel(chart, angle=90)` is 0.
- bottom right, a **star** of 16 sectors: an edge every 22.5 degrees.

The slanted squares have linear light of {ink} on {paper}, and are turned by {tilt:g} degrees. The standard deviation of
the blur is {middle} pixels in the middle of the chart and {corner} in the corners; it grows with the square of the
distance. Each pixel is integrated exactly. Distortion moves the corners outward by {distortion:.0%}. White noise with
{noise:.1%} of white is added to the linear light. The file has 8 bits, and states that its values are those of sRGB.
"""


def darken(image: Image) -> Image:
    """Divide every value by `DARKER` and round to whole levels, half to even."""
    return np.rint(image / DARKER).astype(np.uint8)


def chart() -> Image:
    """Compute the test chart that the README describes."""
    y, x = np.mgrid[:QUARTER, :QUARTER].astype(np.float64)
    dx, dy = x - (QUARTER - 1) / 2, y - (QUARTER - 1) / 2
    r = np.hypot(dx, dy)
    rings = 127.5 * (1 + np.cos(np.pi * r**2 / RINGS))
    disc = 64 + 128 * np.clip(0.375 * QUARTER - r + 0.5, 0, 1)
    # Turned by a quarter of a sector, so that no edge runs along the grid of pixels.
    sector = np.floor(np.degrees(np.arctan2(dy, dx)) / 22.5 + 0.25).astype(int)
    star = np.where(sector % 2 == 0, 64, 192)
    return np.rint(np.block([[rings, disc], [x, star]])).astype(np.uint8)


def slanted_edges() -> bytes:
    """Return the PNG file of the slanted squares."""
    light, _ = slanted_chart(4, 3, **LENS)
    light += NOISE * np.random.default_rng(0).standard_normal(light.shape)
    states_srgb = PngInfo()
    states_srgb.add(b"sRGB", b"\0")
    file = io.BytesIO()
    Picture.fromarray(np.rint(255 * to_srgb(light)).astype(np.uint8)).save(file, "PNG", pnginfo=states_srgb)
    return file.getvalue()


def readme() -> str:
    """Return the README: a row for each file."""
    rows = [f"| [{s.name}]({s.name}) | {s.what} | {s.author} | {s.licence} | {s.source} |"
            for s in (*PHOTOGRAPHS, DARK, CHART, SLANTED, CLIP)]  # fmt: skip
    return README.format(
        rows="\n".join(rows), side=2 * QUARTER, quarter=QUARTER, rings=RINGS, ink=INK, paper=PAPER, tilt=TILT,
        middle=LENS["middle"], corner=LENS["corner"], distortion=LENS["distortion"], noise=NOISE,
    )  # fmt: skip


def make_samples(folder: Path) -> None:
    """Write every sample and the README into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for sample in PHOTOGRAPHS:
        shutil.copyfile(Path(skimage.data.data_dir) / sample.name, folder / sample.name)
    ek.write_image(folder / DARK.name, darken(ek.read_image(folder / "coffee.png")))
    ek.write_image(folder / CHART.name, chart())
    (folder / SLANTED.name).write_bytes(slanted_edges())
    write(folder / CLIP.name, ek.read_image(folder / "coffee.png"))
    (folder / "README.md").write_text(readme(), encoding="utf-8", newline="\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and make the samples."""
    parser = argparse.ArgumentParser(description="Make the sample images and their README.")
    parser.add_argument("-o", "--output", type=Path, default=SAMPLES, help="folder to write into (default: samples/)")
    make_samples(parser.parse_args(arguments).output)


if __name__ == "__main__":
    main()
