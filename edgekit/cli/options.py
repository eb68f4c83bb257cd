"""Every option once, by name; a command names the options that it takes. Imports no library but click.

A key such as ``score.output`` is the option of that one command.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import click

from edgekit.cli.help_pages import option
from edgekit.cli.input_arguments import inputs_argument as inputs_argument
from edgekit.cli.input_arguments import read_list_option
from edgekit.cli.measurement_options import MEASUREMENTS
from edgekit.cli.parameter_types import (
    Background,
    ByteCount,
    Choice,
    Duration,
    Number,
    NumberOrPercent,
    NumberOrWord,
    PathOrUrl,
    Region,
    SpacingType,
    Stencil,
    Text,
)
from edgekit.cli.sort_options import PATHS, sort_option
from edgekit.cli.sort_options import SORT as SORT
from edgekit.common.choices import JUDGED_AT, MEASURE_NAMES, SCORE
from edgekit.common.read_options import MAX_PIXELS, RAW_MODES, TRUNCATED
from edgekit.operators.borders import BORDERS, OTHER_NAMES
from edgekit.operators.filter_spec import ANGLE_REFERENCES, CHANNELS, ROTATIONS, SCALES, TONES

Decorator = Callable[[Any], Any]


_positive = click.IntRange(min=1)

_OPTIONS: dict[str, Callable[..., Decorator]] = {
    # Input and output.
    "output": option(
        "-o", "--output", type=PathOrUrl(), metavar="PATH",
        help="Output file, folder or URL, or - for standard output.",
        show_default="beside the input; required for a folder or a glob"),
    "files_from": option(
        "--files-from", type=PathOrUrl(), metavar="FILE", is_eager=True, expose_value=False, callback=read_list_option,
        help="Also read the images in this list: one path on each line, or separated by NUL characters. "
             "- is standard input."),
    "recursive": option("-r", "--recursive", is_flag=True, help="Also read the folders inside input folders."),
    "include": option(
        "--include", multiple=True, metavar="PATTERN",
        help='Read only files that match this pattern, such as "*.png". Can be repeated.'),
    "exclude": option(
        "--exclude", multiple=True, metavar="PATTERN", help="Skip files that match this pattern. Can be repeated."),
    "force": option(
        "--force", is_flag=True,
        help="Recompute results that are up to date, and replace files that edgekit did not write."),
    "pick.force": option(
        "--force", is_flag=True,
        help="Score images again, and replace files that edgekit did not write or that may be the only copy."),
    "format": option(
        "--format", "ending", type=Choice(("png", "jpg", "tif", "webp", "npy")), metavar="FORMAT",
        help="File format of the outputs.", show_default="png, or tif with --depth float"),
    "depth": option(
        "--depth", type=Choice(("8", "16", "float")), default="8", show_default=True, metavar="BITS",
        help="Bits per channel of the outputs. float stores the values as they are computed (TIFF and NPY only)."),
    "rows": option(
        "--rows", type=PathOrUrl(), metavar="FILE",
        help="Also write a table with one row for each output: a .csv, .jsonl or .parquet file, or a folder "
             "NAME.parquet/."),
    # Filter.
    "angle": option(
        "--angle", "angles", type=Number(), multiple=True, metavar="DEGREES",
        help="Direction of the gradient: 0 is right, 90 is down, 45 is lower right. Repeat it for several outputs.",
        show_default="none; the output is the magnitude"),
    "size": option(
        "--size", type=int, metavar="PIXELS",
        help="Width of the kernel: 3, 5 or 7 for Sobel, 5 or 7 for Farid.", show_default="the smallest"),
    "sigma": option(
        "--sigma", type=Number(), metavar="PIXELS", help="Standard deviation of the Gaussian.", show_default="1"),
    "laplacian.sigma": option(
        "--sigma", type=Number(), metavar="PIXELS",
        help="Use the Laplacian of a Gaussian with this standard deviation, instead of --stencil."),
    "sigma2": option(
        "--sigma2", type=Number(), metavar="PIXELS",
        help="Standard deviation of the second Gaussian.", show_default="1.6 × sigma"),
    "stencil": option(
        "--stencil", type=Stencil(), metavar="NAME",
        help="3x3 kernel: the 4 or all 8 neighbours, or isotropic. Choices: 4, 8, isotropic.", show_default="4"),
    "levels": option(
        "--levels", type=int, metavar="N",
        help="Number of different values in the kernel. Choices: 3, 5.", show_default="3"),
    "kernel": option(
        "--kernel", type=PathOrUrl(), required=True, metavar="FILE",
        help="The kernel: rows of numbers in a .json, .csv or .npy file."),
    "border": option(
        "--border", type=Choice(BORDERS, OTHER_NAMES), default="reflect", show_default=True, metavar="MODE",
        help="How pixels beyond the border are extrapolated, as in numpy.pad. valid: no extrapolation, the output is "
             "smaller."),
    "channel": option(
        "--channel", type=Choice(CHANNELS), default="luminance", show_default=True, metavar="MODE",
        help="How colours are filtered: each channel by itself, the luminance, the maximum over the channels, or the "
             "Di Zenzo gradient."),
    "tone": option(
        "--tone", type=Choice(TONES), default="linear", show_default=True, metavar="MODE",
        help="log: filter the logarithm of the image, so that edges in dark regions count as much as in bright ones."),
    "scale": option(
        "--scale", type=Choice(SCALES), default="unit", show_default=True, metavar="MODE",
        help="unit: the response is in gray levels per pixel (second derivatives: per squared pixel). raw: the kernel "
             "is used as printed in the literature. This changes the numbers of --depth float, not the 8-bit image."),
    "angle_of": option(
        "--angle-of", type=Choice(ANGLE_REFERENCES), default="gradient", show_default=True, metavar="MODE",
        help="Whether --angle is the direction of the gradient, or of the edge, which is perpendicular to it."),
    "spacing": option(
        "--spacing", type=SpacingType(), default=1.0, metavar="N",
        help="Distance of neighbouring pixels, or distances DY,DX: the response is per unit of distance. auto: the "
             "pixel size that the file states. This changes the numbers of --depth float. Choices: a number, two "
             "numbers, auto.", show_default="1"),
    "rotate": option(
        "--rotate", type=Choice(ROTATIONS), default="steer", show_default=True, metavar="MODE",
        help="steer: combine the x and y kernels, for any angle. ring: rotate the outer coefficients of a 3x3 kernel, "
             "for multiples of 45 degrees."),
    # Edges and thresholds.
    "canny.sigma": option(
        "--sigma", type=Number(), metavar="PIXELS",
        help="Standard deviation of the Gaussian. 0: use the 3x3 Sobel operator instead.", show_default="1.4"),
    "low": option(
        "--low", type=NumberOrPercent(), metavar="N",
        help="Lower hysteresis threshold, in gray levels per pixel or as a percentile such as 95%.",
        show_default="0.4 × high"),
    "high": option(
        "--high", type=NumberOrPercent(), metavar="N",
        help="Upper hysteresis threshold, in gray levels per pixel or as a percentile such as 95%.",
        show_default="2.5 × low, or computed from the image if --low is not given"),
    "canny.scale": option(
        "--scale", type=Choice(SCALES), default="unit", show_default=True, metavar="MODE",
        help="Unit of --low and --high. unit: gray levels per pixel. raw: the unit of cv2.Canny, in which thresholds "
             "are 8 times as large."),
    "threshold.method": option(
        "--method", type=NumberOrWord(("otsu", "li", "triangle", "adaptive")), default="otsu", show_default=True,
        metavar="NAME", help="How the threshold is computed, or the threshold itself as a number. "
                             "Choices: otsu, li, triangle, adaptive, a number."),
    "threshold.channel": option(
        "--channel", type=Choice(("luminance", "each", "max")), default="luminance", show_default=True,
        metavar="MODE",
        help="The gray levels of colour images: the luminance, each channel by itself, or the maximum over the "
             "channels."),
    "threshold.size": option(
        "--size", type=int, metavar="PIXELS",
        help="Width of the neighbourhood for --method adaptive, odd.", show_default="35"),
    "outline": option(
        "--outline", "outlined", is_flag=True, help="Draw the outlines of the bright regions instead of the regions."),
    "above": option(
        "--above", type=Number(0, 1), metavar="N",
        help="Draw only the pixels with a probability above N (0 to 1), all of them white."),
    "what": option(
        "--what", type=Choice(("boundaries", "edges")), default="boundaries", show_default=True, metavar="KIND",
        help="boundaries: edges of objects, without texture. edges: all edges."),
    "model": option(
        "--model", type=Choice(("gradients", "learned", "learned-fast")), default="gradients", show_default=True,
        metavar="MODEL",
        help="gradients: gradient filters. learned: a small network of convolutions that was trained on BSDS500, at "
             "three scales. learned-fast: the same at one scale."),
    "detail": option(
        "--detail", type=click.IntRange(0, 6), default=0, show_default=True, metavar="N",
        help="Size at which large images are searched. 0: half a megapixel. Each further step, up to 6, has four times "
             "as many pixels, for finer edges."),
    # Display.
    "display": option(
        "--display", type=Choice(("full", "stretch", "signed")), default="full", show_default=True, metavar="MODE",
        help="full: absolute response, white at --white. stretch: absolute response, white at its maximum. signed: "
             "zero is mid-gray, white at --white."),
    "white": option(
        "--white", type=NumberOrPercent(), metavar="N",
        help="The response that is shown white: in gray levels per pixel, or as a percentage of the response to an "
             "ideal step over the range of the image.",
        show_default="1/8 of the range for first derivatives, 25% for other operators"),
    "overlay": option("--overlay", is_flag=True, help="Draw the edges in colour over the image."),
    # Scores.
    "score.output": option(
        "-o", "--output", type=PathOrUrl(), metavar="FILE",
        help="Write a table with one row for each image: a .csv, .jsonl or .parquet file, its URL, or a folder "
             "NAME.parquet/.", show_default="print a table"),
    "measure": option(
        "--measure", "measures", type=Text((SCORE, *MEASURE_NAMES)), multiple=True, metavar="NAME",
        help="Measure to compute. Can be repeated; the first one sorts the table, and is compared with --threshold and "
             f"--fail-below. Choices: {', '.join((SCORE, *MEASURE_NAMES))}.", show_default=SCORE),
    "pick.measure": option(
        "--measure", "measures", type=Text((SCORE, *MEASURE_NAMES)), multiple=True, metavar="NAME",
        help="Select by this measure, the highest values first. With --burst also compare the images of a moment by "
             f"it. Choices: {', '.join((SCORE, *MEASURE_NAMES))}.", show_default=SCORE),
    "at": option(
        "--at", type=Choice(JUDGED_AT), show_default=True, metavar="SIZE",
        help="Judge the score at viewing size, 1024 pixels on the longer side, or at full size, where each pixel "
             "counts.", default="view"),
    "roi": option("--roi", type=Region(), metavar="X,Y,W,H", help="Measure only this rectangle, in pixels."),
    "score.threshold": option(
        "--threshold", type=NumberOrWord(("auto", "relative")), metavar="N",
        help="Images below this score are blurred. auto: the gap between two groups of scores. relative: half the "
             "median. Choices: a number, auto, relative.", show_default="0.5 for score, none for other measures"),
    "fail_below": option(
        "--fail-below", type=NumberOrWord(()), metavar="N",
        help="Exit with status 3 if a score is below N or undefined, or if there is no image; with status 1 if an "
             "image fails."),
    "fail_blurred": option(
        "--fail-blurred", is_flag=True, help="Exit with status 3 if an image is blurred, not if it has no score."),
    "top": option("--top", type=_positive, metavar="N", help="Print only the N sharpest images."),
    "bottom": option("--bottom", type=_positive, metavar="N", help="Print only the N most blurred images."),
    "map": option(
        "--map", type=PathOrUrl("dir"), metavar="DIR",
        help="Write an image of the local sharpness for each input into this folder."),
    "dry_run": option("--dry-run", is_flag=True, help="Print what would be moved or copied, and touch no file."),
    "paths": option(
        "--paths", type=Choice(PATHS), metavar="NAME",
        help="Print only the paths of these images, one on each line."),
    "null": option("-0", "--null", is_flag=True, help="End the paths with NUL characters, for xargs -0."),
    "page": option(
        "--page", type=_positive, metavar="N",
        help="Read only image N of files with several images or pages.", show_default="all of them"),
    "report": option(
        "--report", type=PathOrUrl("dir"), metavar="DIR",
        help="Write a web page for reviewing the images into this folder."),
    "every": option(
        "--every", type=_positive, default=1, show_default=True, metavar="N", help="Read every Nth frame of a video."),
    "rate": option(
        "--fps", "rate", type=Number(min=0, min_open=True), metavar="N",
        help="Read at most N frames per second of a video.", show_default="all frames"),
    "start": option(
        "--start", type=Number(min=0), default=0.0, metavar="SECONDS",
        help="Read a video from this time on.", show_default="its start"),
    "end": option(
        "--end", type=Number(min=0, min_open=True), default=math.inf, metavar="SECONDS",
        help="Read a video up to this time.", show_default="its end"),
    "burst": option(
        "--burst", type=Duration(), metavar="TIME",
        help="Group images by moment: the same scene, taken at most this time after one another, such as 2s or 500ms."),
    # Selection.
    "pick.output": option(
        "-o", "--output", "folder", type=PathOrUrl("dir"), metavar="DIR", required=True,
        help="Folder for the selected images."),
    "pick.format": option(
        "--format", "ending", type=Choice(("png", "jpg", "webp", "tif")), default="png", show_default=True,
        metavar="FORMAT", help="File format of video frames. Images are copied unchanged."),
    "pick.depth": option(
        "--depth", type=Choice(("8", "16")), metavar="BITS",
        help="Bits of the frames of a video with more than 8 bits: 16 keeps all of them (PNG and TIFF only).",
        show_default="16 for tif, 8 for others"),
    "pick.burst": option(
        "--burst", type=Duration(), metavar="TIME",
        help="Select the sharpest N images of each moment (-n, default 1): the same scene, taken at most this time "
             "after one another, such as 2s or 500ms."),
    "pick.above": option(
        "--above", type=NumberOrWord(()), metavar="SCORE", help="Select only images with at least this score."),
    "count": option("-n", "--count", type=_positive, metavar="N", help="Number of images to select."),
    "pick.method": option(
        "--method", type=Choice(("spread", "windows", "best", "outliers")), metavar="NAME", show_choices=False,
        help="spread: the best of each of N equal intervals. windows: the best of each interval of --window. "
             "best: the N best. "
             "outliers: all except those far below their neighbours.",
        show_default="spread, or windows if --window is given"),
    "window": option(
        "--window", type=Number(), metavar="LENGTH",
        help="Select the best image of each interval of this length: seconds of a video, or number of images."),
    "min_gap": option(
        "--min-gap", type=Number(), default=0, show_default=True, metavar="LENGTH",
        help="Least distance between two selected images, in the unit of --window."),
    # Learning.
    "input": option(
        "--input", "inputs", type=PathOrUrl(), multiple=True, required=True, metavar="IMAGE",
        help="Image before the filter. Can be repeated; each one needs its --target."),
    "target": option(
        "--target", "targets", type=PathOrUrl(), multiple=True, required=True, metavar="IMAGE",
        help="The same image after the filter. Store signed values with --depth float."),
    "learn.output": option(
        "-o", "--output", type=PathOrUrl(), metavar="FILE", required=True, help="Write the kernel to this .json file."),
    "learn.force": option("--force", is_flag=True, help="Replace existing files."),
    "learn.size": option(
        "--size", type=_positive, default=3, show_default=True, metavar="PIXELS", help="Width of the kernel, odd."),
    "steps": option(
        "--steps", type=_positive, default=200, show_default=True, metavar="N",
        help="Maximum number of optimization steps."),
    "learn.plot": option(
        "--plot", type=PathOrUrl(), metavar="FILE",
        help="Plot the loss of each step, and the kernel, into a .png, .svg or .pdf file."),
    # Batch.
    "workers": option(
        "-j", "--jobs", "workers", type=_positive, metavar="N",
        help="Number of images processed at the same time.", show_default="one per processor, at least 16 for URLs"),
    "timeout": option(
        "--timeout", type=Number(min=0, min_open=True), metavar="SECONDS",
        help="Timeout per image.", show_default="none for fewer than 64 images, 25 for 64 or more, 600 for URLs"),
    "memory": option(
        "--memory", type=ByteCount(), metavar="SIZE",
        help="Memory limit per image, such as 500M or 8G (Linux only). TIFF and Zarr images that need more are "
             "processed window by window; others fail.",
        show_default="none for fewer than 64 images, 2G for 64 or more"),
    "max_pixels": option(
        "--max-pixels", type=_positive, default=MAX_PIXELS, metavar="N",
        help="Refuse images with more pixels.", show_default=f"{MAX_PIXELS:,}"),
    "truncated": option(
        "--truncated", type=Choice(TRUNCATED), default="refuse", show_default=True, metavar="MODE",
        help="Truncated image files: refuse them, or keep the part that can be decoded."),
    "background": option(
        "--background", type=Background(), default="auto", show_default=True, metavar="COLOUR",
        help="Background of transparent images. auto: black if the opaque pixels are bright, else white. Choices: "
             "auto, white, black, a colour such as #8080ff."),
    "raw": option(
        "--raw", type=Choice(RAW_MODES), default="half", show_default=True, metavar="MODE",
        help="How raw photographs of cameras are read. half: each 2x2 cell of the sensor is one pixel. full: all "
             "pixels. preview: the largest preview in the file."),
    "nodata": option(
        "--nodata", type=NumberOrWord(()), metavar="N",
        help="The value of pixels that were not measured, such as 0 in a depth image. These pixels are left out.",
        show_default="the value that a TIFF file states"),
    # Messages.
    "json": option("--json", "as_json", is_flag=True, help="Print one JSON object for each item."),
    "quiet": option("-q", "--quiet", is_flag=True, help="Print errors only."),
    "debug": option("--debug", is_flag=True, help="Print tracebacks of errors."),
    # Engine.
    "backend": option(
        "--backend", type=Choice(("cv2", "torch")), default="cv2", show_default=True, metavar="NAME",
        help="Library that computes: OpenCV or PyTorch."),
    "device": option(
        "--device", metavar="NAME", help="PyTorch device, such as cuda or mps.", show_default="cpu"),
    "engine": option(
        "--engine", type=Choice(("local", "ray")), default="local", show_default=True, metavar="NAME",
        help="Where the work is done: on this machine, or on a Ray cluster."),
    "address": option(
        "--address", metavar="HOST:PORT",
        help="Address of the Ray cluster.", show_default="RAY_ADDRESS, or a new cluster on this machine"),
    **MEASUREMENTS,
}  # fmt: skip

#: The options of all commands that read several images.
FILES = ("files_from", "recursive", "include", "exclude")
READING = ("max_pixels", "truncated", "background", "raw", "nodata")
BATCH = ("workers", "timeout", "memory")
OUTPUT = ("json", "quiet", "debug")
ENGINE = ("engine", "address")

#: The options of all commands that write an image for each image.
IMAGES = ("output", "format", "depth", *FILES, "page", "force", "rows")

#: The options that choose the direction of an operator, and its kernel.
DIRECTION = ("angle", "angle_of", "rotate")
KERNEL = ("size", "sigma", "sigma2", "stencil", "levels")


def options(command: str, groups: Mapping[str, Iterable[str]]) -> Decorator:
    """Return a decorator that adds options to a command.

    Parameters
    ----------
    command : str
        The name of the command.
    groups : mapping
        The headings of the help page, and the names of the options below each.
    """

    def decorate(function: Any) -> Any:
        named = [(group, name) for group, names in groups.items() for name in names]
        for group, name in reversed(named):
            decorator = _OPTIONS.get(f"{command}.{name}") or _OPTIONS.get(name) or sort_option(name)
            function = decorator(group=group)(function)
        return function

    return decorate
