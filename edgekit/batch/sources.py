"""From what was typed to files: folders are walked, globs expanded, outputs named."""

import fnmatch
import glob
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from edgekit.batch.jobs.render import PictureJob
from edgekit.batch.results import Results
from edgekit.errors import ParameterError, UnreadableError
from edgekit.io.files import head_of, is_zarr
from edgekit.io.formats import BY_ENDING, HEAD, sniff
from edgekit.io.stores import StorePath, path_of, require
from edgekit.io.urls import WEB, is_url, redacted
from edgekit.io.video import is_video
from edgekit.io.writing import fitting

#: Standard input as an input, standard output as an output.
STREAM = "-"


class Source(NamedTuple):
    """One input.

    Attributes
    ----------
    path : Path
        The file, or a `StorePath`.
    relative : PurePath
        Its place below the output folder.
    stream : bool
        Whether this is standard input instead, and not a file of that name in some folder.
    """

    path: Path
    relative: PurePath
    stream: bool = False


class Item(NamedTuple):
    """One thing to do: an input, a job and where the result goes (``-`` is standard output)."""

    source: Source
    job: PictureJob
    output: Path


class Found(NamedTuple):
    """What `collect` found.

    Attributes
    ----------
    sources : list of Source
        The inputs.
    passed_over : int
        Files in folders that are no images, or not wanted.
    tree : bool
        Whether a folder or a glob was among what was typed.
    """

    sources: list[Source]
    passed_over: int
    tree: bool


def collect(
    inputs: Sequence[str],
    *,
    recursive: bool = False,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    results: Results | None = None,
) -> Found:
    """Find all files that `inputs` mean, in the order of their names; see `find`."""
    passed_over: list[Path] = []
    found = find(inputs, passed_over.append, recursive=recursive, include=include, exclude=exclude, results=results)
    order = {text: n for n, text in enumerate(inputs)}
    sources = sorted(found, key=lambda pair: (order[pair[0]], pair[1].path))
    unique = {s.path if s.stream else s.path.absolute(): s for _, s in sources}
    return Found(list(unique.values()), len(passed_over), any(map(is_tree, inputs)))


def is_tree(text: str) -> bool:
    """Tell whether an input is a folder or a glob. In a store, what has an image's ending is an image."""
    path = path_of(text)
    return _holds(path) or _is_glob(path)


def _holds(path: Path) -> bool:
    # A question to the store for each image that is named would take its time.
    if isinstance(path, StorePath) and path.suffix.lower() in BY_ENDING:
        return False
    return path.is_dir() and not is_zarr(path)


def _is_glob(path: Path) -> bool:
    # In an address of the web a question mark begins the query.
    web = isinstance(path, StorePath) and path.scheme in WEB
    return not web and glob.has_magic(str(path)) and not path.exists()


def find(
    inputs: Sequence[str],
    pass_over: Callable[[Path], object],
    *,
    recursive: bool = False,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    clips: bool = False,
    results: Results | None = None,
) -> Iterator[tuple[str, Source]]:
    """Find the files that `inputs` mean, each with its input, as they come: a folder of millions begins at once.

    A file that is named is always taken. From folders and globs come the files with an image's
    ending and those that begin like an image, from stores only those with the ending; hidden files are left out, and
    so are results of edgekit's runs.

    Parameters
    ----------
    inputs : sequence of str
        Files, folders, globs, URLs of them, or ``-``.
    pass_over : callable
        Called with each file of a folder that is no image, or not wanted.
    recursive : bool
        Take folders within folders as well.
    include, exclude : sequence of str
        Patterns for the name or the path below the folder; they do not touch files that are named.
    clips : bool
        Take videos as well.
    results : Results, optional
        Tells results of edgekit's runs, and counts those that are left out. A folder or a glob that holds nothing else
        is taken as it is.

    Raises
    ------
    ParameterError
        If a glob matches nothing, or leads out of its folder, or two URLs differ only in what is not shown of them.
    UnreadableError
        If a store cannot be listed, or has nothing of the name.
    """
    folders = {text for text in inputs if _holds(path_of(text))}
    _check_urls([text for text in inputs if is_url(text)])
    for text in inputs:
        path = path_of(text)
        if not text:
            raise ParameterError("an input's name is empty; was a variable not set?")
        if text in folders:
            # Several folders keep their names, or their files would fall on each other.
            prefix = PurePath(path.resolve().name) if len(folders) > 1 else PurePath()
            walk = partial(_below, path, recursive)
        elif _is_glob(path):
            walk, prefix = partial(_matches, path), PurePath()
        else:
            yield text, Source(path, PurePath(path.name), stream=text == STREAM)
            continue
        images = partial(_images, walk, prefix, include, exclude, clips=clips)
        for source in images(pass_over) if results is None else _photographs(images, pass_over, results):
            yield text, source


