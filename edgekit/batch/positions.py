"""The positions of the images of a focus stack from a file. May import `io` and what is below it."""

import csv
import math
from pathlib import Path

from edgekit.batch.stack_planes import PlaneStack
from edgekit.errors import ParameterError, UnreadableError


class Positions:
    """The positions of the images: numbers in order, or by file name.

    Parameters
    ----------
    path : path, optional
        A text file with a number in each line, or a name and a number separated by a comma. Empty lines, lines that
        begin with ``#`` and a header are skipped.

    Raises
    ------
    UnreadableError
        If it cannot be read.
    ParameterError
        If it contains something else.
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self._path = path
        self._numbers: list[float] = []
        self._by_name: dict[str, float] = {}
        if path is not None:
            self._fill(Path(path))

    def _fill(self, path: Path) -> None:
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise UnreadableError(f"{path}: cannot be read: {error}") from error
        lines = [cells for cells in csv.reader(text.splitlines()) if any(cells) and not cells[0].startswith("#")]
        for n, cells in enumerate(lines):
            try:
                number = float(cells[-1])
            except ValueError:
                number = math.nan
            if len(cells) > 2 or not math.isfinite(number):
                if n == 0 and len(lines) > 1:
                    continue
                raise ParameterError(f"{path}: expected a number, or name,position; found {','.join(cells)!r}")
            if len(cells) == 2:
                self._by_name[cells[0].strip()] = number
            else:
                self._numbers.append(number)
        if self._numbers and self._by_name:
            raise ParameterError(f"{path}: some lines have a name and some do not; give all of them a name, or none")
        if not lines:
            raise ParameterError(f"{path}: contains no positions")

    def given_to(self, stack: PlaneStack) -> PlaneStack:
        """Return a stack with the positions of the file, whose unit is not known; the stack itself without a file.

        Raises
        ------
        ParameterError
            If an image has no position, or the numbers of images and positions differ.
        """
        if self._path is None:
            return stack
        names = [plane.name for plane in stack.planes]
        of_stack = f" of {stack.name}" if stack.name else ""
        if not self._by_name:
            if len(self._numbers) != len(names):
                raise ParameterError(
                    f"{self._path}: {len(self._numbers)} positions for {len(names)} images{of_stack}; write one in "
                    "each line"
                )
            return stack._replace(positions=tuple(self._numbers), unit="")
        found = [self._by_name.get(name, self._by_name.get(Path(name).name)) for name in names]
        missing = [name for name, position in zip(names, found, strict=True) if position is None]
        if missing:
            raise ParameterError(f"{self._path}: no position for {missing[0]}; add a line {Path(missing[0]).name},…")
        return stack._replace(positions=tuple(position for position in found if position is not None), unit="")
