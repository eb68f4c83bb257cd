"""Finds the input files: walks folders, expands globs, lists stores.

May import `io` and what is below it.
"""

import fnmatch
import glob
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from edgekit.batch.path_lists import STREAM as STREAM
from edgekit.batch.path_lists import ListedPath
from edgekit.batch.progress import counted
from edgekit.batch.results import Results
from edgekit.errors import ParameterError, UnreadableError
from edgekit.io.files import head_of, is_zarr
from edgekit.io.formats import BY_ENDING, HEAD, sniff
from edgekit.io.stores import StorePath, path_of, require_fsspec
from edgekit.io.urls import WEB_SCHEMES, is_url, redacted
from edgekit.io.video import is_video


class Source(NamedTuple):
    """One input.

    Attributes
    ----------
    path : Path
        The file, or a `StorePath`.
    relative : PurePath
        Its path below the output folder.
    stream : bool
        Whether it is standard input, and not a file with that name.
    page : int or None
        The number of the image in a file with several, from 1 on.
    """

    path: Path
    relative: PurePath
    stream: bool = False
    page: int | None = None

    @property
    def name(self) -> str:
        """The name in messages."""
        return str(self.path) if self.page is None else f"{self.path}:{self.page}"


class Found(NamedTuple):
    """What `collect` found.

    Attributes
    ----------
    sources : list of Source
        The inputs.
    skipped : int
        Number of files in folders that are not images, or excluded by a pattern.
    tree : bool
        Whether the inputs contain a folder or a glob.
    """

    sources: list[Source]
    skipped: int
    tree: bool


def collect(
    inputs: Sequence[str],
    *,
    recursive: bool = False,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    videos: bool = False,
    results: Results | None = None,
    on_read: Callable[..., object] = lambda count, *, complete: None,
) -> Found:
    """Find all files of the inputs, sorted by name; see `find`. `on_read` is that of `edgekit.batch.progress.Ahead`."""
    skipped: list[Path] = []
    chosen: dict[str, Any] = {"recursive": recursive, "include": include, "exclude": exclude}
    found = counted(find(inputs, skipped.append, videos=videos, results=results, **chosen), on_read)
    order = {text: n for n, text in enumerate(inputs)}
    sources = sorted(found, key=lambda pair: (order[pair[0]], pair[1].path))
    unique = {s.path if s.stream else s.path.absolute(): s for _, s in sources}
    return Found(list(unique.values()), len(skipped), any(map(is_tree, inputs)))


def is_tree(text: str) -> bool:
    """Tell whether an input is a folder or a glob. In a store, a name with the extension of an image is an image."""
    if isinstance(text, ListedPath):
        return False
    path = path_of(text)
    return _is_input_folder(path) or _is_glob(path)


def _is_input_folder(path: Path) -> bool:
    # A request to the store for each named image would take too long.
    if isinstance(path, StorePath) and path.suffix.lower() in BY_ENDING:
        return False
    return path.is_dir() and not is_zarr(path)


def _is_glob(path: Path) -> bool:
    # In a web address a question mark begins the query.
    web = isinstance(path, StorePath) and path.scheme in WEB_SCHEMES
    return not web and glob.has_magic(str(path)) and not path.exists()


def find(
    inputs: Sequence[str],
    on_skipped: Callable[[Path], object],
    *,
    recursive: bool = False,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    videos: bool = False,
    results: Results | None = None,
) -> Iterator[tuple[str, Source]]:
    """Yield the files of the inputs, each with its input, as soon as they are found.

    A named file is always included. Folders and globs include files with the extension of an image and files that
    begin like an image; stores include only the former. Hidden files and results of edgekit's runs are left out.

    Parameters
    ----------
    inputs : sequence of str
        Files, folders, globs, URLs of them, or ``-``. The files of a list keep their places below the folder that
        contains them all.
    on_skipped : callable
        Called with each file of a folder that is not an image, or excluded by a pattern.
    recursive : bool
        Include subfolders.
    include, exclude : sequence of str
        Patterns for the name, or for the path below the folder. They have no effect on named files.
    videos : bool
        Include videos.
    results : Results, optional
        Recognises results of edgekit's runs, which are counted and left out. If a folder or a glob contains nothing
        but results of earlier runs, they are included.

    Raises
    ------
    ParameterError
        If a glob matches nothing or leads out of its folder, or two URLs differ only in hidden parts.
    UnreadableError
        If a store cannot be listed, or has no object with this name.
    """
    folders = {text for text in inputs if not isinstance(text, ListedPath) and _is_input_folder(path_of(text))}
    listed = _common_folder([path_of(text) for text in inputs if isinstance(text, ListedPath)])
    _check_urls([text for text in inputs if is_url(text)])
    for text in inputs:
        path = path_of(text)
        if not text:
            raise ParameterError("an input's name is empty; is a shell variable not set?")
        if isinstance(text, ListedPath):
            yield text, Source(path, _relative(path, listed))
            continue
        if text in folders:
            # With several folders their names are kept, so that outputs do not collide.
            prefix = PurePath(path.resolve().name) if len(folders) > 1 else PurePath()
            walk = partial(_below, path, recursive)
        elif _is_glob(path):
            walk, prefix = partial(_matches, path), PurePath()
        else:
            yield text, Source(path, PurePath(path.name), stream=text == STREAM)
            continue
        images = partial(_images, walk, prefix, include, exclude, videos=videos)
        for source in images(on_skipped) if results is None else _without_results(images, on_skipped, results):
            yield text, source


