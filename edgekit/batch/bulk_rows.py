"""The rows of a run as a sequence, and as tables of other libraries. May import `io` and what is below it."""

import importlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, SupportsIndex, overload

from edgekit.batch.parquet import TYPES, table
from edgekit.batch.rows import Record
from edgekit.common.extras import pip_command
from edgekit.errors import MissingExtraError

#: The types of columns in other libraries, by their names in PyArrow.
_PANDAS = {"int64": "Int64", "float64": "float64", "bool": "boolean", "string": "object"}
_POLARS = {"int64": "Int64", "float64": "Float64", "bool": "Boolean", "string": "String"}


class Rows(Sequence[Record]):
    """The rows of a run: a sequence of dicts, one for each image.

    Attributes
    ----------
    columns : tuple of str
        The names of the columns, in order.
    threshold : float or None
        The threshold between blurred and sharp scores; None if there is none.
    """

    def __init__(self, columns: Sequence[str], records: Iterable[Record], threshold: float | None = None) -> None:
        self.columns, self.threshold = tuple(columns), threshold
        self._records = [dict(record) for record in records]

    @overload
    def __getitem__(self, index: SupportsIndex) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> "Rows": ...
    def __getitem__(self, index: Any) -> Any:
        found = self._records[index]
        return Rows(self.columns, found, self.threshold) if isinstance(index, slice) else found

    def __len__(self) -> int:
        return len(self._records)

    def __repr__(self) -> str:
        counts = Counter(str(record["status"]) for record in self._records)
        return f"<Rows: {len(self)} ({', '.join(f'{n} {status}' for status, n in counts.items()) or 'none'})>"

    def to_pandas(self) -> Any:
        """Return a `pandas.DataFrame`. Columns of whole numbers and truth values may have missing values.

        Raises
        ------
        MissingExtraError
            If pandas is not installed.
        """
        pandas = _library("pandas")
        return pandas.DataFrame({n: pandas.Series(v, dtype=_PANDAS[kind]) for n, kind, v in self._columns()})

    def to_arrow(self) -> Any:
        """Return a `pyarrow.Table`.

        Raises
        ------
        MissingExtraError
            If PyArrow is not installed.
        """
        return table(self.columns, self._records)

    def to_polars(self) -> Any:
        """Return a `polars.DataFrame`.

        Raises
        ------
        MissingExtraError
            If Polars is not installed.
        """
        polars = _library("polars")
        return polars.DataFrame(
            [polars.Series(n, v, dtype=getattr(polars, _POLARS[kind])) for n, kind, v in self._columns()]
        )

    def _columns(self) -> Iterator[tuple[str, str, list[Any]]]:
        """Yield the name, the type and the values of each column."""
        for name in self.columns:
            yield name, TYPES.get(name, "float64"), [record[name] for record in self._records]


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        raise MissingExtraError(f"this table needs {name}: {pip_command('install', name)}") from None
