"""Compares the torch filters with those of kornia: time with and without a gradient, eager and compiled, and memory.

    python scripts/benchmarks/torch_filters.py [--device cuda] [--size 3840x2160] [--runs N] [--write]

Needs `pip install -e ".[test]"`. Checks first that the results are equal. The two libraries run in turn, so that a
slower machine slows both. Ratios are medians of the ratios of paired runs. Memory is the peak memory without the image.
Prints Markdown tables.
"""

import argparse
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import edgekit as ek
from common.blocks import fill_page
from common.paths import DOCS

Filter = Callable[[torch.Tensor], torch.Tensor]

#: With the borders of kornia. Its Sobel magnitude adds 1e-6 under the root; its Laplacian is divided by the sum of the
#: absolute coefficients.
OURS: dict[str, torch.nn.Module] = {
    "Sobel magnitude": ek.nn.GradientMagnitude(border="edge"),
    "Laplacian, 8 neighbours": ek.nn.Laplacian(stencil=8, scale="raw"),
}
KEPT_CLOSE = {"Sobel magnitude": 2e-3, "Laplacian, 8 neighbours": 1e-4}


def peers() -> dict[str, Filter]:
    """Return kornia's filters, scaled to the same numbers."""
    import kornia

    return {
        "Sobel magnitude": kornia.filters.sobel,
        "Laplacian, 8 neighbours": lambda x: kornia.filters.laplacian(x, 3) * 16,
    }


def composed(image: torch.Tensor) -> torch.Tensor:
    """Return the magnitude as a square root of squares of the same two responses: each step is stored for the backward
    pass.
    """
    gx, gy = (
        _plain(image, taps) for taps in ([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], [[-1, -2, -1], [0] * 3, [1, 2, 1]])
    )
    return (gx**2 + gy**2 + 1e-12).sqrt()


def _plain(image: torch.Tensor, taps: list[list[int]]) -> torch.Tensor:
    padded = torch.nn.functional.pad(image, (1, 1, 1, 1), mode="replicate")
    return torch.nn.functional.conv2d(padded, torch.tensor([[taps]], dtype=image.dtype, device=image.device) / 8)


def there_and_back(function: Filter) -> Filter:
    """Return a function that also computes the gradient."""

    def run(image: torch.Tensor) -> torch.Tensor:
        leaf = image.detach().requires_grad_()
        (slope,) = torch.autograd.grad(function(leaf).sum(), leaf)
        return slope

    return run


def unrecorded(function: Filter) -> Filter:
    """Return a function that records no graph."""

    def run(image: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return function(image)

    return run


def alternate(contenders: dict[str, Filter], image: torch.Tensor, runs: int) -> dict[str, list[float]]:
    """Run both in turn, twice without measuring, and return the seconds of each run."""
    wait = torch.cuda.synchronize if image.device.type == "cuda" else lambda: None
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for n in range(runs + 2):
        for name, function in contenders.items():
            wait()
            start = time.perf_counter()
            function(image)
            wait()
            if n > 1:
                times[name].append(time.perf_counter() - start)
    return times


def peak(function: Filter, image: torch.Tensor) -> float:
    """Return the peak memory without the image, in bytes per byte of the image."""
    if image.device.type == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        function(image)
        torch.cuda.synchronize()
        return (torch.cuda.max_memory_allocated() - before) / image.nbytes
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        function(image)
    held = most = 0
    for event in record.profiler.kineto_results.events():
        if event.name() == "[memory]":
            held += event.nbytes()
            most = max(most, held)
    return most / image.nbytes


def check(image: torch.Tensor) -> None:
    """Exit unless the results of both libraries are equal."""
    for name, function in peers().items():
        apart = (unrecorded(function)(image) - unrecorded(OURS[name])(image)).abs().max().item()
        if not apart < KEPT_CLOSE[name]:
            sys.exit(f"{name}: the results differ by {apart:g}")


def table(image: torch.Tensor, runs: int, *, compiled: bool = True) -> str:
    """Measure, and return Markdown tables."""
    check(image)
    lines = ["| filter | mode | edgekit, ms | kornia, ms | speedup |", "|---|---|---:|---:|---:|"]
    for name, peer in peers().items():
        ours = OURS[name]
        ways: dict[str, tuple[Filter, Filter]] = {
            "eager": (unrecorded(ours), unrecorded(peer)),
            "eager, with gradient": (there_and_back(ours), there_and_back(peer)),
        }
        if compiled:
            whole = torch.compile(ours, fullgraph=True, dynamic=False)
            ways["edgekit compiled, kornia eager"] = (unrecorded(whole), unrecorded(peer))
            ways["both compiled"] = (unrecorded(whole), unrecorded(torch.compile(peer, dynamic=False)))
        for way, (mine, theirs) in ways.items():
            times = alternate({"mine": mine, "theirs": theirs}, image, runs)
            a, b = (1000 * statistics.median(times[n]) for n in ("mine", "theirs"))
            ratio = statistics.median(t / m for m, t in zip(times["mine"], times["theirs"], strict=True))
            lines.append(f"| {name} | {way} | {a:.1f} | {b:.1f} | {ratio:.1f} |")
    lines += [
        "",
        "Peak memory of the magnitude and its gradient, without the input, in multiples of the input's size:",
        "",
    ]
    lines += ["| | images |", "|---|---:|"]
    entries = {
        "edgekit": OURS["Sobel magnitude"],
        "two conv2d and a square root": composed,
        "kornia": peers()["Sobel magnitude"],
    }
    for name, function in entries.items():
        lines.append(f"| {name} | {peak(there_and_back(function), image):.1f} |")
    height, width = image.shape[-2:]
    return "\n".join(
        [f"{width}x{height} float32, median of {runs} interleaved runs, {machine(image.device)}:", "", *lines]
    )


def machine(device: torch.device) -> str:
    """Return the machine and the versions."""
    import kornia

    what = (
        torch.cuda.get_device_name(device) if device.type == "cuda" else f"{os.cpu_count()} cores {platform.machine()}"
    )
    return f"{what}, torch {torch.__version__}, kornia {kornia.__version__}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--size", default="3840x2160", help="width x height")
    parser.add_argument("--runs", type=int, default=11)
    parser.add_argument("--eager", action="store_true", help="compile nothing")
    parser.add_argument("--write", action="store_true", help="write the tables into docs/torch.md")
    options = parser.parse_args(arguments)
    width, height = map(int, options.size.split("x"))
    torch.manual_seed(0)
    image = torch.rand(1, 1, height, width).to(options.device)
    text = table(image, options.runs, compiled=not options.eager)
    print(text)
    if options.write:
        fill_page(DOCS / "torch.md", "torch", text)


if __name__ == "__main__":
    main()
