"""The files that `edgekit focus` writes: their names, and what is written into them."""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.cli.terminal import complain, name_file

if TYPE_CHECKING:
    from edgekit.batch.stack import Stack
    from edgekit.batch.stack_planes import PlaneStack
    from edgekit.common.read_options import ReadOptions

#: The options that name an output of each stack, and what users call them.
IMAGES = {"best": "-o", "fuse": "--fuse", "depth_map": "--depth-map"}


def plot_of(values: dict[str, Any]) -> Path | None:
    """Return the path of the plot; raise if it cannot be drawn."""
    if values["plot"] is None:
        return None
    from edgekit.io.stores import path_of
    from edgekit.report.focus_plot import check

    path = path_of(values["plot"])
    check(path.suffix)
    return path


def images_of(values: dict[str, Any], stack: "PlaneStack") -> dict[str, Path]:
    """Return the path of each output image of a stack, by option; raise if one cannot be written."""
    from edgekit.errors import ParameterError
    from edgekit.io.encoding import writable_format
    from edgekit.io.stores import path_of

    found = {}
    for option in IMAGES:
        if values[option] is None:
            continue
        path = path_of(values[option])
        if option == "depth_map" and "float" not in writable_format(path.suffix).depths:
            raise ParameterError(f"{path}: a depth map has floats; write it into a .tif or .npy file")
        writable_format(path.suffix)
        found[option] = _labelled(path, stack.label)
    return found


def check_outputs(
    images: "list[tuple[str, dict[str, Path]]]", plot: Path | None, inputs: Iterable[str | Path], *, force: bool
) -> None:
    """Raise if two outputs are the same file, one of them is an input, or one must not be replaced.

    Parameters
    ----------
    images : list of (str, dict)
        The name of each stack, and its outputs by option.
    plot : path, optional
        The plot.
    inputs : iterable of path
        All files that are read.
    """
    from edgekit.cli.state_paths import check_replaceable
    from edgekit.errors import ParameterError
    from edgekit.io.stores import canonical_path

    outputs = [(IMAGES[option], name, path) for name, each in images for option, path in each.items()]
    outputs += [(option, name, confidence_of(path)) for option, name, path in outputs if option == "--depth-map"]
    outputs += [] if plot is None else [("--plot", "", plot)]
    read = {canonical_path(path) for path in inputs}
    seen: dict[str, tuple[str, str]] = {}
    for option, name, path in outputs:
        real = os.path.normcase(canonical_path(path))
        if real in read:
            raise ParameterError(f"{path}: an input of this run; choose another output")
        first, other = seen.setdefault(real, (option, name))
        if first != option:
            raise ParameterError(f"{path}: named by {first} and {option}; choose two files")
        if other != name:
            raise ParameterError(
                f"{path}: the output of {other} and of {name}; choose one of them with --select, and another file for "
                "the other one"
            )
        check_replaceable(path, force=force)


def _labelled(path: Path, label: tuple[tuple[str, str], ...]) -> Path:
    """Return the path of an output of one stack of several, such as ``sharp.cDAPI-t2.tif``."""
    if not label:
        return path
    from edgekit.io.writing import fit_name

    words = "-".join(axis + re.sub(r"[^\w+-]", "_", value) for axis, value in label)
    return path.with_name(fit_name(path.stem, f".{words}{path.suffix}"))


def confidence_of(path: Path) -> Path:
    """Return the path of the confidence that belongs to a depth map."""
    return path.with_name(f"{path.stem}.confidence{path.suffix}")


def write_images(stack: "Stack", outputs: dict[str, Path], read_options: "ReadOptions", *, named: bool) -> None:
    """Write the sharpest image, the all-in-focus image and the depth map of a stack; print their paths if `named`."""
    from edgekit.batch.stack_images import combine, image_of
    from edgekit.cli.state_paths import write_logged
    from edgekit.io.encoding import encode

    def write(image: Any, path: Path, kind: str) -> None:
        write_logged(encode(image, path.suffix), path, kind)
        if named:
            name_file(path)

    if "best" in outputs and (number := stack.sharpest()) is not None:
        write(image_of(stack, number, read_options), outputs["best"], "sharpest")
    fuse, depth = outputs.get("fuse"), outputs.get("depth_map")
    if fuse is None and depth is None:
        return
    made = combine(stack, read_options, fuse=fuse is not None, depth=depth is not None)
    if made.message:
        complain(stack.planes.named(made.message))
    if fuse is not None:
        write(made.fused, fuse, "fused")
    if depth is not None and made.depth is not None:
        write(made.depth.depth, depth, "depth")
        write(made.depth.confidence, confidence_of(depth), "depth")
