"""Prints the peak of its own memory in bytes, before and after filtering an image of so many megapixels.

    python scripts/benchmarks/suites/filter_memory.py CONTENDER MEGAPIXELS

The suite `scaling` runs it, in a process of its own.
"""

import contextlib
import ctypes
import resource
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])


def highest() -> int:
    """Return the peak so far; on Linux that of this program, without the one that started it."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return 1024 * int(lines["VmHWM"].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def start_anew() -> None:
    """Forget the peak so far, where the system can: making the image takes more than the image."""
    with contextlib.suppress(OSError, AttributeError):
        # What was let go, but is still held, would be used again without being seen.
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    from benchmarks.harness.images import photograph
    from benchmarks.suites import filter_contenders

    name, megapixels = sys.argv[1], float(sys.argv[2])
    # What is imported at the first call, and what is prepared then, does not grow with the image.
    filter_contenders.make(name, "magnitude", "uint8", 0.01)()
    image = photograph(megapixels, "uint8")
    start_anew()
    before = highest()
    filter_contenders.make(name, "magnitude", "uint8", megapixels)()
    print(before, highest(), image.nbytes)
