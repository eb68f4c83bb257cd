"""From the options of a command to the engine that runs its items."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import click

from edgekit.cli.output import WindowProgress

if TYPE_CHECKING:
    from edgekit.batch.engines import Engine
    from edgekit.batch.large import WindowOptions

T = TypeVar("T")

#: Seconds for each image if there are URLs, since requests are repeated.
TIMEOUT_WITH_URLS = 600.0


def engine_for(
    items: Iterable[T], values: dict[str, Any], max_workers: int | None = None, *, paths: Iterable[str] = ()
) -> "tuple[Engine, Iterator[T]]":
    """Return an engine for the items, and an iterator over all of them.

    From here on this process keeps the memory that it frees, since it does nothing but the run.

    Parameters
    ----------
    items : iterable
        What the engine will run.
    values : dict
        The values of the options, by name.
    max_workers : int, optional
        How many items can run at a time.
    paths : iterable of str
        The inputs and the output. With URLs among them there are more workers, since most of the time is spent waiting.
    """
    from edgekit.batch.engines import keep_freed_memory
    from edgekit.batch.engines.local import available_workers, choose
    from edgekit.io.stores import MAX_REQUESTS
    from edgekit.io.urls import is_url

    keep_freed_memory()
    has_urls = any(map(is_url, paths))
    defaults = {"timeout": TIMEOUT_WITH_URLS} if has_urls else {}
    given = {name: values[name] for name in ("timeout", "memory") if values[name] is not None}
    limits = None
    if given or values["engine"] == "ray":
        from edgekit.batch.engines.processes import WorkerLimits

        limits = WorkerLimits(**(defaults | given))
        limits.check()
    if values["engine"] == "ray":
        from edgekit.batch.engines.ray import Ray

        return Ray(values["address"], values["workers"], limits), iter(items)
    if values["address"] is not None:
        raise click.UsageError("--address is the address of a Ray cluster; add --engine ray.")
    workers = values["workers"] or max(available_workers(), MAX_REQUESTS if has_urls else 1)
    return choose(items, workers if max_workers is None else min(workers, max_workers), limits, **defaults)


def window_options_for(values: dict[str, Any], *, alone: bool) -> "WindowOptions":
    """Return how images are processed window by window.

    Parameters
    ----------
    values : dict
        The values of the options, by name.
    alone : bool
        Whether there is only one image. It uses all threads and has a progress bar; each of several uses one thread.
    """
    from edgekit.batch.engines.local import available_workers
    from edgekit.batch.large import ONE_THREAD, WindowOptions

    if not alone:
        return ONE_THREAD
    return WindowOptions(values["workers"] or available_workers(), WindowProgress(quiet=values["quiet"]))
