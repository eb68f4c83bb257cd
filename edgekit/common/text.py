"""Names of files are anybody's: how they are shown, and how they are written down.

Imports only the standard library.
"""

import re

# Controls, which move a terminal's cursor and worse; marks that turn the direction of writing; line and paragraph
# separators; bytes that are no text, and halves of characters.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}

#: A word that begins so is an option to a program, or a formula to a spreadsheet.
_MISTAKEN = tuple("-=+@\t\r")


def printable(text: str) -> str:
    r"""Return a text as one line that does nothing to a terminal: what would is written as in C.

    Examples
    --------
    >>> print(printable("a\x1b[2J\nb"))
    a\x1b[2J\nb
    """
    return _UNPRINTABLE.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    char = found[0]
    # Python keeps a byte that is no text as half a character.
    code = ord(char) - 0xDC00 if "\udc80" <= char <= "\udcff" else ord(char)
    return _SHORT.get(char) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


def legible(reason: str) -> str:
    r"""Return a reason, which may quote names, with no line, cell or formula of theirs in it.

    Only the first cell of a line is still one where cells are parted by semicolons.

    Examples
    --------
    >>> print(legible("not there;=1+2.png\n"))
    not there; =1+2.png\n
    """
    return re.sub('(?<=;)(?="*[-=+@])', " ", printable(unmistakable(reason)))


def unmistakable(path: str) -> str:
    """Return a path that is taken for nothing else: the same file, named from its folder where the name needs it.

    Examples
    --------
    >>> unmistakable("=1+2.png"), unmistakable("photos/=1+2.png")
    ('./=1+2.png', 'photos/=1+2.png')
    """
    return f"./{path}" if path.startswith(_MISTAKEN) else path
