"""How much memory is free. Standard library only."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

#: Where the files of the system are; tests have others.
SYSTEM = Path("/")


class _Names(NamedTuple):
    """The files of a control group that tell about memory, and the entry of its ``memory.stat``."""

    limit: str
    used: str
    cache: str


_V1 = _Names("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
_V2 = _Names("memory.max", "memory.current", "inactive_file")


def free(system: Path = SYSTEM) -> int:
    """Return how many bytes this process can get: what the machine has free, or its container where that is less."""
    return min([_of_the_machine(system), *_of_control_groups(system)])


def _of_the_machine(system: Path) -> int:
    meminfo = system / "proc/meminfo"
    if meminfo.exists():
        return _table(meminfo)["MemAvailable:"] * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 2**32


def _of_control_groups(system: Path) -> Iterator[int]:
    """Give the bytes below the limit of each control group that this process is in, from the innermost on.

    What a group has used includes the cache of files. Its inactive part is given back when memory is short, and counts
    as free, as ``docker stats`` and Kubernetes count it.
    """
    groups = system / "proc/self/cgroup"
    for line in groups.read_text(encoding="utf-8").splitlines() if groups.exists() else ():
        _, controllers, path = line.split(":", 2)
        root, names = system / "sys/fs/cgroup", _V2
        if controllers:
            root, names = root / "memory", _V1
            if "memory" not in controllers.split(","):
                continue
        # In a container the path may be that outside of it: then only the root is there, which is the container's.
        inner = root / path.lstrip("/")
        for group in (inner, *inner.parents):
            # A group without a limit says "max", or has no such file.
            with contextlib.suppress(OSError, ValueError):
                limit, used = (int((group / name).read_text(encoding="ascii")) for name in (names.limit, names.used))
                cache = _table(group / "memory.stat").get(names.cache, 0)
                yield max(0, limit - (used - cache))
            if group == root:
                break


def _table(path: Path) -> dict[str, int]:
    """Return a file of lines that each begin with a name and a number."""
    return {name: int(value) for name, value, *_ in map(str.split, path.read_text(encoding="ascii").splitlines())}
