"""Where rows of scores go: files, by their endings, that appear whole or not at all."""

import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from edgekit.batch.book import Row
from edgekit.batch.tables import Table
from edgekit.errors import ParameterError
from edgekit.io.stores import StorePath, path_of
from edgekit.io.writing import placing

#: Writes rows.
Sink = Callable[[Table, Iterable[Row]], None]


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
            f"{path}: scores are written as {', '.join(_LINES)} or .parquet, or as a folder .parquet/ of parts; "
            "choose one of these"
        )
    return partial(_write_lines, _LINES[ending], path)


_LINES: dict[str, Callable[[Table, Iterable[Row]], Iterator[str]]] = {".csv": Table.csv, ".jsonl": Table.jsonl}


def _write_lines(
    lines: Callable[[Table, Iterable[Row]], Iterator[str]], path: Path, table: Table, rows: Iterable[Row]
) -> None:
    with placing(path) as file:
        for line in lines(table, rows):
            # File names may hold bytes that are no text; they come back as they were.
            file.write(os.fsencode(line))
