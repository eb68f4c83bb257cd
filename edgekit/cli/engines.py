"""From options to the engine that does a run's items."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import click

from edgekit.cli.progress import Parts

if TYPE_CHECKING:
    from edgekit.batch.engines import Engine
    from edgekit.batch.large import Means

T = TypeVar("T")

#: Seconds that an image may take where there is a store: its requests are tried again.
WITH_STORES = 600.0


def engine_for(
    items: Iterable[T], values: dict[str, Any], most: int | None = None, *, named: Iterable[str] = ()
) -> "tuple[Engine, Iterator[T]]":
    """Return an engine for the items, and all of them, some of which were looked at.

    From here on this process, which does nothing but the run, keeps memory that is freed.

    Parameters
    ----------
    items : iterable
        What is to be done.
    values : dict
        The values of the options `ENGINE`.
    most : int, optional
        How many can be done at a time.
    named : iterable of str
        The inputs and the output: where a store is among them, most of the time is waited for it.
    """
    from edgekit.batch.engines.allocator import keep_freed
    from edgekit.batch.engines.local import available_workers, choose
    from edgekit.io.stores import REQUESTS
    from edgekit.io.urls import is_url

    keep_freed()
    stores = any(map(is_url, named))
    usual = {"timeout": WITH_STORES} if stores else {}
    asked = {name: values[name] for name in ("timeout", "memory") if values[name] is not None}
    limits = None
    if asked or values["engine"] == "ray":
        from edgekit.batch.engines.processes import WorkerLimits

        limits = WorkerLimits(**(usual | asked))
        limits.check()
    if values["engine"] == "ray":
        from edgekit.batch.engines.ray import Ray

        return Ray(values["address"], values["jobs"], limits), iter(items)
    if values["address"] is not None:
        raise click.UsageError("--address is that of a Ray cluster; add --engine ray.")
    workers = values["jobs"] or max(available_workers(), REQUESTS if stores else 1)
    return choose(items, workers if most is None else min(workers, most), limits, **usual)


def means_for(values: dict[str, Any], *, alone: bool) -> "Means":
    """Return what may be used for an image that is done window by window.

    Parameters
    ----------
    values : dict
        The values of the options `ENGINE`, and of ``quiet``.
    alone : bool
        Whether it is the only one: it has all threads then, and a bar of its own. Of several each has one.
    """
    from edgekit.batch.engines.local import available_workers
    from edgekit.batch.large import Means

    if not alone:
        return Means()
    return Means(values["jobs"] or available_workers(), Parts(quiet=values["quiet"]))
