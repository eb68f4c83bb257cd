"""The options of the commands that measure: contours, mtf and focus. Imports no library but click."""

from collections.abc import Callable
from typing import Any

import click

from edgekit.cli.help_pages import option
from edgekit.cli.parameter_types import Choice, Number, NumberOrWord, PathOrUrl, Region, Selection, Text
from edgekit.common.choices import BLUR, MEASURE_NAMES

_ONE_PAGE = option(
    "--page",
    type=click.IntRange(min=1),
    metavar="N",
    help="Measure image N of files with several images or pages.",
    show_default="the first one",
)

MEASUREMENTS: dict[str, Callable[..., Callable[[Any], Any]]] = {
    # Measurements of edges.
    "contours.output": option(
        "-o", "--output", type=PathOrUrl(), metavar="FILE",
        help="Write the points into a .csv, .json, .svg or .geojson file.",
        show_default="print a line for each contour"),
    "contours.sigma": option(
        "--sigma", type=Number(), default=1.4, show_default=True, metavar="PIXELS",
        help="Standard deviation of the Gaussian, at least 1."),
    "min_length": option(
        "--min-length", type=Number(min=0), default=5.0, show_default=True, metavar="PIXELS",
        help="Leave out contours that are shorter."),
    "noise": option(
        "--noise", type=Number(min=0), metavar="N",
        help="Standard deviation of the noise of a pixel in gray levels, for the standard errors.",
        show_default="estimated from the image"),
    "mtf.output": option(
        "-o", "--output", type=PathOrUrl(), metavar="FILE",
        help="Write a table with one row for each region and channel: a .csv file.", show_default="print a table"),
    "mtf.roi": option(
        "--roi", "regions", type=Region(), multiple=True, metavar="X,Y,W,H",
        help="Measure the edge in this rectangle, in pixels. Can be repeated.",
        show_default="all slanted edges that are found"),
    "pitch": option(
        "--pitch", type=Number(min=0, min_open=True), metavar="MICROMETRES",
        help="Distance of neighbouring pixels: MTF50 is then also given in cycles per millimetre."),
    "gamma": option(
        "--gamma", type=NumberOrWord(("auto", "linear", "srgb")), default="auto", show_default=True, metavar="CURVE",
        help="How values are converted to linear light. auto: by the profile or tag of the file; linear if there is "
             "none. A number: light is this power of the value. Choices: auto, linear, srgb, a number."),
    "mtf.channel": option(
        "--channel", "channels", type=Choice(("luminance", "red", "green", "blue", "all")), default="luminance",
        show_default=True, metavar="NAME", help="The channel of a colour image, or all of them."),
    "mtf.plot": option(
        "--plot", type=PathOrUrl(), metavar="FILE",
        help="Draw the regions over the chart, and their MTF: a .png, .svg or .pdf file."),
    "contours.page": _ONE_PAGE,
    "mtf.page": _ONE_PAGE,
    # Focus.
    "positions": option(
        "--positions", type=PathOrUrl(), metavar="FILE",
        help="Focus positions of the images: one number on each line, or lines of name,position.",
        show_default="0, 1, 2 and so on"),
    "focus.measure": option(
        "--measure", type=Text((*MEASURE_NAMES, BLUR)), metavar="NAME", default="tenengrad", show_default=True,
        help="Focus measure; blur is 1 over the width of the blur in pixels. "
             f"Choices: {', '.join((*MEASURE_NAMES, BLUR))}."),
    "focus.plot": option(
        "--plot", type=PathOrUrl(), metavar="FILE",
        help="Plot the measure over the position into a .png, .svg or .pdf file."),
    "focus.force": option("--force", is_flag=True, help="Replace files that edgekit did not write."),
    "axes": option(
        "--axes", metavar="LETTERS",
        help="The axes of a TIFF file or a Zarr before rows and columns, such as TCZ: Z is the depth, C the channel, T "
             "the time.", show_default="those that the file states"),
    "pattern": option(
        "--pattern", metavar="TEXT",
        help="Where file names have their indices, such as {c}_{t}_{z}.tif: depth, channel, time, and {s} for the "
             "position; * is any text.", show_default="numbers after words such as z, ch and t"),
    "select": option(
        "--select", type=Selection(), multiple=True, metavar="AXIS=VALUE,...",
        help="Measure only this channel, time or position, such as c=DAPI,t=2: a name, or an index from 0 on. Can be "
             "repeated.", show_default="all of them"),
    "best": option(
        "-o", "--output", "best", type=PathOrUrl(), metavar="FILE",
        help="Write the image nearest to the peak. With several stacks their names are added."),
    "fuse": option(
        "--fuse", type=PathOrUrl(), metavar="FILE", help="Write the all-in-focus image, in the depth of the stack."),
    "depth_map": option(
        "--depth-map", type=PathOrUrl(), metavar="FILE",
        help="Write the position where each pixel is sharpest, as floats into a .tif or .npy file, and its confidence "
             "into NAME.confidence.tif."),
    "tiles": option(
        "--tiles", type=click.IntRange(2, 64), metavar="N",
        help="Also find the peak of each of N×N tiles, and fit a plane or a paraboloid: tilt and curvature of field."),
}  # fmt: skip
