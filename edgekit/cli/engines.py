"""From the options of a command to the engine that runs its items."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import click

from edgekit.cli.output import WindowProgress

if TYPE_CHECKING:
    from edgekit.batch.engines import Engine
    from edgekit.batch.large import WindowOptions

T = TypeVar("T")


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
    from edgekit.batch.engines.choice import choose_engine
    from edgekit.io.urls import is_url

    keep_freed_memory()
    if values["address"] is not None and values["engine"] != "ray":
        raise click.UsageError("--address is the address of a Ray cluster; add --engine ray.")
    chosen = {name: values[name] for name in ("engine", "address", "workers", "timeout", "memory")}
    return choose_engine(items, max_workers=max_workers, has_urls=any(map(is_url, paths)), **chosen)


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