def _images(
    walk: Callable[[], Iterator[tuple[Path, PurePath]]],
    prefix: PurePath,
    include: Sequence[str],
    exclude: Sequence[str],
    pass_over: Callable[[Path], object],
    *,
    clips: bool,
) -> Iterator[Source]:
    """Give the images of a folder or a glob that are wanted."""
    for file, place in walk():
        relative = prefix / place
        if _wanted(relative, include, exclude) and _looks_right(file, clips=clips):
            yield Source(file, relative)
        else:
            pass_over(file)


def _photographs(
    images: Callable[[Callable[[Path], object]], Iterator[Source]],
    pass_over: Callable[[Path], object],
    results: Results,
) -> Iterator[Source]:
    """Give the images of a folder or a glob that are no results; if there is none, the results of earlier runs."""
    own = earlier = 0
    nothing_else = True
    for source in images(pass_over):
        if results.own(source.path):
            own += 1
        elif results.earlier(source.path):
            earlier += 1
        else:
            nothing_else = False
            yield source
    if nothing_else and earlier:
        # Listed once more: kept until here, they would fill the memory.
        yield from (source for source in images(lambda path: None) if not results.own(source.path))
        earlier = 0
    results.left_out += own + earlier


def _check_urls(urls: Sequence[str]) -> None:
    """Raise where no store can be asked, or two would have the same name in every record."""
    if urls:
        require()
    seen: dict[str, str] = {}
    for url in urls:
        name = redacted(url)
        if seen.setdefault(name, url) != url:
            raise ParameterError(f"{name}: two inputs differ only in what is hidden here; run edgekit for each")


def _below(folder: Path, recursive: bool) -> Iterator[tuple[Path, PurePath]]:
    """Give what lies in a folder, and its places there, as the file system or the store lists it."""
    if isinstance(folder, StorePath):
        return _listed(folder, folder.files(recursive=recursive))
    return ((path, path.relative_to(folder)) for path in _walk(folder, recursive))


def _walk(folder: Path, recursive: bool) -> Iterator[Path]:
    """Give the files of a folder as the file system lists them, and folders that cannot be listed."""
    waiting = [folder]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    if not _is_folder(entry) or is_zarr(Path(entry.path)):
                        yield Path(entry.path)
                    elif recursive and not entry.is_symlink():
                        waiting.append(Path(entry.path))
        except OSError:
            yield folder


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # A loop of links is none, and says so when it is read.
        return False


def _listed(named: Path, found: Iterable[tuple[Any, PurePath]]) -> Iterator[tuple[Path, PurePath]]:
    """Give what a store lists; raise if it is nothing, or the store does not list it."""
    nothing = True
    try:
        for pair in found:
            nothing = False
            yield pair
    except OSError as error:
        raise UnreadableError(f"{named}: cannot be listed: {error.strerror or error}") from error
    if nothing:
        raise UnreadableError(f"{named}: the store has nothing of this name; check it")


def _matches(pattern: Path) -> Iterator[tuple[Path, PurePath]]:
    """Give the files that a glob means, with their places below its part without wildcards."""
    if isinstance(pattern, StorePath):
        yield from _listed(pattern, pattern.matches())
        return
    parts = pattern.parts
    fixed = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    base = Path(*parts[:fixed])
    if ".." in parts[fixed:]:
        raise ParameterError(f"{pattern}: a pattern cannot lead back up after a wildcard; put the .. before it")
    files = sorted(p for p in base.glob(str(PurePath(*parts[fixed:]))) if p.is_file() or is_zarr(p))
    if not files:
        raise ParameterError(f"{pattern}: no file matches; check the pattern, and quote it as it is")
    pairs = ((p, p.relative_to(base)) for p in files)
    yield from ((p, place) for p, place in pairs if not any(part.startswith(".") for part in place.parts))


