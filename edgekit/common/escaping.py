"""Escapes file names and messages before they are printed or written to tables. Imports the standard library only.

A file name may contain anything: terminal control codes, line breaks, spreadsheet formulas, bytes that are not UTF-8.
"""

import re

# Control characters, marks that change the writing direction, line and paragraph separators, and surrogates, which
# Python uses for bytes that are not UTF-8.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}

#: A program takes a word that starts with one of these for an option, a spreadsheet takes it for a formula.
_AMBIGUOUS_START = tuple("-=+@\t\r")


def escape_controls(text: str) -> str:
    r"""Return a text as one line without control characters: they are replaced by C escapes.

    Examples
    --------
    >>> print(escape_controls("a\x1b[2J\nb"))
    a\x1b[2J\nb
    """
    return _UNSAFE.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    char = match[0]
    # Python decodes a byte that is not UTF-8 to a surrogate from U+DC80 on.
    code = ord(char) - 0xDC00 if "\udc80" <= char <= "\udcff" else ord(char)
    return _SHORT.get(char) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


def escape_cell(message: str) -> str:
    r"""Return a message as one table cell that no spreadsheet reads as a formula.

    In countries where semicolons separate cells, a formula could also start after a semicolon. A space goes there.

    Examples
    --------
    >>> print(escape_cell("not there;=1+2.png\n"))
    not there; =1+2.png\n
    """
    return re.sub('(?<=;)(?="*[-=+@])', " ", escape_controls(unambiguous_path(message)))


def unambiguous_path(path: str) -> str:
    """Return a path that cannot be taken for an option or a formula: it gets ./ in front where it needs that.

    Examples
    --------
    >>> unambiguous_path("=1+2.png"), unambiguous_path("photos/=1+2.png")
    ('./=1+2.png', 'photos/=1+2.png')
    """
    return f"./{path}" if path.startswith(_AMBIGUOUS_START) else path
