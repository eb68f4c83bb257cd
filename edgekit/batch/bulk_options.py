"""Checks the arguments of `edgekit.score_files` and `edgekit.filter_files`. May import `io` and what is below it."""

import os
from collections.abc import Iterable, Sequence
from numbers import Integral, Real
from typing import Any

from edgekit.batch.path_lists import ListedPath
from edgekit.common.choices import check_choice, plain_number, real_number, shown
from edgekit.errors import ParameterError
from edgekit.io.stores import StorePath, path_of

#: A path, a folder, a glob or a URL; or several paths of files.
Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]


def inputs_of(paths: Paths) -> list[str]:
    """Return the inputs: one as it is, or the paths of files.

    Raises
    ------
    ParameterError
        If it is something else.
    """
    if isinstance(paths, str | os.PathLike | StorePath):
        return [str(path_of(paths)) if not isinstance(paths, str) else paths]
    if isinstance(paths, bytes | dict) or not isinstance(paths, Iterable) or getattr(paths, "ndim", 1) != 1:
        raise ParameterError(f"expected a path, or an iterable of paths; found {shown(paths)}")
    found = list(paths)
    for path in found:
        if not isinstance(path, str | os.PathLike | StorePath):
            raise ParameterError(f"expected paths of files; found {shown(path)} among them")
    return [ListedPath(os.fspath(path)) for path in found]


def texts(name: str, values: Any) -> tuple[str, ...]:
    """Return several texts. One text by itself would be taken for its letters."""
    if isinstance(values, str) or not isinstance(values, Iterable) or getattr(values, "ndim", 1) != 1:
        raise ParameterError(f"{name}={shown(values)} must be a sequence of texts, such as [{shown(values)}]")
    return tuple(text(name, value) for value in values)


def region(roi: Any) -> tuple[int, int, int, int] | None:
    """Return a region as a tuple."""
    if roi is None:
        return None
    several = isinstance(roi, Iterable) and getattr(roi, "ndim", 1) == 1
    found = tuple(map(plain_number, roi)) if several else ()
    if len(found) != 4 or not all(type(value) is int for value in found):
        raise ParameterError(f"roi={shown(roi)} must be four integers: x, y, width and height in pixels")
    return found


def text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ParameterError(f"{name}={shown(value)} must be a text")
    return value


def angles(angle: Any) -> tuple[float | None, ...]:
    """Return each angle once; None is the magnitude."""
    if angle is None:
        return (None,)
    several = angle if isinstance(angle, Sequence) and not isinstance(angle, str) else (angle,)
    return tuple(dict.fromkeys(real_number("angle", one) for one in several))


def check_counts(**counts: Any) -> None:
    """Raise unless each value is None or a whole number, at least 1."""
    for name, value in counts.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, Integral) or value < 1):
            raise ParameterError(f"{name}={shown(value)} must be a whole number, at least 1")


def check_choices(**given: tuple[Any, Sequence[str]]) -> None:
    """Raise unless each value is one of its choices."""
    for name, (value, choices) in given.items():
        check_choice(name, value, choices)


def optional_number(name: str, value: Any) -> float | None:
    """Return a finite number; None stays None."""
    return None if value is None else real_number(name, value)


def number_or_text(name: str, value: Any, example: str) -> Any:
    """Return a number or a text, which the job checks; None stays None."""
    number = plain_number(value)
    if number is not None and (isinstance(number, bool) or not isinstance(number, Real | str)):
        raise ParameterError(f"{name}={shown(value)} must be {example}")
    return number
