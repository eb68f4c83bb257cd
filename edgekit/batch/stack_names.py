"""The indices in the names of files: which channel, time, position and depth each image of a focus stack has.

May import `io` and what is below it.
"""

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from edgekit.batch.sources import natural
from edgekit.errors import ParameterError

#: The axes that a stack may have beside its depth, by their letters on the command line, and what messages call them.
AXES = {"c": "channel", "t": "time", "s": "position"}

#: The words before an index in a file name, by axis. w is the wavelength.
WORDS = {
    "z": ("z", "slice"), "c": ("c", "ch", "channel", "w", "wave"), "t": ("t", "time"), "s": ("s", "pos", "position"),
}  # fmt: skip

#: Words after a letter or a date are no words: the T of 20260131T120000 begins a time of day.
_INDEX = re.compile(
    r"(?<![a-z])(?<!\d{8})(?<!\d-\d\d)(?:"
    + "|".join(f"(?P<{axis}>{'|'.join(words)})" for axis, words in WORDS.items())
    + r")[ =_]?(?P<minus>-?)(?P<number>\d+(?:\.\d+)?)",
    re.IGNORECASE,
)

#: What each part of a pattern for file names stands for.
_PARTS = {"z": r"(?P<z>-?\d+(?:\.\d+)?)", "t": r"(?P<t>\d+)", "s": r"(?P<s>[^/\\]+?)", "c": r"(?P<c>[^/\\]+?)",
          "*": ".*"}  # fmt: skip

#: What to do about names that are not clear.
_ADVICE = "state where the indices are with --pattern, such as {c}_{t}_{z}.tif or {c}/{z}.tif, or leave files out"

#: Depths without an image that a message lists.
_LISTED = 5

Index = Mapping[str, str]


class NamedFiles(NamedTuple):
    """The files of one stack.

    Attributes
    ----------
    label : tuple of (str, str)
        Their channel, time and position, if the files have several.
    paths : list of Path
        In order.
    positions : tuple of float
        Their indices of the depth; 0, 1, 2 and so on if their names have none.
    note : str
        Which depths have no file; empty if none is missing.
    """

    label: tuple[tuple[str, str], ...]
    paths: list[Path]
    positions: tuple[float, ...]
    note: str = ""


def grouped(paths: Sequence[Path], pattern: str | None, on_skipped: Callable[[Path], object]) -> list[NamedFiles]:
    """Return the stacks of files by the indices in their names; all in one stack if the names have no depth.

    Parameters
    ----------
    paths : sequence of Path
        The files in order.
    pattern : str, optional
        Where the names have their indices. Default: after words such as z.
    on_skipped : callable
        Called with each file that does not match the pattern.

    Raises
    ------
    ParameterError
        If no name fits the pattern, some names have no index, or two files have the same indices.
    """
    if pattern is None:
        found = _by_words(paths)
    else:
        found = {path: _by_pattern(path, pattern) for path in paths}
        for path in [path for path, index in found.items() if not index]:
            on_skipped(path)
            del found[path]
        if paths and not found:
            raise ParameterError(f"no name fits the pattern {pattern}; one of them is {paths[0].name}")
    varying = [axis for axis in ("z", *AXES) if len({index.get(axis) for index in found.values()}) > 1]
    unlike = [path for path, index in found.items() if not set(varying) <= index.keys()]
    if unlike and "z" in varying:
        raise ParameterError(
            f"some of the names have an index of the {_in_words(varying)}, and some such as {unlike[0].name} do not; "
            f"{_ADVICE}"
        )
    groups: dict[tuple[tuple[str, str], ...], list[Path]] = {}
    for path, index in found.items():
        groups.setdefault(tuple((axis, index.get(axis, "")) for axis in varying if axis != "z"), []).append(path)
    if pattern is None and "z" not in varying:
        if len(varying) > 0 and not unlike and max(map(len, groups.values())) > 1:
            raise ParameterError(
                f"the names have an index of the {_in_words(varying)}, and none of the depth, such as "
                f"{next(iter(found)).name}; {_ADVICE}"
            )
        _check_words(list(found))
        # No index, or a single one such as the time: it only numbers the images.
        return [NamedFiles((), list(paths), tuple(map(float, range(len(paths)))))] if paths else []
    ordered = sorted(groups.items(), key=lambda item: [natural(value) for _, value in item[0]])
    in_order = pattern is None and len(ordered) == 1
    return [_stack(label, [(float(found[p]["z"]), p) for p in files], in_order) for label, files in ordered]


