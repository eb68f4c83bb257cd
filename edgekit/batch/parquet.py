"""Rows as Parquet, by PyArrow of the extra ``parquet``: one file, or a folder of parts."""

import os
import shutil
from collections.abc import Iterable, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

from edgekit.batch.text_rows import Record
from edgekit.common.extras import install_command
from edgekit.errors import MissingExtraError, OutputError
from edgekit.io.writing import placing

#: Rows of a row group: so many are in memory at a time.
GROUP = 50_000

#: Rows of a part, where a folder is written.
PART = 1_000_000

#: Types of the columns, by their names in PyArrow; those of the measures are float64.
_TYPES = {
    "path": "string", "frame": "int64", "time": "float64", "bytes": "int64", "mtime": "float64", "width": "int64",
    "height": "int64", "blurred": "bool", "status": "string", "reason": "string", "scorer": "string",
    "input": "string", "output": "string", "filter": "string", "clipped": "int64",
}  # fmt: skip


def library() -> Any:
    """Return PyArrow.

    Raises
    ------
    MissingExtraError
        If it is not installed.
    """
    try:
        import pyarrow.parquet
    except ModuleNotFoundError:
        raise MissingExtraError(f"writing Parquet needs PyArrow: {install_command('parquet')}") from None
    return pyarrow


def write_file(path: Path, columns: Sequence[str], records: Iterable[Record]) -> None:
    r"""Write one Parquet file; it appears whole or not at all.

    Text in Parquet is UTF-8: other bytes of a file's name are written as ``\xff``.

    Raises
    ------
    OutputError
        If it cannot be written.
    MissingExtraError
        If PyArrow is not installed.
    """
    pyarrow = library()
    schema = pyarrow.schema([(name, _TYPES.get(name, "float64")) for name in columns])
    records = iter(records)
    with placing(path) as file, pyarrow.parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        while group := list(islice(records, GROUP)):
            values = {name: [_value(record[name]) for record in group] for name in columns}
            writer.write_table(pyarrow.table(values, schema))


def write_folder(folder: Path, columns: Sequence[str], records: Iterable[Record]) -> None:
    """Write ``part-00000.parquet`` and so on, of `PART` rows each; the folder appears whole or not at all.

    The parts of an earlier run give way to all of the new ones at once.

    Raises
    ------
    OutputError
        If they cannot be written, or the folder holds anything else.
    MissingExtraError
        If PyArrow is not installed.
    """
    for other in (path for path in folder.glob("*") if not path.match("part-*.parquet")):
        raise OutputError(f"{other}: is no part of rows, and {folder} is written as a whole; name another folder")
    unfinished, records = folder.with_name(f".{folder.name}.edgekit-parts"), iter(records)
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        # Without any row there is a part that knows the columns.
        write_file(unfinished / "part-00000.parquet", columns, islice(records, PART))
        for number, record in enumerate(records, 1):
            part = chain([record], islice(records, PART - 1))
            write_file(unfinished / f"part-{number:05}.parquet", columns, part)
        _exchange(unfinished, folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _exchange(unfinished: Path, folder: Path) -> None:
    old = folder.with_name(f".{folder.name}.edgekit-old")
    shutil.rmtree(old, ignore_errors=True)
    try:
        if folder.is_dir():
            folder.replace(old)
        else:
            folder.unlink(missing_ok=True)
        unfinished.replace(folder)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written: {error.strerror or error}") from error
    shutil.rmtree(old, ignore_errors=True)


def _value(value: Any) -> Any:
    if isinstance(value, str):
        return os.fsencode(value).decode("utf-8", "backslashreplace") or None
    return value
