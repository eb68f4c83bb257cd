"""From what was typed to files: folders are walked, globs expanded, outputs named."""

import fnmatch
import glob
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from typing import NamedTuple

from edgekit.batch.job import FilterJob
from edgekit.errors import ParameterError
from edgekit.io.formats import BY_ENDING, HEAD, sniff

#: Standard input as an input, standard output as an output.
STREAM = "-"


class Source(NamedTuple):
    """One input.

    Attributes
    ----------
    path : Path
        The file; ``-`` is standard input.
    relative : PurePath
        Its place below the output folder.
    """

    path: Path
    relative: PurePath

    @property
    def stream(self) -> bool:
        """Whether this is standard input."""
        return str(self.path) == STREAM


class Item(NamedTuple):
    """One thing to do: an input, a job and where the result goes (``-`` is standard output)."""

    source: Source
    job: FilterJob
    output: Path


class Found(NamedTuple):
    """What `collect` found.

    Attributes
    ----------
    sources : list of Source
        The inputs.
    passed_over : int
        Files in folders that are not images, or not wanted.
    tree : bool
        Whether a folder or a glob was among what was typed.
    """

    sources: list[Source]
    passed_over: int
    tree: bool


def collect(
    inputs: Sequence[str], *, recursive: bool = False, include: Sequence[str] = (), exclude: Sequence[str] = ()
) -> Found:
    """Find the files that `inputs` mean.

    A file that is named is always taken. From folders and globs come the files with an image's
    ending and those that begin like an image; hidden files and all others are passed over.

    Parameters
    ----------
    inputs : sequence of str
        Files, folders, globs, or ``-``.
    recursive : bool
        Take folders within folders as well.
    include, exclude : sequence of str
        Patterns for the name or the path below the folder; they do not touch files that are named.

    Raises
    ------
    ParameterError
        If a glob matches nothing.
    """
    sources: list[Source] = []
    passed_over, tree = 0, False
    folders = [text for text in inputs if Path(text).is_dir()]
    for text in inputs:
        path = Path(text)
        if text in folders:
            # Several folders keep their names, or their files would fall on each other.
            prefix = PurePath(path.resolve().name) if len(folders) > 1 else PurePath()
            candidates = [(p, prefix / p.relative_to(path)) for p in _walk(path, recursive)]
        elif glob.has_magic(text) and not path.exists():
            candidates = _matches(path)
            if not candidates:
                raise ParameterError(f"{text}: no file matches; check the pattern, and quote it as it is")
        else:
            sources.append(Source(path, PurePath(path.name)))
            continue
        tree = True
        for file, relative in candidates:
            if _wanted(relative, include, exclude) and _looks_like_image(file):
                sources.append(Source(file, relative))
            else:
                passed_over += 1
    unique = {s.path if s.stream else s.path.absolute(): s for s in sources}
    return Found(list(unique.values()), passed_over, tree)


def _walk(folder: Path, recursive: bool) -> Iterator[Path]:
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(f for f in folders if not f.startswith(".")) if recursive else []
        yield from (Path(root, f) for f in sorted(files) if not f.startswith("."))


def _matches(pattern: Path) -> list[tuple[Path, PurePath]]:
    """Return the files that a glob means, with their places below its part without wildcards."""
    parts = pattern.parts
    fixed = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    base = Path(*parts[:fixed])
    files = sorted(p for p in base.glob(str(PurePath(*parts[fixed:]))) if p.is_file())
    pairs = [(p, p.relative_to(base)) for p in files]
    return [(p, place) for p, place in pairs if not any(part.startswith(".") for part in place.parts)]


def _wanted(relative: PurePath, include: Sequence[str], exclude: Sequence[str]) -> bool:
    def matches(patterns: Sequence[str]) -> bool:
        return any(fnmatch.fnmatch(t, p) for p in patterns for t in (relative.name, relative.as_posix()))

    return (not include or matches(include)) and not matches(exclude)


def _looks_like_image(path: Path) -> bool:
    if path.suffix.lower() in BY_ENDING:
        return True
    try:
        with path.open("rb") as file:
            return sniff(file.read(HEAD)) is not None
    except OSError:
        return False


def root_of(output: str | None, found: Found) -> Path | None:
    """Return the folder that `output` means, None where it is a file or not given.

    Raises
    ------
    ParameterError
        If it is neither a folder nor a file that can be written.
    """
    if output is None or output == STREAM:
        return None
    path = Path(output)
    if path.is_dir() or output.endswith(("/", os.sep)) or found.tree or len(found.sources) > 1 or not path.suffix:
        if path.is_file():
            raise ParameterError(f"{output}: several results need a folder, and this is a file; name a folder with -o")
        return path
    return None


def assign(found: Found, jobs: Sequence[FilterJob], output: str | None) -> list[Item]:
    """Give every result its place.

    Without `output` a result lies beside its input under a name that tells the filter. Below an
    output folder the inputs' tree is mirrored. Results that would share a name keep the full
    names of their inputs.

    Raises
    ------
    ParameterError
        If the results do not fit where they should go.
    """
    root = root_of(output, found)
    pairs = [(source, job) for source in found.sources for job in jobs]
    if output is None and found.tree:
        raise ParameterError("the results of a folder or a glob need a place of their own; name a folder with -o")
    if output == STREAM or (output is None and any(s.stream for s in found.sources)):
        if len(pairs) != 1:
            raise ParameterError(f"standard output takes one result; found {len(pairs)}. Name a folder with -o")
        return [Item(*pairs[0], Path(STREAM))]
    if output is not None and root is None:
        if len(pairs) != 1:
            raise ParameterError(f"{output} takes one result; found {len(pairs)}. Name a folder with -o")
        return [Item(*pairs[0], Path(output))]

    def place(source: Source, job: FilterJob, full: bool) -> Path:
        folder = source.path.parent if root is None else root / source.relative.parent
        name = "stdin" if source.stream else source.relative.name if full else source.relative.stem
        return folder / f"{name}.{job.tag}{job.ending}"

    shared = Counter(place(s, j, full=False) for s, j in pairs)
    items = [Item(s, j, place(s, j, full=shared[place(s, j, full=False)] > 1)) for s, j in pairs]
    twice = [path for path, n in Counter(i.output for i in items).items() if n > 1]
    if twice:
        raise ParameterError(f"{twice[0]}: two inputs would be written here; give them to edgekit one after the other")
    return items