def _common_folder(paths: Sequence[Path]) -> Path | None:
    """Return the folder that contains all files of a list; None if there is none, as for files in stores."""
    local = {_normalized(path).parent for path in paths if not isinstance(path, StorePath)}
    try:
        return Path(os.path.commonpath(local))
    except ValueError:  # No files, or several drives.
        return None


def _relative(path: Path, folder: Path | None) -> PurePath:
    if isinstance(path, StorePath) or folder is None:
        return PurePath(path.name)
    return _normalized(path).relative_to(folder)


def _normalized(path: Path) -> Path:
    """Return an absolute path without .., so that no output leaves its folder."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - absolute() keeps ..


def _images(
    walk: Callable[[], Iterator[tuple[Path, PurePath]]],
    prefix: PurePath,
    include: Sequence[str],
    exclude: Sequence[str],
    on_skipped: Callable[[Path], object],
    *,
    videos: bool,
) -> Iterator[Source]:
    """Yield the images of a folder or a glob that the patterns allow."""
    for file, below in walk():
        relative = prefix / below
        if _is_allowed(relative, include, exclude) and _is_input(file, videos=videos):
            yield Source(file, relative)
        else:
            on_skipped(file)


def _without_results(
    images: Callable[[Callable[[Path], object]], Iterator[Source]],
    on_skipped: Callable[[Path], object],
    results: Results,
) -> Iterator[Source]:
    """Yield the images of a folder or a glob that are not results; if there are none, the results of earlier runs."""
    own = earlier = 0
    only_results = True
    for source in images(on_skipped):
        if results.is_own(source.path):
            own += 1
        elif results.is_earlier(source.path):
            earlier += 1
        else:
            only_results = False
            yield source
    if only_results and earlier:
        # Listed again, since a list of all of them could need too much memory.
        yield from (source for source in images(lambda path: None) if not results.is_own(source.path))
        earlier = 0
    results.left_out += own + earlier


def _check_urls(urls: Sequence[str]) -> None:
    """Raise if URLs cannot be opened, or two of them have the same name in messages and logs."""
    if urls:
        require_fsspec()
    seen: dict[str, str] = {}
    for url in urls:
        name = redacted(url)
        if seen.setdefault(name, url) != url:
            raise ParameterError(
                f"{name}: two inputs differ only in the hidden part of their URLs; run edgekit for each"
            )


def _below(folder: Path, recursive: bool) -> Iterator[tuple[Path, PurePath]]:
    """Yield the files of a folder and their paths below it, in the order of the file system or the store."""
    if isinstance(folder, StorePath):
        return _listed(folder, folder.files(recursive=recursive))
    return ((path, path.relative_to(folder)) for path in _walk(folder, recursive))


def _walk(folder: Path, recursive: bool) -> Iterator[Path]:
    """Yield the files of a folder in the order of the file system, and folders that cannot be listed."""
    folders = [folder]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    if not _is_folder(entry) or is_zarr(Path(entry.path)):
                        yield Path(entry.path)
                    elif recursive and not entry.is_symlink():
                        folders.append(Path(entry.path))
        except OSError:
            yield folder


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # A loop of symbolic links; reading it gives the error.
        return False


def _listed(path: Path, found: Iterable[tuple[Any, PurePath]]) -> Iterator[tuple[Path, PurePath]]:
    """Yield what a store lists; raise if it lists nothing, or cannot list."""
    empty = True
    try:
        for pair in found:
            empty = False
            yield pair
    except OSError as error:
        raise UnreadableError(f"{path}: cannot be listed: {error.strerror or error}") from error
    if empty:
        raise UnreadableError(f"{path}: the store has no object with this name; check the name")


def _matches(pattern: Path) -> Iterator[tuple[Path, PurePath]]:
    """Yield the files that match a glob, and their paths below its part without wildcards."""
    if isinstance(pattern, StorePath):
        yield from _listed(pattern, pattern.matches())
        return
    parts = pattern.parts
    fixed = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    base = Path(*parts[:fixed])
    if ".." in parts[fixed:]:
        raise ParameterError(f"{pattern}: a pattern must not contain .. after a wildcard; put the .. before it")
    files = sorted(p for p in base.glob(str(PurePath(*parts[fixed:]))) if p.is_file() or is_zarr(p))
    if not files:
        raise ParameterError(f"{pattern}: no file matches; check the pattern, and put it in quotes")
    pairs = ((p, p.relative_to(base)) for p in files)
    yield from ((p, below) for p, below in pairs if not any(part.startswith(".") for part in below.parts))


def _is_allowed(relative: PurePath, include: Sequence[str], exclude: Sequence[str]) -> bool:
    def matches(patterns: Sequence[str]) -> bool:
        return any(fnmatch.fnmatch(t, p) for p in patterns for t in (relative.name, relative.as_posix()))

    return (not include or matches(include)) and not matches(exclude)


def _is_input(path: Path, *, videos: bool) -> bool:
    if path.suffix.lower() in BY_ENDING:
        return True
    # Reading the first bytes would be a request for every object.
    if isinstance(path, StorePath):
        return False
    # A folder that cannot be listed is included, so that reading it gives the error.
    return sniff(head_of(path, HEAD)) is not None or path.is_dir() or (videos and is_video(path))


def natural(name: str) -> list[Any]:
    """Return a key for sorting in natural order: 2 before 10.

    Examples
    --------
    >>> sorted(["z10.png", "z2.png", "z1.png"], key=natural)
    ['z1.png', 'z2.png', 'z10.png']
    """
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]
