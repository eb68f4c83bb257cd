"""Trains the boundary network of `detect(model="learned")` on photographs with boundaries that people drew.

    python scripts/learning/train_edges.py BSDS500 -o FOLDER [--steps 15000] [--threads 2] [--seed 0]

BSDS500 contains images/train, images/val, groundTruth/train and groundTruth/val. The network learns from the 200
photographs of train alone. Every fifth photograph of val tells which weights are kept. FOLDER receives last.pt, from
which the same command resumes, best.pt with the averaged weights that agreed best with val so far, and curve.json. Runs
with the same seed see the same examples. `--steps` may differ when a run is resumed: a larger number continues a
finished run, and a smaller one ends it sooner. `export_edges.py` writes the weights into the package.
Needs `pip install -e ".[bench,torch]"`.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from learning.edge_examples import Photograph, example, labels, load, scaled
from learning.edge_network import TrainingNetwork

#: Rows and columns of an example, and examples of a step.
SIZE, BATCH = 224, 8

#: The largest learning rate, reached after WARM steps and reduced by a cosine afterwards, and the weight decay.
RATE, WARM, DECAY = 4e-3, 300, 2e-3

#: Weight of a boundary pixel relative to others.
POSITIVE = 8.0

#: Weight of the losses at 1/4 and 1/8 of the resolution.
SIDE = 0.3

#: Share of the averaged weights that remains after a step.
KEPT = 0.9985

#: Every which photograph of val tells which weights are kept.
STOPPING = 5

#: Steps between two lines of the curve, and between two checkpoints.
REPORT, SAVE = 250, 250


class Batch(NamedTuple):
    """Examples one after another, as tensors."""

    image: Tensor
    target: Tensor
    weight: Tensor


def batch(photographs: list[Photograph], seed: int, step: int) -> Batch:
    """Return the examples of a step; they depend on nothing but the seed and the step."""
    random = np.random.default_rng((seed, step))
    examples = [example(photographs, SIZE, POSITIVE, random) for _ in range(BATCH)]
    image, target, weight = (torch.from_numpy(np.stack(parts)) for parts in zip(*examples, strict=True))
    return Batch(image.contiguous(memory_format=torch.channels_last), target[:, None], weight[:, None])


def batches(photographs: list[Photograph], seed: int, steps: range) -> Iterator[Batch]:
    """Prepare each batch while the one before it is learned."""
    with ThreadPoolExecutor(1) as pool:
        coming = None
        for step in steps:
            now = coming or pool.submit(batch, photographs, seed, step)
            coming = pool.submit(batch, photographs, seed, step + 1)
            yield now.result()


def loss_of(outputs: Sequence[Tensor], target: Tensor, weight: Tensor) -> tuple[Tensor, float]:
    """Return the sum of the cross entropies at all resolutions, and that of the finest alone."""
    total: Any = 0
    first = 0.0
    for i, out in enumerate(outputs):
        factor = target.shape[-1] // out.shape[-1]
        here, share = target, weight
        if factor > 1:
            here, share = functional.max_pool2d(target, factor), functional.max_pool2d(weight, factor)
        entropy = functional.binary_cross_entropy_with_logits(out.float(), here, share, reduction="sum") / share.sum()
        first = float(entropy.detach()) if i == 0 else first
        total = total + entropy * (1 if i == 0 else SIDE)
    return total, first


def rate(step: int, steps: int) -> float:
    """Return the learning rate of a step relative to the largest."""
    if step < WARM:
        return (step + 1) / WARM
    done = (step - WARM) / max(1, steps - WARM)
    return 0.01 + 0.99 * (1 + float(np.cos(np.pi * min(done, 1)))) / 2


def averaged(mean: dict[str, Tensor], state: dict[str, Tensor], step: int) -> None:
    """Move the averaged weights towards the present ones; early steps are forgotten quickly."""
    kept = min(KEPT, (1 + step) / (10 + step))
    for name, value in state.items():
        if value.dtype.is_floating_point:
            mean[name].lerp_(value.detach(), 1 - kept)


def agreement(state: dict[str, Tensor], photographs: list[Photograph], *, bfloat: bool) -> float:
    """Return the mean loss over whole photographs."""
    model = TrainingNetwork().eval()
    model.load_state_dict(state)
    losses = []
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=bfloat):
        for photograph in photographs:
            rows, columns = (n // 16 * 16 for n in photograph.pixels.shape[:2])
            image = torch.from_numpy(scaled(photograph.pixels)[:, :rows, :columns])[None]
            parts = labels([p[:rows, :columns] for p in photograph.people], POSITIVE)
            target, weight = (torch.from_numpy(p)[None, None] for p in parts)
            losses.append(loss_of(model(image.contiguous(memory_format=torch.channels_last))[:1], target, weight)[1])
    return float(np.mean(losses))


def write(path: Path, content: Any) -> None:
    """Write a checkpoint: whole or not at all."""
    draft = path.with_suffix(".draft")
    torch.save(content, draft)
    draft.replace(path)


def train(options: argparse.Namespace) -> None:
    """Train from the last checkpoint on, or from the beginning."""
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(1)
    options.output.mkdir(parents=True, exist_ok=True)
    train_set, val = (load(options.data / "images" / n, options.data / "groundTruth" / n) for n in ("train", "val"))
    checked = val[::STOPPING]
    model = TrainingNetwork().to(memory_format=torch.channels_last).train()
    decayed = [p for p in model.parameters() if p.dim() > 1]
    plain = [p for p in model.parameters() if p.dim() == 1]
    groups = [{"params": decayed, "weight_decay": DECAY}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=RATE)
    mean = {name: value.detach().clone() for name, value in model.state_dict().items()}
    start, best, curve, seconds = 0, float("inf"), [], 0.0
    last = options.output / "last.pt"
    if last.exists():
        stored = torch.load(last, weights_only=False)
        model.load_state_dict(stored["model"])
        optimizer.load_state_dict(stored["optimizer"])
        mean, start, best, curve, seconds = (stored[k] for k in ("mean", "step", "best", "curve", "seconds"))

    begin, losses = time.perf_counter(), []
    for step, part in enumerate(batches(train_set, options.seed, range(start, options.steps)), start):
        for group in optimizer.param_groups:
            group["lr"] = RATE * rate(step, options.steps)
        with torch.autocast("cpu", torch.bfloat16, enabled=options.bfloat16):
            outputs = model(part.image)
        total, first = loss_of(outputs, part.target, part.weight)
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        averaged(mean, model.state_dict(), step)
        losses.append(first)
        done = step + 1
        if done % REPORT == 0 or done == options.steps:
            val_loss = agreement(mean, checked, bfloat=options.bfloat16)
            spent = seconds + time.perf_counter() - begin
            curve.append({"step": done, "train": float(np.mean(losses)), "val": val_loss, "seconds": round(spent)})
            print(json.dumps(curve[-1]), flush=True)
            losses = []
            if val_loss < best:
                best = val_loss
                write(options.output / "best.pt", mean)
            (options.output / "curve.json").write_text(json.dumps(curve, indent=1) + "\n")
        if done % SAVE == 0 or done == options.steps:
            spent = seconds + time.perf_counter() - begin
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "mean": mean, "step": done}
            write(last, state | {"best": best, "curve": curve, "seconds": spent})


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder of BSDS500")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of checkpoints")
    parser.add_argument("--steps", type=int, default=15000, help="default: %(default)s")
    parser.add_argument("--threads", type=int, default=2, help="of torch (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument(
        "--bfloat16",
        action="store_true",
        help="half precision: faster if the processor has it, else far slower",
    )
    train(parser.parse_args(arguments))


if __name__ == "__main__":
    main()
