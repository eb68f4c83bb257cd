"""From options to the engine that does a run's items."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from edgekit.batch.engines import Engine

T = TypeVar("T")


def engine_for(items: Iterable[T], values: dict[str, Any], most: int | None = None) -> "tuple[Engine, Iterator[T]]":
    """Return an engine for the items, and all of them, some of which were looked at.

    Parameters
    ----------
    items : iterable
        What is to be done.
    values : dict
        The values of the options `ENGINE`.
    most : int, optional
        How many can be done at a time.
    """
    from edgekit.batch.engines.local import available_workers, choose

    asked = {name: values[name] for name in ("timeout", "memory") if values[name] is not None}
    limits = None
    if asked:
        from edgekit.batch.engines.processes import Limits

        limits = Limits(**asked)
        limits.check()
    if values["engine"] == "ray":
        from edgekit.batch.engines.ray import Ray

        return Ray(values["address"], values["jobs"], limits), iter(items)
    if values["address"] is not None:
        raise click.UsageError("--address is that of a Ray cluster; add --engine ray.")
    workers = values["jobs"] or available_workers()
    return choose(items, workers if most is None else min(workers, most), limits)
