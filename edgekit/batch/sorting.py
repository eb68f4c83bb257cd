"""Plans how photographs are sorted into folders by their scores: which files go together, and under which names.

May import `io` and what is below it.
"""

import itertools
import math
import os
import stat
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Literal, NamedTuple

from edgekit.batch.score_cache import Row
from edgekit.batch.sources import Source
from edgekit.io.formats import BY_ENDING, RAW_FORMAT
from edgekit.io.stores import canonical_path
from edgekit.io.writing import fit_name

Verb = Literal["move", "copy", "link"]
Verdict = Literal["sharp", "blurred", "undefined", "failed"]

#: What can be done with files, and the verdicts by which they are sorted.
VERBS: tuple[Verb, ...] = ("move", "copy", "link")
SORTED: tuple[Verdict, ...] = ("blurred", "sharp", "undefined")

#: All verdicts. That of a file with several images, or a video, is the first of those that its images have: it is
#: sharp if one of its images is sharp, and blurred only if none is.
VERDICTS: tuple[Verdict, ...] = ("sharp", "blurred", "undefined", "failed")

#: Endings of files that belong to the photograph of the same name: settings of raw converters, thumbnails, notes.
SIDECARS = frozenset((".xmp", ".thm", ".aae", ".dop", ".pp3", ".on1", ".nksc", ".vrd", ".wav"))

#: Endings of the images that a camera writes beside a raw file of the same name.
BESIDE_RAW = frozenset((".jpg", ".jpeg", ".heic", ".heif", ".hif"))


class Rule(NamedTuple):
    """The action for the photographs of one verdict, such as moving the blurred ones into a folder."""

    verb: Verb
    verdict: Verdict
    folder: Path
    """An absolute path."""

    @property
    def option(self) -> str:
        """The option of the command line."""
        return f"--{self.verb}-{self.verdict}"


class Judged(NamedTuple):
    """A file that was scored, its place below the output folder, and its verdict."""

    path: Path
    relative: PurePath
    verdict: Verdict


class Photograph(NamedTuple):
    """Files that stay together: an image, its sidecar files, and the image beside a raw file.

    Attributes
    ----------
    files : tuple of Path
        The file that decides, and then the others.
    relative : PurePath
        The place of the first file below the output folder.
    verdict : str
        That of the first file; a raw file decides for the image beside it.
    """

    files: tuple[Path, ...]
    relative: PurePath
    verdict: Verdict


def verdicts(rows: Iterable[Row], threshold: float) -> Iterator[tuple[str, Verdict]]:
    """Yield each file with its verdict. The rows of a file must follow one another."""
    for path, images in itertools.groupby(rows, lambda row: row.path):
        verdict = of_file({_verdict(row, threshold) for row in images})
        if verdict is not None:
            yield path, verdict


def of_file(found: Collection[Verdict | None]) -> Verdict | None:
    """Return the verdict of a file from those of its images."""
    return next((verdict for verdict in VERDICTS if verdict in found), None)


def _verdict(row: Row, threshold: float) -> Verdict:
    if row.score is None:
        return "failed"
    if math.isnan(row.score):
        return "undefined"
    return "blurred" if row.score < threshold else "sharp"


def judged_sources(found: Iterable[tuple[str, Verdict]], sources: Mapping[str, Source]) -> Iterator[Judged]:
    """Yield the files that are sorted, each with its place below the output folder."""
    return (Judged(sources[path].path, sources[path].relative, verdict) for path, verdict in found if path in sources)


def photographs(judged: Iterable[Judged]) -> Iterator[Photograph]:
    """Yield the photographs that the files belong to, folder by folder."""
    # A file under two names, by links or .., is one file.
    folders: dict[Path, Path] = {}
    by_folder: dict[Path, dict[str, Judged]] = {}
    for one in judged:
        if one.path.parent not in folders:
            folders[one.path.parent] = Path(canonical_path(one.path.parent))
        by_folder.setdefault(folders[one.path.parent], {}).setdefault(one.path.name, one)
    for members in by_folder.values():
        folder = next(iter(members.values())).path.parent
        by_stem = _by_stem({*members, *_names(folder)})
        for stem in dict.fromkeys(PurePath(name).stem for name in members):
            yield from _of_stem(folder, stem, by_stem[stem], members)


