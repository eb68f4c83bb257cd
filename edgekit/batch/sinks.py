"""Where rows go: files, by their endings, that appear whole or not at all."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

from edgekit.batch.text_rows import Record, csv_lines, json_lines
from edgekit.errors import ParameterError
from edgekit.io.stores import StorePath, path_of
from edgekit.io.writing import placing

#: Writes records that all have the same columns.
Sink = Callable[[Sequence[str], Iterable[Record]], None]


def nowhere(_: Sequence[str], records: Iterable[Record]) -> None:
    """Take records and keep none."""
    deque(records, maxlen=0)


def sink_of(output: str) -> Sink:
    """Return what writes `output`, a file or its URL; one that ends in ``.parquet/`` is a folder of parts.

    Raises
    ------
    ParameterError
        If rows are not written in this form.
    MissingExtraError
        If the library for it is not installed.
    """
    path = path_of(output)
    ending, folder = path.suffix.lower(), output.endswith(("/", os.sep)) or path.is_dir()
    if ending == ".parquet":
        from edgekit.batch import parquet

        parquet.library()
        if folder and isinstance(path, StorePath):
            raise ParameterError(f"{path}: parts are written into a folder of this machine; name one, or a single file")
        return partial(parquet.write_folder if folder else parquet.write_file, path)
    if ending not in _LINES or folder:
        raise ParameterError(
            f"{path}: rows are written as {', '.join(_LINES)} or .parquet, or as a folder .parquet/ of parts; "
            "choose one of these"
        )
    return partial(_write_lines, _LINES[ending], path)


_LINES: dict[str, Callable[[Sequence[str], Iterable[Record]], Iterator[str]]] = {
    ".csv": csv_lines,
    ".jsonl": lambda _, records: json_lines(records),
}


def _write_lines(
    lines: Callable[[Sequence[str], Iterable[Record]], Iterator[str]],
    path: Path,
    columns: Sequence[str],
    records: Iterable[Record],
) -> None:
    with placing(path) as file:
        for line in lines(columns, records):
            # File names may hold bytes that are no text; they come back as they were.
            file.write(os.fsencode(line))
