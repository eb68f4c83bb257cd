"""Rows as Parquet: one file, or a folder of parts. Needs PyArrow, of the extra ``parquet``.

May import `io` and what is below it.
"""

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

from edgekit.common.extras import install_command
from edgekit.errors import MissingExtraError, OutputError
from edgekit.io.writing import open_atomic

#: Rows of a row group, which is held in memory.
GROUP = 50_000

#: Rows of a part of a folder.
PART = 1_000_000

#: Types of the columns, by their names in PyArrow. The columns of measures are float64.
TYPES = {
    "path": "string", "page": "int64", "frame": "int64", "moment": "int64", "time": "float64", "bytes": "int64",
    "mtime": "float64",
    "width": "int64", "height": "int64", "blurred": "bool", "status": "string", "reason": "string", "scorer": "string",
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
        raise MissingExtraError(f"a Parquet file or Arrow table needs PyArrow: {install_command('parquet')}") from None
    return pyarrow


def write_file(path: Path, columns: Sequence[str], records: Iterable[Mapping[str, Any]]) -> None:
    r"""Write one Parquet file. It appears whole or not at all.

    Text in Parquet is UTF-8. Bytes of a file name that are not UTF-8 are written as ``\xff``.

    Raises
    ------
    OutputError
        If it cannot be written.
    MissingExtraError
        If PyArrow is not installed.
    """
    pyarrow, schema = library(), _schema(columns)
    records = iter(records)
    with open_atomic(path) as file, pyarrow.parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        while group := list(islice(records, GROUP)):
            writer.write_table(table(columns, group))


def table(columns: Sequence[str], records: Sequence[Mapping[str, Any]]) -> Any:
    """Return the records as a `pyarrow.Table`.

    Raises
    ------
    MissingExtraError
        If PyArrow is not installed.
    """
    values = {name: [_value(record[name]) for record in records] for name in columns}
    return library().table(values, _schema(columns))


def _schema(columns: Sequence[str]) -> Any:
    return library().schema([(name, TYPES.get(name, "float64")) for name in columns])


def write_folder(folder: Path, columns: Sequence[str], records: Iterable[Mapping[str, Any]]) -> None:
    """Write ``part-00000.parquet`` and so on, of `PART` rows each. The folder appears whole or not at all.

    It replaces all parts of an earlier run at once.

    Raises
    ------
    OutputError
        If it cannot be written, or the folder contains other files.
    MissingExtraError
        If PyArrow is not installed.
    """
    for other in (path for path in folder.glob("*") if not path.match("part-*.parquet")):
        raise OutputError(f"{other}: not a part of rows, and {folder} is replaced as a whole; choose another folder")
    unfinished, records = folder.with_name(f".{folder.name}.edgekit-parts"), iter(records)
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        # The first part has the columns, even if there are no rows.
        write_file(unfinished / "part-00000.parquet", columns, islice(records, PART))
        for number, record in enumerate(records, 1):
            part = chain([record], islice(records, PART - 1))
            write_file(unfinished / f"part-{number:05}.parquet", columns, part)
        _replace_folder(folder, unfinished)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _replace_folder(folder: Path, new: Path) -> None:
    old = folder.with_name(f".{folder.name}.edgekit-old")
    shutil.rmtree(old, ignore_errors=True)
    try:
        if folder.is_dir():
            folder.replace(old)
        else:
            folder.unlink(missing_ok=True)
        new.replace(folder)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written: {error.strerror or error}") from error
    shutil.rmtree(old, ignore_errors=True)


def _value(value: Any) -> Any:
    if isinstance(value, str):
        return os.fsencode(value).decode("utf-8", "backslashreplace") or None
    return value
