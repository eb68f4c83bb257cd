"""Measures how exactly the MTF of slanted edges is measured: `mtf` and quickMTF on edges that are known exactly.

    python scripts/evaluation/mtf_accuracy.py [--seed N] [--edges N] [--write]

1. Half-planes of 3 to 13 degrees with a Gaussian blur of 0.35 to 2 pixels, integrated exactly over each pixel.
2. Line spread functions of other shapes: defocus, motion, flare, sharpening.
3. A chart of slanted squares with lens blur, changed as files are: noise, 8 bits, JPEG, gamma, distortion.

Prints Markdown tables; with --write they are put into docs/measuring.md.
"""

import argparse
import contextlib
import io
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import edgekit as ek
from common.analytic_edges import distances, half_plane, true_frequency
from common.blocks import fill
from common.paths import README
from common.slanted_chart import slanted_chart, to_srgb, true_mtf50

Array = npt.NDArray[Any]

PAGE = README.parent / "docs" / "measuring.md"

#: Rows and columns of the regions, levels of both sides, and noise as a part of the contrast.
SHAPE, DARK, CONTRAST, NOISES = (100, 64), 50.0, 100.0, (0.0, 0.005, 0.02)

#: By which part distortion moves the corners of the chart.
BENT = 0.03

#: Step and half the length of the line spread functions in pixels.
STEP, REACH = 1 / 256, 60


def by_mtf(image: Array) -> float:
    """Return MTF50 by `edgekit.mtf`."""
    return float(ek.mtf(image).mtf50)


def by_quick_mtf(image: Array) -> float:
    """Return MTF50 by quickMTF with four bins for each pixel, interpolated between its frequencies."""
    from quickMTF.SFR_MTF import sfr_mtfcal

    with contextlib.redirect_stdout(io.StringIO()):
        curve, _ = sfr_mtfcal().calc_sfr(image, oversampling=4)
    if curve is False:
        return float("nan")
    below = int(np.argmax(curve[:, 1] < 0.5))
    (low, high), (above, under) = curve[below - 1 : below + 1].T
    return float(low + (above - 0.5) / (above - under) * (high - low))


METHODS: dict[str, Callable[[Array], float]] = {"`mtf`": by_mtf, "quickMTF 2023.3.3": by_quick_mtf}


