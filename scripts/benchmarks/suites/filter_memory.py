"""Prints the peak memory of this process in bytes, before and after filtering an image.

    python scripts/benchmarks/suites/filter_memory.py CONTENDER MEGAPIXELS

The suite `scaling` runs it in a separate process.
"""

import contextlib
import ctypes
import resource
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])


def highest() -> int:
    """Return the peak memory so far; on Linux without that of the process that started this one."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return 1024 * int(lines["VmHWM"].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def start_anew() -> None:
    """Reset the peak memory, where the system supports this: making the image takes more memory than the image."""
    with contextlib.suppress(OSError, AttributeError):
        # Freed memory that the process still holds would be used again, and would not increase the peak.
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    from benchmarks.harness.images import photograph
    from benchmarks.suites import filter_contenders

    name, megapixels = sys.argv[1], float(sys.argv[2])
    # Modules and caches that the first call loads do not depend on the size of the image.
    filter_contenders.make(name, "magnitude", "uint8", 0.01)()
    image = photograph(megapixels, "uint8")
    start_anew()
    before = highest()
    filter_contenders.make(name, "magnitude", "uint8", megapixels)()
    print(before, highest(), image.nbytes)
