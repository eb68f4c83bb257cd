"""Describes the machine and the versions of the libraries. Imports `workers`."""

import importlib
import importlib.metadata
import os
import platform
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

from benchmarks.harness.workers import SWITCH, has_switch, home

LIBRARIES = (
    "numpy", "opencv-python", "opencv-python-headless", "scikit-image", "scipy", "torch", "kornia", "pyvips", "easobel",
    "pyvips-binary", "numba", "isal", "pillow", "tifffile", "click", "cleanvision", "sharp-frames", "matplotlib",
)  # fmt: skip


def describe() -> dict[str, Any]:
    """Return the machine, the versions, and the measured edgekit."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "caches": caches(),
        "memory_gib": memory(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "libraries": {name: found for name in LIBRARIES if (found := version(name))},
        "programs": {name: found for name, found in programs().items() if found},
        "edgekit": edgekit(),
        "load": os.getloadavg()[0],
        "time": time.strftime("%Y-%m-%d %H:%M:%S"),
    }


def in_words(machine: dict[str, Any]) -> str:
    """Return the machine as a Markdown table."""
    rows = {
        "processor": f"{machine['processor']}, {machine['cores']} cores",
        "caches": ", ".join(f"{name} {size}" for name, size in machine["caches"].items()),
        "memory": f"{machine['memory_gib']} GiB",
        "system": machine["system"],
        "Python": machine["python"],
        "libraries": ", ".join(f"{name} {found}" for name, found in machine["libraries"].items()),
        "programs": ", ".join(f"{name} {found}" for name, found in machine["programs"].items()),
        "edgekit": ", ".join(str(v) for k, v in machine["edgekit"].items() if k in ("version", "revision")),
        "measured": machine["time"],
    }
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {text or '-'} |" for name, text in rows.items())])


def in_short(machine: dict[str, Any]) -> str:
    """Return the machine as a short text, for the captions of tables."""
    revision = machine["edgekit"]["revision"] or machine["edgekit"]["version"]
    return f"{machine['cores']} cores, {machine['processor']}, Python {machine['python']}, edgekit {revision}"


def processor() -> str:
    """Return the processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def caches() -> dict[str, str]:
    """Return the sizes of the first core's caches."""
    out = {}
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size = ((index / name).read_text().strip() for name in ("level", "type", "size"))
        out[f"L{level}{'' if kind == 'Unified' else kind[0].lower()}"] = size
    return out


def memory() -> float:
    """Return the memory in GiB."""
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)


def version(library: str) -> str:
    """Return the version of a library; an empty text if it is missing."""
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return ""


def programs() -> dict[str, str]:
    """Return the versions of the programs that the suites start."""
    magick = imagemagick()
    return {
        "vips": first_line("vips", "--version").removeprefix("vips-") if shutil.which("vips") else "",
        "ImageMagick": first_line(magick, "-version").split()[2] if magick else "",
        "ffmpeg": first_line("ffmpeg", "-version").split()[2] if shutil.which("ffmpeg") else "",
    }


def imagemagick() -> str:
    """Return the command of ImageMagick; an empty text if it is missing. `convert` can be another program."""
    for name in ("magick", "convert", "convert-im6"):
        if shutil.which(name) and first_line(name, "-version").startswith("Version: ImageMagick"):
            return name
    return ""


def first_line(*command: str) -> str:
    """Return the first line that a command prints."""
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    return ran.stdout.partition("\n")[0]


def edgekit() -> dict[str, Any]:
    """Return version and folder of the measured edgekit, and its revision if it is in git."""
    git = ["git", "-C", str(home())]
    revision = first_line(*git, "describe", "--always", "--exclude=*") if shutil.which("git") else ""
    # The tables can be written into the pages of another copy.
    if revision and first_line(*git, "status", "--porcelain", "--", "edgekit", "scripts"):
        revision += "-dirty"
    return {
        "version": importlib.import_module("edgekit").__version__,
        "path": str(home()),
        "revision": revision,
        "fast_path": has_switch(),
        SWITCH: os.environ.get(SWITCH),
    }
