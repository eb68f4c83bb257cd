"""The names of the focus measures, and checks of arguments. May import `errors`.

Help and shell completion need these names, and must not load NumPy as `edgekit.focus.measures` does.
"""

import math
from collections.abc import Collection, Iterable, Mapping
from numbers import Real
from typing import Any

from edgekit.errors import ParameterError

#: The score that `edgekit score` computes by default. It is not one of the focus measures.
SCORE = "score"

#: A measure of `edgekit focus` that is not one of the focus measures: 1 over the width of the blur.
BLUR = "blur"

#: What the score is computed from: further columns of its rows.
DETAILS = ("blur_px", "blur_direction", "confidence")

#: Whether the score judges an image at viewing size or at full size.
JUDGED_AT = ("view", "full")

#: The names of the focus measures, in the order of the table in `edgekit.focus.measures`.
MEASURE_NAMES = (
    "laplacian_variance",
    "laplacian_energy",
    "modified_laplacian",
    "tenengrad",
    "tenengrad_variance",
    "brenner",
    "squared_gradient",
    "normalised_variance",
    "vollath_f4",
    "vollath_f5",
    "laplacian_gradient_ratio",
    "crete_roffet",
    "wavelet_ratio",
)


#: Longest representation of a value in an error message, in characters.
LONGEST = 60


def shown(value: object) -> str:
    """Return a value as a short text for an error message; of a large array only the type and the shape.

    Examples
    --------
    >>> shown("reflct"), shown(1.5), shown("a" * 99)
    ("'reflct'", '1.5', "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...")
    """
    text = " ".join(repr(value).split())
    if len(text) <= LONGEST:
        return text
    if getattr(value, "ndim", 0):
        return f"<{type(value).__name__} of shape {tuple(getattr(value, 'shape', ()))}>"
    return f"{text[: LONGEST - 3]}..."


def did_you_mean(name: object, choices: Iterable[str], other_names: Mapping[str, str] | None = None) -> str:
    """Return " Did you mean 'x'?" for the most similar choice; an empty text if no choice is similar.

    Parameters
    ----------
    other_names : mapping, optional
        Choices by the names that they have in other libraries.

    Examples
    --------
    >>> did_you_mean("soble", ["sobel", "scharr"])
    " Did you mean 'sobel'?"
    """
    from difflib import get_close_matches

    other = (other_names or {}).get(str(name).lower().removeprefix("cv2."))
    similar = [other] if other else get_close_matches(name, list(choices), 1) if isinstance(name, str) else []
    return f" Did you mean {similar[0]!r}?" if similar else ""


def unknown_choice(
    option: str, value: object, choices: Iterable[str], other_names: Mapping[str, str] | None = None
) -> str:
    """Return the error message for an option whose value is not one of `choices`.

    Examples
    --------
    >>> unknown_choice("border", "reflct", ["reflect", "wrap"])
    "border='reflct' is not known. Did you mean 'reflect'? Choose one of reflect, wrap"
    >>> unknown_choice("border", "none", ["reflect", "wrap"])
    "border='none' is not known; choose one of reflect, wrap"
    """
    choices = list(choices)
    question = did_you_mean(value, choices, other_names)
    advice = f".{question} Choose" if question else "; choose"
    return f"{option}={shown(value)} is not known{advice} one of {', '.join(choices)}"


def check_choice(
    option: str, value: object, choices: Collection[str], other_names: Mapping[str, str] | None = None
) -> None:
    """Raise `ParameterError` unless the value of an option is one of `choices`."""
    if not isinstance(value, str) or value not in choices:
        raise ParameterError(unknown_choice(option, value, choices, other_names))


def plain_number(number: Any) -> Any:
    """Return a NumPy or torch scalar as a Python number, and other objects unchanged."""
    return number.item() if getattr(number, "ndim", 1) == 0 and hasattr(number, "item") else number


def real_number(option: str, value: Any, expected: str = "a finite number") -> float:
    """Return the value of an option as a finite number.

    Raises
    ------
    ParameterError
        If it is none; the message says what was `expected`.
    """
    number = plain_number(value)
    if isinstance(number, bool) or not isinstance(number, Real) or not math.isfinite(number):
        raise ParameterError(f"{option}={shown(value)} must be {expected}")
    return float(number)


def check_flag(option: str, value: Any) -> None:
    """Raise `ParameterError` unless the value of an option is True or False."""
    if not isinstance(plain_number(value), bool):
        raise ParameterError(f"{option}={shown(value)} must be True or False")


def number_range(option: str, value: Any) -> tuple[float, float]:
    """Return the value of an option as the lower and upper end of a range.

    Raises
    ------
    ParameterError
        If it is not two finite numbers, the smaller one first.
    """
    expected = "two finite numbers (low, high), low not above high"
    pair = value if isinstance(value, tuple | list) or getattr(value, "ndim", 0) == 1 else ()
    if len(pair) != 2:
        raise ParameterError(f"{option}={shown(value)} must be {expected}")
    low, high = (real_number(option, end, expected) for end in pair)
    if low > high:
        raise ParameterError(f"{option}={shown(value)} must be {expected}")
    return low, high
