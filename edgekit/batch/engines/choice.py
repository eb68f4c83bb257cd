"""From options to the engine that runs the items of a run."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from edgekit.batch.engines import Engine
from edgekit.batch.engines.local import available_workers, choose
from edgekit.common.choices import check_choice
from edgekit.io.stores import MAX_REQUESTS

T = TypeVar("T")

#: The names of the engines.
ENGINES = ("local", "ray")

#: Seconds for each image if there are URLs, since requests are repeated.
TIMEOUT_WITH_URLS = 600.0


def choose_engine(
    items: Iterable[T],
    *,
    engine: str = "local",
    address: str | None = None,
    workers: int | None = None,
    timeout: float | None = None,
    memory: int | None = None,
    max_workers: int | None = None,
    has_urls: bool = False,
) -> tuple[Engine, Iterator[T]]:
    """Return an engine for the items, and an iterator over all of them.

    Parameters
    ----------
    items : iterable
        What the engine will run.
    engine : {"local", "ray"}
        This machine, or a Ray cluster.
    address : str, optional
        Of the cluster.
    workers : int, optional
        Items at a time.
    timeout, memory : float and int, optional
        Limits for each item: seconds and bytes.
    max_workers : int, optional
        How many items can run at a time.
    has_urls : bool
        With URLs there are more workers, since most of the time is spent waiting.

    Raises
    ------
    ParameterError
        If the engine is not known, or a limit is invalid.
    MissingExtraError
        If Ray is not installed.
    """
    check_choice("engine", engine, ENGINES)
    defaults = {"timeout": TIMEOUT_WITH_URLS} if has_urls else {}
    given = {name: value for name, value in (("timeout", timeout), ("memory", memory)) if value is not None}
    limits = None
    if given or engine == "ray":
        from edgekit.batch.engines.processes import WorkerLimits

        limits = WorkerLimits(**(defaults | given))  # type: ignore[arg-type]  # one of them is a float, one an int
        limits.check()
    if engine == "ray":
        from edgekit.batch.engines.ray import Ray

        return Ray(address, workers, limits), iter(items)
    count = workers or max(available_workers(), MAX_REQUESTS if has_urls else 1)
    return choose(items, count if max_workers is None else min(count, max_workers), limits, **defaults)