def gaussian_edges(seed: int, edges: int) -> str:
    """Return the table of Gaussian edges."""
    lines = [
        f"{edges} edges in regions of {SHAPE[1]}x{SHAPE[0]} pixels. 95th percentile of the error of MTF50 in %, and "
        "the root mean square of the stated standard error over that of the true error:",
        "",
        "| method | no noise | 0.5 % | 2 % | stated over true, 0.5 % | 2 % |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, method in METHODS.items():
        cells, ratios = [], []
        for noise in NOISES:
            rng = np.random.default_rng(seed)
            errors, stated = [], []
            for _ in range(edges):
                blur, tilt = rng.uniform(0.35, 2), rng.uniform(3, 13) * rng.choice([-1, 1])
                angle = tilt + rng.choice([0, 90, 180, 270])
                shape = SHAPE if round(angle / 90) % 2 == 0 else SHAPE[::-1]
                image = DARK + CONTRAST * half_plane(shape, angle, rng.uniform(-1, 1), blur)
                image += noise * CONTRAST * rng.standard_normal(shape)
                true = true_frequency(0.5, angle, blur)
                errors.append(method(image) / true - 1)
                if method is by_mtf:
                    stated.append(ek.mtf(image).mtf50_error / true)
            cells.append(f"{100 * np.nanquantile(np.abs(errors), 0.95):.3f}")
            ratio = np.sqrt(np.mean(np.square(stated)) / np.mean(np.square(errors))) if stated else np.nan
            ratios.append("-" if np.isnan(ratio) else f"{ratio:.2f}")
        lines.append(f"| {name} | {' | '.join(cells)} | {' | '.join(ratios[1:])} |")
    return "\n".join(lines)


def _gaussian(u: Array, blur: float) -> Array:
    return np.exp(-u * u / (2 * blur**2)) / (blur * np.sqrt(2 * np.pi))


#: Line spread functions by name, of the distance in pixels.
SHAPES: dict[str, Callable[[Array], Array]] = {
    "defocus, a disc of radius 1.5": lambda u: np.sqrt(np.maximum(1.5**2 - u * u, 0)),
    "defocus, a disc of radius 3": lambda u: np.sqrt(np.maximum(9 - u * u, 0)),
    "motion by 3 pixels": lambda u: np.where(np.abs(u) <= 1.5, 1.0, 0.0),
    "exponential": lambda u: np.exp(-np.abs(u) / 0.8),
    "asymmetric, as of coma": lambda u: np.where(u > 0, np.exp(-u / 1.2), 0.0),
    "flare: 15 % with σ = 5": lambda u: 0.85 * _gaussian(u, 0.7) + 0.15 * _gaussian(u, 5),
    "sharpened, radius 1": lambda u: 1.7 * _gaussian(u, 0.8) - 0.7 * _gaussian(u, 1.3),
    "sharpened, radius 3": lambda u: 1.4 * _gaussian(u, 0.7) - 0.4 * _gaussian(u, 3),
}


def shaped_edge(shape: Callable[[Array], Array], angle: float, offset: float) -> tuple[Array, float]:
    """Return an image of an edge with this line spread function and a small Gaussian blur, and its true MTF50."""
    u = np.arange(-REACH, REACH, STEP)
    frequency = np.fft.rfftfreq(len(u), STEP)
    turn = np.deg2rad(angle)
    transfer = np.fft.rfft(np.fft.ifftshift(shape(u)))
    transfer *= np.sinc(frequency * np.cos(turn)) * np.sinc(frequency * np.sin(turn))
    transfer *= np.exp(-2 * (np.pi * 0.3 * frequency) ** 2)
    transfer /= transfer[0].real
    spread = np.cumsum(np.fft.fftshift(np.fft.irfft(transfer, len(u))))
    image = np.interp(distances(SHAPE, angle, offset) - STEP / 2, u, spread)
    size = np.abs(transfer)
    after = int(np.argmax(size < 0.5))
    true = np.interp(-0.5, -size[after - 1 : after + 1], frequency[after - 1 : after + 1])
    return DARK + CONTRAST * image, float(true)


def shaped_edges(seed: int, edges: int) -> str:
    """Return the table of other line spread functions."""
    lines = [
        f"{edges} edges of each shape. 95th percentile of the error of MTF50 in % of its value:",
        "",
        "| line spread function | `mtf`, no noise | 0.5 % | 2 % | quickMTF, no noise |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, shape in SHAPES.items():
        cells = []
        for method, noise in ((by_mtf, 0.0), (by_mtf, 0.005), (by_mtf, 0.02), (by_quick_mtf, 0.0)):
            rng = np.random.default_rng(seed + 2)
            errors = []
            for _ in range(edges):
                image, true = shaped_edge(shape, rng.uniform(3, 13), rng.uniform(-1, 1))
                errors.append(method(image + noise * CONTRAST * rng.standard_normal(SHAPE)) / true - 1)
            cells.append(f"{100 * np.nanquantile(np.abs(errors), 0.95):.2f}")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def charts(seed: int) -> str:
    """Return the table of what happens to a file between lens and measurement."""
    light, squares = slanted_chart(3, 2)
    bent, bent_squares = slanted_chart(3, 2, distortion=BENT)
    rng = np.random.default_rng(seed)
    noisy = light + 0.01 * rng.standard_normal(light.shape)
    shot = light + 0.02 * np.sqrt(light) * rng.standard_normal(light.shape)
    blurred = cv2.GaussianBlur(to_srgb(light), (0, 0), 1.5)
    sharpened = to_srgb(light) + 0.6 * (to_srgb(light) - blurred)
    shaded = light * np.linspace(0.6, 1, light.shape[1])

    def jpeg(quality: int) -> Array:
        _, data = cv2.imencode(".jpg", _rounded(to_srgb(light), 8), [cv2.IMWRITE_JPEG_QUALITY, quality])
        return ek.read_image(data.tobytes(), colour=False)

    cases: dict[str, tuple[Array, Any]] = {
        "linear light, not rounded": (light, None),
        "16 bits": (_rounded(light, 16), None),
        "8 bits": (_rounded(light, 8), None),
        "8 bits, sRGB, undone": (_rounded(to_srgb(light), 8), "srgb"),
        "8 bits, sRGB, not undone": (_rounded(to_srgb(light), 8), None),
        "noise of 1 % of white": (noisy, None),
        "shot noise, 2 % at white": (shot, None),
        "light falls to 60 % at the left": (shaded, None),
        "distortion of 3 % in the corners": (bent, None),
        "JPEG, quality 95, sRGB undone": (jpeg(95), "srgb"),
        "JPEG, quality 80, sRGB undone": (jpeg(80), "srgb"),
        "JPEG, quality 50, sRGB undone": (jpeg(50), "srgb"),
        "sharpened by 60 %, radius 1.5, sRGB undone": (_rounded(sharpened, 16), "srgb"),
    }
    lines = [
        f"A chart of {len(squares)} slanted squares, blur 0.5 px in the middle and 0.9 px in the corners. Error of "
        "MTF50 in %: its mean and its standard deviation over the edges that `find_edges` finds:",
        "",
        "| image | edges | measured | mean error | standard deviation |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, (image, gamma) in cases.items():
        regions = ek.find_edges(image)
        found = ek.mtf(image, regions, gamma=gamma)
        distortion, known = (BENT, bent_squares) if image is bent else (0.0, squares)
        errors = [
            100 * (one.mtf50 / true_mtf50(known, one.region, one.direction, image.shape, distortion) - 1)
            for one in found
            if one.status == "ok"
        ]
        lines.append(f"| {name} | {len(found)} | {len(errors)} | {np.mean(errors):+.2f} | {np.std(errors):.2f} |")
    return "\n".join(lines)


def _rounded(image: Array, bits: int) -> Array:
    top = 2**bits - 1
    return np.rint(image.clip(0, 1) * top).astype(np.uint8 if bits == 8 else np.uint16)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--edges", type=int, default=100, help="number of Gaussian edges, five times that of others")
    parser.add_argument("--write", action="store_true", help="write the tables into docs/measuring.md")
    options = parser.parse_args(arguments)
    blocks = {
        "mtf": gaussian_edges(options.seed, options.edges),
        "mtf-shapes": shaped_edges(options.seed, max(1, options.edges // 5)),
        "mtf-charts": charts(options.seed),
    }
    for name, text in blocks.items():
        print(text, end="\n\n")
        if options.write:
            PAGE.write_text(fill(PAGE.read_text("utf-8"), name, text), "utf-8")


if __name__ == "__main__":
    main()
