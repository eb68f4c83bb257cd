"""``edgekit focus``: where the peak of a focus stack is, its all-in-focus image, and its depth map."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.cli.help_pages import MESSAGES, command
from edgekit.cli.options import BATCH, ENGINE, OUTPUT, READING, inputs_argument, options
from edgekit.cli.terminal import complain

if TYPE_CHECKING:
    from edgekit.batch.stack import Stack
    from edgekit.report.focus_plot import Panel


@command(
    "focus", "Find the best focus of a focus stack, fuse it, and map its depth.",
    "edgekit focus stack/",
    "edgekit focus cells.ome.tif --select c=DAPI --plot focus.png",
    "edgekit focus stack/ --fuse sharp.tif --depth-map depth.tif",
)  # fmt: skip
@inputs_argument("STACK...")
@options(
    "focus",
    {
        "Input and output": (
            "files_from", "positions", "axes", "pattern", "select", "best", "fuse", "depth_map", "plot", "force",
        ),
        "Measurement": ("measure", "roi", "tiles"),
        "Reading": READING,
        "Batch": BATCH,
        MESSAGES: OUTPUT,
        "Engine": ENGINE,
    },
)  # fmt: skip
def focus(inputs: tuple[str, ...], **values: Any) -> int:
    """Find the position of best focus in a focus stack, to a fraction of a step.

    STACK is a folder, several images or a glob in quotes, in natural order (2 before 10), a TIFF file or a Zarr with
    several images, or URLs of these.

    The command prints the measure of each image, then the peak: its position, standard error and confidence. If the
    peak is at the first or last image, the best focus may lie beyond it. Each channel, time and position is measured
    as a separate stack. tenengrad, the energy of the gradient, is less sensitive to noise than measures that use the
    Laplacian. Changes of the light do not move the peak. Pixels that are saturated in any image are
    filled from their surroundings.
    """
    from edgekit.batch.positions import Positions
    from edgekit.batch.stack import Request, files_of, measure_stack
    from edgekit.batch.stack_planes import stacks_of
    from edgekit.cli.engines import engine_for
    from edgekit.cli.focus_files import check_outputs, images_of, plot_of, write_images
    from edgekit.cli.focus_output import print_messages
    from edgekit.cli.output import skipped_counts
    from edgekit.cli.state_paths import open_results, write_logged
    from edgekit.common.read_options import ReadOptions
    from edgekit.errors import EdgekitError

    read_options = ReadOptions(**{k: values[k] for k in READING})
    read_options.check()
    skipped: list[Path] = []
    with open_results(quiet=values["quiet"]) as results:
        paths = files_of(inputs, skipped.append, results)
    found = stacks_of(
        paths, read_options, axes=values["axes"], pattern=values["pattern"],
        select=[pair for pairs in values["select"] for pair in pairs], on_skipped=skipped.append,
    )  # fmt: skip
    positions = Positions(values["positions"])
    found = [positions.given_to(planes) for planes in found]
    request = Request(values["measure"], values["roi"], values["tiles"] or 0)
    request.check()
    outputs, plot = [images_of(values, planes) for planes in found], plot_of(values)
    named = [(planes.name, each) for planes, each in zip(found, outputs, strict=True)]
    read = [*paths, *filter(None, [values["positions"]])]
    check_outputs(named, plot, read, force=values["force"])
    engine, _ = engine_for(paths, values, paths=inputs)
    status, panels = 0, []
    for planes, images in zip(found, outputs, strict=True):
        stack = measure_stack(planes, request, engine, read_options)
        panel = _report(stack, as_json=values["as_json"])
        print_messages(stack, quiet=values["quiet"])
        panels.append(panel)
        if panel.peak is None or any(image.status == "failed" for image in stack.images):
            status = 1
        try:
            write_images(stack, images, read_options, named=not values["quiet"] and not values["as_json"])
        except EdgekitError as error:  # The other stacks are still measured.
            complain(planes.named(str(error)))
            status = 1
    if not paths:
        complain("no images found")
        status = 1
    if not values["quiet"]:
        for count, what in skipped_counts(len(skipped), results.left_out):
            complain(f"{count} {what}")
    if plot is not None and panels:
        from edgekit.report.focus_plot import draw

        write_logged(draw(panels, plot.suffix), plot, "plot")
    return status


def _report(stack: "Stack", *, as_json: bool) -> "Panel":
    """Print what was found in a stack, and return it."""
    from edgekit.cli.focus_output import describe, describe_tiles, print_json, print_table
    from edgekit.errors import ParameterError
    from edgekit.report.focus_plot import Panel

    unit = stack.planes.unit
    try:
        peak = stack.peak()
        sentence = describe(peak, unit)
    except ParameterError as error:
        peak, sentence = None, f"no peak: {error}"
    tiles = stack.tile_peaks() if stack.request.tiles else None
    if as_json:
        print_json(stack, peak, tiles)
    else:
        print_table(stack, [sentence, *([] if tiles is None else [describe_tiles(tiles, stack)])])
    return Panel(stack, peak, tiles, sentence)
