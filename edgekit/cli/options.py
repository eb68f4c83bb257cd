"""Every option once, by name; commands take the ones that apply to them. No library but click."""

import math
import re
from collections.abc import Callable, Iterable
from typing import Any

import click
from click.shell_completion import CompletionItem

from edgekit.common.names import MEASURES, SCORE, suggestion
from edgekit.common.read_limits import MAX_PIXELS, TRUNCATED
from edgekit.operators.borders import BORDERS
from edgekit.operators.filter_spec import ANGLE_REFERENCES, CHANNELS, ROTATIONS, SCALES, TONES

Decorator = Callable[[Any], Any]


class Words(click.ParamType[Any]):
    """Free text. Shells complete the listed words; the commands check the value."""

    name = "text"

    def __init__(self, words: Iterable[str]) -> None:
        self.words = words

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return [CompletionItem(word) for word in self.words if word.startswith(incomplete)]


class Place(click.ParamType[Any]):
    """A path or a URL, for which shells offer what is there: folders, and with ``file`` the files in them."""

    name = "path"

    def __init__(self, kind: str = "file") -> None:
        self._kind = kind

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return [CompletionItem(incomplete, type=self._kind)]


class Choice(click.Choice[str]):
    """One of a few words; names the one that was probably meant."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            self.fail(error.message + suggestion(value, self.choices), param, ctx)


class Stencil(Words):
    """4, 8 or isotropic."""

    name = "4|8|isotropic"

    def __init__(self) -> None:
        super().__init__(self.name.split("|"))

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return int(value) if str(value).isdigit() else value


class Region(click.ParamType[Any]):
    """x,y,width,height."""

    name = "x,y,w,h"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        parts = str(value).split(",")
        if len(parts) != 4 or not all(p.strip().isdigit() for p in parts):
            self.fail(f"{value!r} is not x,y,width,height in pixels.", param, ctx)
        return tuple(map(int, parts))


class Size(click.ParamType[Any]):
    """Bytes, with K, M, G or T for powers of 1024."""

    name = "SIZE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        found = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGT]?)(?:i?B)?", str(value), re.IGNORECASE)
        if not found:
            self.fail(f"{value!r} is no size such as 500M or 8G.", param, ctx)
        return int(float(found[1]) * 1024 ** (" KMGT".index(found[2].upper()) if found[2] else 0))


class Limit(Words):
    """A number, or one of a few words."""

    def __init__(self, *words: str) -> None:
        super().__init__(words)
        self.name = "|".join(("N", *words))

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value in self.words:
            return value
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if math.isnan(number):
            known = " or ".join(("a number", *self.words))
            self.fail(f"{value!r} is not {known}.{suggestion(value, self.words)}", param, ctx)
        return number


class Level(click.ParamType[Any]):
    """A number, or a percentage such as 95%."""

    name = "N|N%"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            number = float(str(value).removesuffix("%"))
        except ValueError:
            number = math.nan
        if math.isnan(number):
            self.fail(f"{value!r} is neither a number nor a percentage such as 95%.", param, ctx)
        return value if str(value).endswith("%") else number


def choice(*names: str) -> click.Choice[str]:
    """Return a choice among `names`."""
    return Choice(names)


_OPTIONS: dict[str, Decorator] = {
    "angle": click.option(
        "--angle", "angles", type=float, multiple=True, metavar="DEGREES",
        help="Direction of the gradient: 0 right, 90 down, 45 lower right. Repeat for several outputs. "
             "Without it: the magnitude."),
    "angle_of": click.option(
        "--angle-of", type=choice(*ANGLE_REFERENCES), default="gradient", show_default=True,
        help="What the angle is the direction of."),
    "rotate": click.option(
        "--rotate", type=choice(*ROTATIONS), default="steer", show_default=True,
        help="Steer to any angle, or shift the outer taps of a 3x3 kernel round."),
    "size": click.option("--size", type=int, help="Pixels along each side."),
    "sigma": click.option("--sigma", type=float, help="Standard deviation of the Gaussian in pixels."),
    "sigma2": click.option("--sigma2", type=float, help="That of the second Gaussian.  [default: 1.6 sigma]"),
    "stencil": click.option("--stencil", type=Stencil(), help="Neighbours that count.  [default: 4]"),
    "levels": click.option("--levels", type=int, help="How many different taps: 3 or 5.  [default: 3]"),
    "kernel": click.option(
        "--kernel", type=Place(), required=True, metavar="FILE",
        help="The taps: a .json, .csv or .npy file."),
    "low": click.option(
        "--low", type=Level(),
        help="Lower hysteresis threshold of the gradient, in gray levels per pixel or as a percentile such as 80%. "
             "OpenCV's thresholds are 8 times as large: see --scale.  [default: 0.4 high]"),
    "high": click.option(
        "--high", type=Level(),
        help="Upper hysteresis threshold, as --low.  [default: 2.5 times the root mean square of the gradient]"),
    "threshold_scale": click.option(
        "--scale", type=choice(*SCALES), default="unit", show_default=True,
        help="Unit of --low and --high. unit: gray levels per pixel. raw: that of OpenCV's 3x3 Sobel operator, 8 times "
             "as large. Use raw for thresholds chosen for cv2.Canny. The factor 8 is the same for every --sigma."),
    "method": click.option(
        "--method", type=Limit("otsu", "li", "triangle", "adaptive"), default="otsu", show_default=True,
        help="How the level is found, or the level itself."),
    "outlined": click.option("--outline", "outlined", is_flag=True, help="Draw the outline instead of the mask."),
    "above": click.option(
        "--above", type=click.FloatRange(0, 1), metavar="N",
        help="Draw pixels with a probability above N in white, all others in black."),
    "scale": click.option(
        "--scale", type=choice(*SCALES), default="unit", show_default=True,
        help="unit: a ramp of one level per pixel reads 1. raw: the taps as printed in books. It changes the "
             "numbers of --depth float, not the picture."),
    "border": click.option(
        "--border", type=choice(*BORDERS), default="reflect", show_default=True,
        help="What lies beyond the edge of the image."),
    "channel": click.option(
        "--channel", type=choice(*CHANNELS), default="luminance", show_default=True,
        help="How colours are filtered."),
    "tone": click.option(
        "--tone", type=choice(*TONES), default="linear", show_default=True,
        help="log: edges in the dark count as much as edges in the light."),
    "display": click.option(
        "--display", type=choice("full", "stretch", "signed"), default="full", show_default=True,
        help="How the response becomes a picture. full: its absolute value, up to --white. stretch: the same, up to "
             "the largest response. signed: zero is mid-grey, and --white is white."),
    "white": click.option(
        "--white", type=Level(), metavar="N|N%",
        help="The response shown white: in levels per pixel at unit scale, or as a percentage of the response to an "
             "ideal step over the range of the image.  [default: 1/8 of the range per pixel for first derivatives, "
             "25% for other operators]"),
    "depth": click.option(
        "--depth", type=choice("8", "16", "float"), default="8", show_default=True,
        help="Bits of the output; float keeps the signed response (TIFF, NPY)."),
    "overlay": click.option("--overlay", is_flag=True, help="Draw the edges in colour over the image."),
    "backend": click.option(
        "--backend", type=choice("cv2", "torch"), default="cv2", show_default=True, help="What computes."),
    "device": click.option("--device", metavar="NAME", help="torch device, such as cuda or mps."),
    "output": click.option(
        "-o", "--output", type=Place(), metavar="PATH",
        help="A file, a folder, a URL, or - for standard output.  [default: beside the input]"),
    "format": click.option(
        "--format", "ending", type=choice("png", "jpg", "tif", "webp", "npy"),
        help="Format of the outputs.  [default: png; tif for --depth float]"),
    "rows_file": click.option(
        "--rows", type=Place(), metavar="FILE",
        help="Write a row for each output as well, done or failed: a .csv, .jsonl or .parquet file, its URL, or a "
             "folder .parquet/ of parts."),
    "rows": click.option(
        "-o", "--output", type=Place(), metavar="FILE",
        help="Where to write a row for each image: a .csv, .jsonl or .parquet file, its URL, or a folder .parquet/ of "
             "parts."),
    "measure": click.option(
        "--measure", "measures", type=Words((SCORE, *MEASURES)), multiple=True, metavar="NAME",
        help="What to measure; repeat for several.  [default: score]"),
    "roi": click.option("--roi", type=Region(), help="Measure this part only, in pixels."),
    "threshold": click.option(
        "--threshold", type=Limit("auto", "relative"),
        help="Below it an image is blurred: a number, found between two groups, or half the median.  "
             "[default: 0.5 for score]"),
    "fail_below": click.option(
        "--fail-below", type=Limit(),
        help="End with status 3 if an image scores less or has no score, or if there is no image."),
    "top": click.option("--top", type=click.IntRange(min=1), metavar="N", help="Print the N sharpest."),
    "bottom": click.option("--bottom", type=click.IntRange(min=1), metavar="N", help="Print the N most blurred."),
    "map": click.option(
        "--map", type=Place("dir"), metavar="DIR", help="Draw where each image is sharp, into this folder."),
    "report": click.option(
        "--report", type=Place("dir"), metavar="DIR",
        help="Write a page for reviewing the images in a browser, into this folder."),
    "folder": click.option(
        "-o", "--output", "folder", type=Place("dir"), metavar="DIR", required=True, help="Where what is picked goes."),
    "count": click.option("-n", "--count", type=click.IntRange(min=1), metavar="N", help="How many to pick."),
    "method_of_choice": click.option(
        "--method", type=choice("spread", "windows", "best", "outliers"),
        help="spread: the best of N equal windows. windows: the best of each --window. best: the N best. outliers: all "
             "but those far below their neighbours.  [default: spread, or windows with --window]"),
    "window": click.option("--window", type=float, metavar="LENGTH", help="Length of a window, in seconds or images."),
    "min_gap": click.option(
        "--min-gap", type=float, default=0.0, metavar="LENGTH", help="Pick no two nearer than this."),
    "every": click.option(
        "--every", type=click.IntRange(min=1), default=1, metavar="N", help="Of clips, take one of N frames."),
    "rate": click.option(
        "--fps", "rate", type=click.FloatRange(min=0, min_open=True), metavar="N",
        help="Of clips, take at most N frames a second."),
    "frame_format": click.option(
        "--format", "ending", type=choice("png", "jpg", "webp", "tif"), default="png", show_default=True,
        help="Format of the frames."),
    "focus_measure": click.option(
        "--measure", type=Words(MEASURES), metavar="NAME", default="tenengrad", show_default=True,
        help="The focus measure."),
    "positions": click.option(
        "--positions", type=Place(), metavar="FILE",
        help="Where the images were taken: a number a line, or lines of name,position.  [default: 0, 1, 2, ...]"),
    "plot": click.option(
        "--plot", type=Place(), metavar="FILE", help="Draw score over position: a .png, .svg or .pdf file."),
    "before": click.option(
        "--input", "inputs", type=Place(), multiple=True, required=True, metavar="IMAGE",
        help="A picture before; repeat for several, each with its --target."),
    "after": click.option(
        "--target", "targets", type=Place(), multiple=True, required=True, metavar="IMAGE",
        help="The same picture after; signed numbers are best kept by --depth float."),
    "kernel_size": click.option(
        "--size", type=click.IntRange(min=1), default=3, show_default=True, help="Taps along each side, odd."),
    "kernel_file": click.option(
        "-o", "--output", type=Place(), metavar="FILE", required=True, help="Where the kernel goes: a .json file."),
    "steps": click.option(
        "--steps", type=click.IntRange(min=1), default=200, show_default=True, help="Steps at most."),
    "loss_plot": click.option(
        "--plot", type=Place(), metavar="FILE", help="Draw loss over steps, and the taps: a .png, .svg or .pdf file."),
    "max_pixels": click.option(
        "--max-pixels", type=click.IntRange(min=1), default=MAX_PIXELS, show_default=True, metavar="N",
        help="Refuse images whose header claims more."),
    "truncated": click.option(
        "--truncated", type=choice(*TRUNCATED), default="refuse", show_default=True,
        help="What to do with a file that breaks off: refuse it, or keep as much as can be decoded, and say so."),
    "recursive": click.option("-r", "--recursive", is_flag=True, help="Take folders within folders as well."),
    "include": click.option("--include", multiple=True, metavar="PATTERN", help="Only files that match."),
    "exclude": click.option("--exclude", multiple=True, metavar="PATTERN", help="No files that match."),
    "jobs": click.option(
        "-j", "--jobs", type=click.IntRange(min=1), metavar="N",
        help="Images at a time.  [default: one for each processor; 16 or more with URLs]"),
    "timeout": click.option(
        "--timeout", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS",
        help="Give an image up after so long.  [default: 25 from 64 images on, which are done by worker processes; 600 "
             "with URLs]"),
    "memory": click.option(
        "--memory", type=Size(), metavar="SIZE",
        help="What an image may need, such as 500M or 8G; on Linux. TIFF and Zarr that need more are done window by "
             "window, others are given up.  [default: 2G, from 64 images on]"),
    "engine": click.option(
        "--engine", type=choice("local", "ray"), default="local", show_default=True,
        help="What does the work: this machine, or a Ray cluster."),
    "address": click.option(
        "--address", metavar="HOST:PORT", help="The Ray cluster.  [default: RAY_ADDRESS, or one of this machine]"),
    "force": click.option(
        "--force", is_flag=True, help="Do everything anew; replace files that edgekit did not write."),
    "json": click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each item."),
    "quiet": click.option("-q", "--quiet", is_flag=True, help="Print errors only."),
    "debug": click.option("--debug", is_flag=True, help="Show tracebacks."),
}  # fmt: skip

#: What turns an operator.
DIRECTION = ("angle", "angle_of", "rotate")

#: What chooses an operator's kernels.
PARAMETERS = ("size", "sigma", "sigma2", "stencil", "levels")

#: What decides the picture, for every filter.
PICTURE = ("scale", "border", "channel", "tone", "display", "white", "depth", "overlay", "backend", "device")

#: What readers may take on.
READING = ("max_pixels", "truncated")

#: How several images are done at a time.
ENGINE = ("jobs", "timeout", "memory", "engine", "address")

#: What goes in and comes out, for every command that makes pictures.
BATCH = ("output", "format", "rows_file", *READING, "recursive", "include", "exclude", *ENGINE, "force")

#: How a command speaks.
SPEECH = ("json", "quiet", "debug")


def options(names: Iterable[str]) -> Decorator:
    """Return a decorator that adds the named options, in order."""

    def decorate(function: Any) -> Any:
        for name in reversed(tuple(names)):
            function = _OPTIONS[name](function)
        return function

    return decorate