def _wanted(relative: PurePath, include: Sequence[str], exclude: Sequence[str]) -> bool:
    def matches(patterns: Sequence[str]) -> bool:
        return any(fnmatch.fnmatch(t, p) for p in patterns for t in (relative.name, relative.as_posix()))

    return (not include or matches(include)) and not matches(exclude)


def _looks_right(path: Path, *, clips: bool) -> bool:
    if path.suffix.lower() in BY_ENDING:
        return True
    # A look into every object of a bucket would be a request for each.
    if isinstance(path, StorePath):
        return False
    # A folder that cannot be listed must not be passed over: who reads it says why.
    return sniff(head_of(path, HEAD)) is not None or path.is_dir() or (clips and is_video(path))


def root_of(output: str | None, inputs: Sequence[str]) -> Path | None:
    """Return the folder that `output` means, None where it is a file or not given.

    Raises
    ------
    ParameterError
        If several results would go into what is or looks like a file.
    """
    if output is None or output == STREAM:
        return None
    path = path_of(output)
    if (path.is_dir() and not is_zarr(path)) or output.endswith(("/", os.sep)):
        return path
    several = len(inputs) > 1 or any(map(is_tree, inputs))
    if several and (path.exists() or path.suffix.lower() in BY_ENDING):
        raise ParameterError(f"{path}: several results need a folder, and this is a file; name a folder with -o")
    return path if several or not (path.exists() or path.suffix) else None


def assign(found: Found, jobs: Sequence[PictureJob], output: str | None, root: Path | None) -> list[Item]:
    """Give every result its place.

    `root` is what `root_of` says. Without `output` a result lies beside its input under a name that
    tells the filter. Below an output folder the inputs' tree is mirrored. Results that would share a
    name keep the full names of their inputs.

    Raises
    ------
    ParameterError
        If the results do not fit where they should go.
    """
    pairs = [(source, job) for source in found.sources for job in jobs]
    if output is None and found.tree:
        raise ParameterError("the results of a folder or a glob need a place of their own; name a folder with -o")
    for source in found.sources if output is None else ():
        if isinstance(source.path, StorePath) and source.path.scheme in WEB:
            raise ParameterError(f"{source.path}: a result cannot lie beside it; name a file or a folder with -o")
    if output == STREAM or (output is None and any(s.stream for s in found.sources)):
        if len(pairs) != 1:
            raise ParameterError(f"standard output takes one result; found {len(pairs)}. Name a folder with -o")
        return [Item(*pairs[0], Path(STREAM))]
    if output is not None and root is None:
        path = path_of(output)
        if len(pairs) != 1:
            raise ParameterError(f"{path} takes one result; found {len(pairs)}. Name a folder with -o")
        return [Item(*pairs[0], path)]

    def place(source: Source, job: PictureJob, full: bool) -> Path:
        folder = source.path.parent if root is None else root / source.relative.parent
        name = "stdin" if source.stream else source.relative.name if full else source.relative.stem
        return folder / fitting(name, f".{job.tag}{job.ending}")

    # Of a.jpg, a.png and a.jpg.png the last must not take the full name of the first.
    shared = Counter(path for s, j in pairs for path in {place(s, j, full=False), place(s, j, full=True)})
    items = [Item(s, j, place(s, j, full=shared[place(s, j, full=False)] > 1)) for s, j in pairs]
    twice = [path for path, n in Counter(i.output for i in items).items() if n > 1]
    if twice:
        raise ParameterError(f"{twice[0]}: two results of this run would be written here; run edgekit for each")
    return items


def natural(name: str) -> list[Any]:
    """Return a key that sorts 2 before 10.

    Examples
    --------
    >>> sorted(["z10.png", "z2.png", "z1.png"], key=natural)
    ['z1.png', 'z2.png', 'z10.png']
    """
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]
