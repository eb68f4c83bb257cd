"""The names of the focus measures, and error messages for unknown names. Imports the standard library only.

Help and shell completion need these names, and must not load NumPy as `edgekit.focus.measures` does.
"""

from collections.abc import Iterable

#: The score that `edgekit score` computes by default. It is not one of the focus measures.
SCORE = "score"

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


def did_you_mean(name: object, choices: Iterable[str]) -> str:
    """Return " Did you mean 'x'?" for the most similar choice; an empty text if no choice is similar.

    Examples
    --------
    >>> did_you_mean("soble", ["sobel", "scharr"])
    " Did you mean 'sobel'?"
    """
    from difflib import get_close_matches

    similar = get_close_matches(name, list(choices), 1) if isinstance(name, str) else []
    return f" Did you mean {similar[0]!r}?" if similar else ""


def unknown_choice(option: str, value: object, choices: Iterable[str]) -> str:
    """Return the error message for an option whose value is not one of `choices`.

    Examples
    --------
    >>> unknown_choice("border", "reflct", ["reflect", "wrap"])
    "border='reflct' is not known. Did you mean 'reflect'? Choose one of reflect, wrap"
    >>> unknown_choice("border", "mirror", ["reflect", "wrap"])
    "border='mirror' is not known; choose one of reflect, wrap"
    """
    choices = list(choices)
    question = did_you_mean(value, choices)
    advice = f".{question} Choose" if question else "; choose"
    return f"{option}={value!r} is not known{advice} one of {', '.join(choices)}"
