"""Names that users type: focus measures, and messages for unknown names. Standard library only.

`measures` loads NumPy; help and completion need only the names.
"""

from collections.abc import Iterable

#: The score that `edgekit score` gives, beside the focus measures.
SCORE = "score"

#: The focus measures, in the order of their rows in `measures`.
MEASURES = (
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


def suggestion(name: object, names: Iterable[str]) -> str:
    """Return a question for the name that was probably meant, with a space before it; nothing if none is similar.

    Examples
    --------
    >>> suggestion("soble", ["sobel", "scharr"])
    " Did you mean 'sobel'?"
    """
    from difflib import get_close_matches

    similar = get_close_matches(name, list(names), 1) if isinstance(name, str) else []
    return f" Did you mean {similar[0]!r}?" if similar else ""


def unknown(option: str, value: object, names: Iterable[str]) -> str:
    """Return the message for an option whose value is none of `names`.

    Examples
    --------
    >>> unknown("border", "reflct", ["reflect", "wrap"])
    "border='reflct' is not known. Did you mean 'reflect'? Choose one of reflect, wrap"
    >>> unknown("border", "mirror", ["reflect", "wrap"])
    "border='mirror' is not known; choose one of reflect, wrap"
    """
    names = list(names)
    meant = suggestion(value, names)
    return f"{option}={value!r} is not known{f'.{meant} Choose' if meant else '; choose'} one of {', '.join(names)}"
