"""Names the outputs: one for each image and job.

May import `io` and what is below it.
"""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from edgekit.batch.jobs.render import RenderJob
from edgekit.batch.sources import STREAM, Found, Source, is_tree
from edgekit.errors import ParameterError
from edgekit.io.files import is_zarr
from edgekit.io.formats import BY_ENDING
from edgekit.io.pages import image_count
from edgekit.io.stores import StorePath, path_of
from edgekit.io.urls import WEB_SCHEMES
from edgekit.io.writing import fit_name


class Item(NamedTuple):
    """An input, a job, and the output of the job (``-`` is standard output)."""

    source: Source
    job: RenderJob
    output: Path


def each_image(source: Source, page: int | None = None) -> list[Source]:
    """Return a source for each image of a file, or only that with the number `page`."""
    if source.stream or page is not None:
        return [source._replace(page=page)]
    count = image_count(source.path)
    return [source] if count == 1 else [source._replace(page=n) for n in range(1, count + 1)]


def root_of(output: str | None, inputs: Sequence[str]) -> Path | None:
    """Return the folder that `output` means; None if it is a file or not given.

    Raises
    ------
    ParameterError
        If several results would be written to a file, or a path that looks like one.
    """
    if output is None or output == STREAM:
        return None
    path = path_of(output)
    if (path.is_dir() and not is_zarr(path)) or output.endswith(("/", os.sep)):
        return path
    several = len(inputs) > 1 or any(map(is_tree, inputs))
    if several and (path.exists() or path.suffix.lower() in BY_ENDING):
        raise ParameterError(f"{path}: several results need a folder, and this is a file; choose a folder with -o")
    return path if several or not (path.exists() or path.suffix) else None


def assign(
    found: Found, jobs: Sequence[RenderJob], output: str | None, root: Path | None, page: int | None = None
) -> list[Item]:
    """Return the items of a run: an output for each source and job.

    A file with several images has an output for each, with its number in the name, unless the output can hold all.

    Without `output` a result is written beside its input, under a name that contains the job's tag. An output folder
    mirrors the tree of the inputs. Results that would have the same name keep the full names of their inputs.

    Parameters
    ----------
    found : Found
        The inputs.
    jobs : sequence of RenderJob
        What is done with each.
    output : str, optional
        The option ``-o``.
    root : Path, optional
        The output folder, from `root_of`.
    page : int, optional
        Read only the image with this number, from 1 on, of files with several.

    Raises
    ------
    ParameterError
        If there are more results than outputs, or two results have the same output.
    """
    pairs = [
        (one, job) for source in found.sources for job in jobs
        for one in ([source] if page is None and job.holds_all(source.path) else each_image(source, page))
    ]  # fmt: skip
    if output is None and found.tree:
        raise ParameterError("the results of a folder or a glob need an output folder; choose one with -o")
    for source in found.sources if output is None else ():
        if isinstance(source.path, StorePath) and source.path.scheme in WEB_SCHEMES:
            raise ParameterError(
                f"{source.path}: a result cannot be written beside it; choose a file or a folder with -o"
            )
    if output == STREAM or (output is None and any(s.stream for s in found.sources)):
        if len(pairs) != 1:
            raise ParameterError(f"standard output takes one result; found {len(pairs)}. Choose a folder with -o")
        return [Item(*pairs[0], Path(STREAM))]
    if output is not None and root is None:
        path = path_of(output)
        if len(found.sources) * len(jobs) != 1:
            raise ParameterError(f"{path} takes one result; found {len(pairs)}. Choose a folder with -o")
        several = len(pairs) > 1
        return [Item(s, j, path.with_stem(f"{path.stem}.{s.page}") if several else path) for s, j in pairs]

    suffixes = {job: f".{job.tag}{job.ending}" for job in jobs}

    def output_of(source: Source, job: RenderJob, full: bool) -> Path:
        folder = source.path.parent if root is None else root / source.relative.parent
        name = "stdin" if source.stream else source.relative.name if full else source.relative.stem
        name = name if source.page is None else f"{name}.{source.page}"
        return folder / fit_name(name, suffixes[job])

    # Full names count as well: a.jpg.png must not have the output of a.jpg where that keeps its full name.
    shared = Counter(path for s, j in pairs for path in {output_of(s, j, full=False), output_of(s, j, full=True)})
    items = [Item(s, j, output_of(s, j, full=shared[output_of(s, j, full=False)] > 1)) for s, j in pairs]
    twice = [path for path, n in Counter(i.output for i in items).items() if n > 1]
    if twice:
        raise ParameterError(f"{twice[0]}: two results of this run would be written here; run edgekit for each")
    return items
