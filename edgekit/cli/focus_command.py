"""``edgekit focus``: where the peak of a focus stack is, its all-in-focus image, and its depth map."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.cli.help_pages import MESSAGES, command
from edgekit.cli.options import BATCH, ENGINE, OUTPUT, READING, inputs_argument, options
from edgekit.cli.terminal import complain, name_file

if TYPE_CHECKING:
    from edgekit.batch.stack import Stack
    from edgekit.batch.stack_planes import PlaneStack
    from edgekit.common.read_options import ReadOptions
    from edgekit.report.focus_plot import Panel

#: The options that name an output, and their images.
_OUTPUTS = ("plot", "best", "fuse", "depth_map")


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
    peak is at the first or last image, the best focus may lie beyond it. Each channel, time and position is a stack of
    its own. tenengrad, the energy of the gradient, is less sensitive to noise than measures that use the Laplacian.
    Changes of the light do not move the peak. Pixels that are saturated in any image are left out.
    """
    from edgekit.batch.positions import Positions
    from edgekit.batch.stack import Request, files_of, measure_stack
    from edgekit.batch.stack_planes import stacks_of
    from edgekit.cli.engines import engine_for
    from edgekit.cli.focus_output import print_messages
    from edgekit.cli.output import skipped_counts
    from edgekit.cli.state_paths import open_results, write_logged
    from edgekit.common.read_options import ReadOptions

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
    outputs = {name: _paths_of(values, name, found) for name in _OUTPUTS}
    request = Request(values["measure"], values["roi"], values["tiles"] or 0)
    engine, _ = engine_for(paths, values, paths=inputs)
    status, panels = 0, []
    for n, planes in enumerate(found):
        stack = measure_stack(planes, request, engine, read_options)
        panel = _report(stack, as_json=values["as_json"])
        print_messages(stack, quiet=values["quiet"])
        panels.append(panel)
        if panel.peak is None or any(image.status == "failed" for image in stack.images):
            status = 1
        _write_images(
            stack, {name: each[n] for name, each in outputs.items() if each and name != "plot"}, read_options, values
        )
    if not paths:
        complain("no images found")
        status = 1
    if not values["quiet"]:
        for count, what in skipped_counts(len(skipped), results.left_out):
            complain(f"{count} {what}")
    if outputs["plot"] and panels:
        from edgekit.report.focus_plot import draw

        plot = outputs["plot"][0]
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


def _paths_of(values: dict[str, Any], option: str, stacks: "list[PlaneStack]") -> list[Path]:
    """Return the output of each stack; raise if one cannot be made, or must not be written."""
    from edgekit.cli.state_paths import check_replaceable
    from edgekit.errors import ParameterError
    from edgekit.io.encoding import writable_format
    from edgekit.io.stores import path_of

    if values[option] is None:
        return []
    path = path_of(values[option])
    if option == "plot":
        from edgekit.report.focus_plot import check

        check(path.suffix)
        paths = [path]
    else:
        if option == "depth_map" and "float" not in writable_format(path.suffix).depths:
            raise ParameterError(f"{path}: a depth map has 32-bit floats; write it into a .tif or .npy file")
        writable_format(path.suffix)
        paths = [_labelled(path, stack.label) for stack in stacks]
    for each in paths:
        for one in (each, confidence_of(each)) if option == "depth_map" else (each,):
            check_replaceable(one, force=values["force"])
    return paths


def _labelled(path: Path, label: tuple[tuple[str, str], ...]) -> Path:
    """Return the path of an output of one stack of several, such as ``sharp.cDAPI-t2.tif``."""
    if not label:
        return path
    words = "-".join(f"{axis}{re.sub(r'[^0-9A-Za-z+]', '_', value)}" for axis, value in label)
    return path.with_name(f"{path.stem}.{words}{path.suffix}")


def confidence_of(path: Path) -> Path:
    """Return the path of the confidence that belongs to a depth map."""
    return path.with_name(f"{path.stem}.confidence{path.suffix}")


def _write_images(
    stack: "Stack", outputs: dict[str, Path], read_options: "ReadOptions", values: dict[str, Any]
) -> None:
    """Write the sharpest image, the all-in-focus image and the depth map of a stack."""
    from edgekit.batch.stack_images import combine, image_of
    from edgekit.cli.state_paths import write_logged
    from edgekit.io.encoding import encode

    def write(image: Any, path: Path, kind: str) -> None:
        write_logged(encode(image, path.suffix), path, kind)
        if not values["quiet"] and not values["as_json"]:
            name_file(path)

    if "best" in outputs and (number := stack.sharpest()) is not None:
        write(image_of(stack, number, read_options), outputs["best"], "sharpest")
    fuse, depth = outputs.get("fuse"), outputs.get("depth_map")
    if fuse is None and depth is None:
        return
    made = combine(stack, read_options, fuse=fuse is not None, depth=depth is not None)
    if made.message:
        complain(f"{stack.planes.name}: {made.message}" if stack.planes.name else made.message)
    if fuse is not None:
        write(made.fused, fuse, "fused")
    if depth is not None and made.depth is not None:
        write(made.depth.depth, depth, "depth")
        write(made.depth.confidence, confidence_of(depth), "depth")
