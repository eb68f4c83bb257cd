"""Compares the ONNX graphs of edgekit's modules with those of the same formulas written with conv2d.

    python scripts/benchmarks/exported_graphs.py [--size 1920x1080] [--runs 15] [--write]

Needs `pip install -e ".[test]"`. Checks first that onnxruntime gives the response of the module. It runs both graphs
on one thread, in turn. Ratios are medians of the ratios of paired runs. Prints a Markdown table; `--write` fills the
block of docs/performance.md.
"""

import argparse
import io
import logging
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import edgekit as ek
from benchmarks.harness.machine import describe, in_short
from common.blocks import fill
from common.paths import ROOT

SOBEL = torch.tensor([[[[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]], [[[-1, -2, -1], [0, 0, 0], [1, 2, 1]]]]) / 8
LAPLACIAN = torch.tensor([[[[0.0, 1, 0], [1, -4, 1], [0, 1, 0]]]])
HALF = 0.5**0.5


class Formula(torch.nn.Module):
    """A formula of the responses of an image, padded by reflection, to some kernels."""

    def __init__(self, kernels: torch.Tensor, formula: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.register_buffer("kernels", kernels)
        self.formula = formula

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Filter (N, 1, H, W)."""
        return self.formula(F.conv2d(F.pad(image, (1, 1, 1, 1), mode="reflect"), self.kernels))


def variance(response: torch.Tensor) -> torch.Tensor:
    """Return the variance over each image."""
    mean = response.mean((-2, -1), keepdim=True)
    return ((response - mean) ** 2).mean((-3, -2, -1))


#: A module, and the same formula.
MODULES: dict[str, tuple[torch.nn.Module, torch.nn.Module]] = {
    "GradientMagnitude()": (
        ek.nn.GradientMagnitude(),
        Formula(SOBEL, lambda g: (g[:, :1] ** 2 + g[:, 1:] ** 2).sqrt()),
    ),
    "Sobel(angle=45)": (ek.nn.Sobel(angle=45), Formula((SOBEL[:1] + SOBEL[1:]) * HALF, lambda g: g)),
    "Laplacian()": (ek.nn.Laplacian(), Formula(LAPLACIAN, lambda g: g)),
    "Oriented(45.0)": (ek.nn.Oriented(45.0), Formula(SOBEL, lambda g: g[:, :1] * HALF + g[:, 1:] * HALF)),
    "Filter(...)": (ek.nn.Filter(LAPLACIAN[0, 0]), Formula(LAPLACIAN, lambda g: g)),
    'Sharpness("laplacian_variance")': (ek.nn.Sharpness(), Formula(LAPLACIAN, variance)),
    'Sharpness("tenengrad")': (
        ek.nn.Sharpness("tenengrad"),
        Formula(SOBEL * 8, lambda g: (g[:, 0] ** 2 + g[:, 1] ** 2).mean((-2, -1))),
    ),
}


def export(module: torch.nn.Module, image: torch.Tensor, *, dynamo: bool) -> Any:
    """Return the ONNX model of a module, by the exporter of today or the older one."""
    memory = io.BytesIO()
    with warnings.catch_warnings():
        # The exporters warn of themselves.
        warnings.simplefilter("ignore")
        if dynamo:
            return torch.onnx.export(module.eval(), (image,), dynamo=True, verbose=False).model_proto
        torch.onnx.export(module.eval(), (image,), memory, dynamo=False)
    return onnx.load_from_string(memory.getvalue())


def runner(model: Any, image: torch.Tensor) -> Callable[[], Any]:
    """Return a function that executes a model on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )  # fmt: skip
    fed = {session.get_inputs()[0].name: image.numpy()}
    return lambda: session.run(None, fed)[0]


def measured(name: str, image: torch.Tensor, runs: int, *, dynamo: bool) -> str:
    """Return a line of the table."""
    module, formula = MODULES[name]
    model = export(module, image, dynamo=dynamo)
    ours, plain = runner(model, image), runner(export(formula, image, dynamo=dynamo), image)
    expected = module(image).detach().numpy()
    size = np.abs(expected).max()
    for found in (ours(), plain()):
        # onnxruntime adds many numbers less exactly than torch.
        np.testing.assert_allclose(found.reshape(expected.shape), expected, rtol=0, atol=1e-4 * size)
    times: list[tuple[float, float]] = []
    for _ in range(runs):
        pair = []
        for run in (ours, plain):
            start = time.perf_counter()
            run()
            pair.append(1e3 * (time.perf_counter() - start))
        times.append((pair[0], pair[1]))
    first, second = (statistics.median(one) for one in zip(*times, strict=True))
    ratio = statistics.median(a / b for a, b in times)
    operations = [node.op_type for node in model.graph.node if node.op_type != "Constant"]
    graph = ", ".join(operations) if dynamo else f"{len(operations)} nodes"
    exporter = "torch.export" if dynamo else "older"
    return f"| `{name}` | {exporter} | {first:.1f} | {second:.1f} | {ratio:.2f} | {graph} |"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure all modules, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="1920x1080", help="Width and height. Default: 1920x1080.")
    parser.add_argument("--runs", type=int, default=15, help="Pairs of runs. Default: 15.")
    parser.add_argument("--write", action="store_true", help="Fill the block of docs/performance.md.")
    options = parser.parse_args(arguments)
    # The exporter logs that torchvision is missing.
    logging.disable(logging.WARNING)
    width, height = map(int, options.size.split("x"))
    image = torch.rand(1, 1, height, width, generator=torch.Generator().manual_seed(0))
    lines = [
        f"{in_short(describe())}: {width}x{height} float32, onnxruntime {onnxruntime.__version__} on one thread, "
        f"{options.runs} pairs of runs, torch {torch.__version__.split('+')[0]}.",
        "",
        "| module | exporter | edgekit, ms | conv2d, ms | ratio | graph |",
        "|---|---|---:|---:|---:|---|",
    ]
    lines += [measured(name, image, options.runs, dynamo=dynamo) for name in MODULES for dynamo in (True, False)]
    print("\n".join(lines))
    if options.write:
        page = ROOT / "docs" / "performance.md"
        page.write_text(fill(page.read_text(encoding="utf-8"), "exported", "\n".join(lines)), encoding="utf-8")


if __name__ == "__main__":
    main()