def _names(folder: Path) -> list[str]:
    """Return the names of the images and sidecar files in a folder."""
    try:
        with os.scandir(folder) as entries:
            found = [entry.name for entry in entries if not entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []
    return [name for name in found if _is_sidecar(name) or PurePath(name).suffix.lower() in BY_ENDING]


def _by_stem(names: set[str]) -> dict[str, list[str]]:
    """Return the names by the stem of the image: a.jpg, a.xmp and a.jpg.xmp have the same one."""
    found: dict[str, list[str]] = {}
    for name in sorted(names):
        stem = PurePath(name).stem
        is_of_image = _is_sidecar(name) and stem in names
        found.setdefault(PurePath(stem).stem if is_of_image else stem, []).append(name)
    return found


def _is_sidecar(name: str) -> bool:
    return PurePath(name).suffix.lower() in SIDECARS


def _of_stem(folder: Path, stem: str, names: Sequence[str], members: Mapping[str, Judged]) -> Iterator[Photograph]:
    """Yield the photographs whose files have the same stem: one, unless there are several images without a raw file."""
    images = [name for name in names if not _is_sidecar(name)]
    raws = [name for name in images if PurePath(name).suffix.lower() in RAW_FORMAT.endings]
    pair = [*raws, *(name for name in images if PurePath(name).suffix.lower() in BESIDE_RAW)] if raws else []
    groups = ([pair] if pair else []) + [[name] for name in images if name not in pair]
    # The sidecar file of several images goes along only if all of them go to the same place.
    shared = [name for name in names if _is_sidecar(name) and PurePath(name).stem == stem]
    decided = [_decides(group, members) for group in groups]
    together = len({one and one.verdict for one in decided}) == 1
    for group, one in zip(groups, decided, strict=True):
        if one is None:
            continue
        own = [name for name in names if _is_sidecar(name) and PurePath(name).stem in group]
        others = [name for name in group if name != one.path.name]
        along = shared if together else []
        shared = [] if together else shared
        yield Photograph((one.path, *(folder / name for name in (*others, *own, *along))), one.relative, one.verdict)


def _decides(group: Sequence[str], members: Mapping[str, Judged]) -> Judged | None:
    """Return the file of a photograph that decides: the first one that has a score, else the first that was read."""
    read = [members[name] for name in group if name in members]
    return next((one for one in read if one.verdict in ("sharp", "blurred")), read[0] if read else None)


class Transfer(NamedTuple):
    """One file to be moved, copied or linked.

    Attributes
    ----------
    verb : str
        ``move``, ``copy`` or ``link``.
    source, target : Path
        Absolute paths. The name of the file at the source is not resolved if it is a link.
    size, mtime : int
        Of the source when the transfer was planned: bytes, and nanoseconds; of the file that it leads to if it is a
        link.
    path : str
        The source as it was found; rows of scores have this path.
    replaces : tuple of int, optional
        Size and time of an earlier copy at the target, which is replaced if it still has them.
    """

    verb: Verb
    source: Path
    target: Path
    size: int
    mtime: int
    path: str
    replaces: tuple[int, int] | None = None


class Earlier(NamedTuple):
    """What an earlier run made of a file: the target, which exists, and the size and time of the source."""

    target: Path
    size: int
    mtime: int


#: Returns what an earlier run made of a file by a rule, preferably in its present state, which is None if it is gone.
FindEarlier = Callable[[Rule, Path, os.stat_result | None], Earlier | None]


class Plan(NamedTuple):
    """The transfers of a photograph into a folder, in order; or the reason why it stays where it is."""

    name: str
    folder: Path
    transfers: tuple[Transfer, ...]
    reason: str = ""


def plan(
    found: Iterable[Photograph],
    rules: Sequence[Rule],
    find_earlier: FindEarlier = lambda rule, source, stat: None,
    reserved: Iterable[Path] = (),
) -> Iterator[Plan]:
    """Yield what is to be done with each photograph, without touching a file.

    A name that another photograph has gets a number, the same for all files of a photograph.

    Parameters
    ----------
    found : iterable of Photograph
    rules : sequence of Rule
        At most one for each verdict.
    find_earlier : callable
    reserved : iterable of Path
        Targets that do not exist yet, and are taken.
    """
    by_verdict = {rule.verdict: rule for rule in rules}
    folders = {rule.folder: canonical_path(rule.folder) for rule in rules}
    taken = _Names(reserved)
    for photograph in found:
        rule = by_verdict.get(photograph.verdict)
        if rule is None:
            continue
        name = str(photograph.files[0])
        try:
            # A link is not moved, and what it leads to is copied.
            stats = {path: path.stat() for path in photograph.files}
        except OSError as error:
            if find_earlier(rule, photograph.files[0], None) is None:
                yield Plan(name, rule.folder, (), f"{error.filename}: cannot be sorted: {error.strerror}")
            continue
        if Path(canonical_path(photograph.files[0].parent)).is_relative_to(folders[rule.folder]):
            yield Plan(name, rule.folder, (), f"{name}: is already in {rule.folder}, and stays there")
            continue
        if reason := _reason_to_stay(rule, stats):
            yield Plan(name, rule.folder, (), reason)
            continue
        known = {path: find_earlier(rule, path, stat) for path, stat in stats.items() if rule.verb != "move"}
        transfers = _transfers_of_sidecars(photograph, rule, stats, known)
        if transfers is None:
            transfers = tuple(_transfers(photograph, rule, stats, taken))
        if transfers:
            yield Plan(name, rule.folder, transfers)


def _reason_to_stay(rule: Rule, stats: Mapping[Path, os.stat_result]) -> str:
    """Return why the files of a photograph cannot be sorted by a rule; an empty text if they can."""
    for path, status in stats.items():
        if not stat.S_ISREG(status.st_mode):
            found = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe, socket or device"
            return f"{path}: only files are sorted; found {found}, which stays where it is"
        if rule.verb == "move" and path.is_symlink():
            return f"{path}: a symbolic link is not moved; move the file that it leads to"
    return ""


class _Names:
    """The names that are taken in the folders that receive files."""

    def __init__(self, reserved: Iterable[Path]) -> None:
        self._taken: dict[Path, dict[str, Path | None]] = {}
        self._reserved: dict[Path, list[str]] = {}
        for path in reserved:
            self._reserved.setdefault(path.parent, []).append(path.name)

    def stem(self, folder: Path, photograph: Photograph) -> str:
        """Return the stem for the names of a photograph, with a number if another photograph has it.

        Two images of one folder may keep a common stem.
        """
        if folder not in self._taken:
            self._taken[folder] = dict.fromkeys(_stems([*_listed(folder), *self._reserved.get(folder, [])]))
        taken, origin, stem = self._taken[folder], photograph.files[0].parent, photograph.files[0].stem
        for number in itertools.count(1):
            name = stem if number == 1 else f"{stem}-{number}"
            if taken.setdefault(os.path.normcase(name), origin) == origin:
                return name
        raise AssertionError


def _listed(folder: Path) -> list[str]:
    """Return the names in a folder, which may not exist."""
    try:
        return [path.name for path in folder.iterdir()]
    except OSError:
        return []


def _stems(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        stem = PurePath(name).stem
        yield os.path.normcase(stem)
        if _is_sidecar(name):
            yield os.path.normcase(PurePath(stem).stem)


def _transfers_of_sidecars(
    photograph: Photograph,
    rule: Rule,
    stats: Mapping[Path, os.stat_result],
    known: Mapping[Path, Earlier | None],
) -> tuple[Transfer, ...] | None:
    """Return the transfers of what is new since an earlier run, if only sidecar files are; else None."""
    first, found = photograph.files[0], []
    image = known.get(first)
    for path, status in stats.items():
        earlier = known.get(path)
        # A link to a file that changed still leads to it.
        if earlier and (rule.verb == "link" or earlier[1:] == (status.st_size, status.st_mtime_ns)):
            continue
        if image is None or not _is_sidecar(path.name):
            return None
        begin = image.target.name.removesuffix(first.name.removeprefix(first.stem))
        target = image.target.with_name(fit_name(begin, path.name.removeprefix(first.stem)))
        if earlier:
            target = earlier.target
        elif os.path.lexists(target):
            return None
        found.append(_transfer(rule, path, target, status)._replace(replaces=earlier and earlier[1:]))
    return tuple(found)


def _transfers(
    photograph: Photograph, rule: Rule, stats: Mapping[Path, os.stat_result], taken: _Names
) -> Iterator[Transfer]:
    folder, stem = rule.folder / photograph.relative.parent, photograph.files[0].stem
    begin = taken.stem(folder, photograph)
    for path in photograph.files:
        yield _transfer(rule, path, folder / fit_name(begin, path.name.removeprefix(stem)), stats[path])


def _transfer(rule: Rule, path: Path, target: Path, status: os.stat_result) -> Transfer:
    return Transfer(rule.verb, path.absolute(), target, status.st_size, status.st_mtime_ns, str(path))