def _stack(label: tuple[tuple[str, str], ...], files: list[tuple[float, Path]], in_order: bool) -> NamedFiles:
    """Return a stack; its files are sorted by depth, unless they are in order."""
    by_depth = sorted(files, key=lambda file: file[0])
    for (z, first), (again, second) in itertools.pairwise(by_depth):
        if z == again:
            raise ParameterError(f"{first} and {second} have the same indices; {_ADVICE}")
    positions, paths = zip(*(files if in_order else by_depth), strict=True)
    return NamedFiles(label, list(paths), positions, _missing([z for z, _ in by_depth]))


def _missing(depths: Sequence[float]) -> str:
    """Return a message about the depths that are missing in steps of the smallest distance."""
    gaps = list(itertools.pairwise(depths))
    step = min((after - before for before, after in gaps), default=1.0)
    counts = [round((after - before) / step) - 1 for before, after in gaps]
    if not sum(counts):
        return ""
    missing = [before + n * step for (before, _), count in zip(gaps, counts, strict=True)
               for n in range(1, min(count, _LISTED) + 1)]  # fmt: skip
    more = f" and {sum(counts) - _LISTED} more" if sum(counts) > _LISTED else ""
    return f"no image has the depth {', '.join(f'{z:g}' for z in missing[:_LISTED])}{more}"


def _in_words(axes: Sequence[str]) -> str:
    return " and the ".join({"z": "depth", **AXES}[axis] for axis in axes)


def _by_words(paths: Sequence[Path]) -> dict[Path, Index]:
    """Return the indices that follow words such as z and channel, in names and in folders that not all files share."""
    found: dict[Path, dict[str, str]] = {}
    signs = set()
    for path, name in _different_parts(paths).items():
        found[path] = {}
        for match in _INDEX.finditer(name):
            axis = next(a for a in WORDS if match[a])
            number = match["number"]
            found[path][axis] = match["minus"] + number if axis == "z" else _plain(number.split(".")[0])
            signs |= {match["minus"]} if axis == "z" else set()
    # A hyphen before all depths is none of their signs.
    for index in found.values():
        if "z" in index:
            index["z"] = _plain(index["z"] if len(signs) > 1 else index["z"].lstrip("-"))
    return {**found}


def _check_words(paths: Sequence[Path]) -> None:
    """Raise if groups of files whose names differ in letters have the same numbers, such as those of two channels."""
    groups: dict[str, list[list[str]]] = {}
    for name in _different_parts(paths).values():
        groups.setdefault(re.sub(r"\d+", "#", name), []).append([_plain(n) for n in re.findall(r"\d+", name)])
    seen: dict[tuple[tuple[str, ...], ...], str] = {}
    for name, numbers in groups.items():
        changing = [column for column in zip(*numbers, strict=True) if len(set(column)) > 1]
        key = tuple(sorted(zip(*changing, strict=True)))
        if key and seen.setdefault(key, name) != name:
            raise ParameterError(
                f"the names look like those of several stacks, such as {seen[key]} and {name}; {_ADVICE}"
            )


def _different_parts(paths: Sequence[Path]) -> dict[Path, str]:
    """Return the names of files without their endings, with the folders that not all of them share."""
    parts = {path: path.as_posix().split("/") for path in paths}
    shared = 0
    for names in zip(*(each[:-1] for each in parts.values()), strict=False):
        if len(set(names)) > 1:
            break
        shared += 1
    return {path: "/".join([*each[shared:-1], path.stem]) for path, each in parts.items()}


def _by_pattern(path: Path, pattern: str) -> Index:
    """Return the indices in a name, at the places that the pattern states; none if it does not fit."""
    pieces = re.split(r"(\{[a-z]\}|\*)", pattern)
    names = [piece[1:-1] for piece in pieces if piece.startswith("{")]
    unknown = [name for name in names if name not in WORDS]
    if unknown or "z" not in names or len(set(names)) < len(names):
        raise ParameterError(
            f"--pattern {pattern} must contain {{z}} and may contain {{c}}, {{t}} and {{s}}, each once, for depth, "
            "channel, time and position; * is any text"
        )
    parts = [
        _PARTS[piece.strip("{}")] if piece == "*" or piece.startswith("{") else re.escape(piece) for piece in pieces
    ]
    # A pattern may name folders.
    name = "/".join(path.as_posix().split("/")[-1 - pattern.count("/") :])
    match = re.fullmatch("".join(parts), name)
    return {} if match is None else {axis: _plain(value) for axis, value in match.groupdict().items()}


def _plain(value: str) -> str:
    """Return an index without leading zeros."""
    return str(int(value)) if value.lstrip("-").isdecimal() else value
