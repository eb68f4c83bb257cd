"""Sharpens a photograph by gradient ascent of a focus measure, and draws the result.

    python scripts/figures/sharpened.py [IMAGE] [-o docs/sharpened.png] [--steps N]

An example of optimization: Adam changes the pixels until the gradient has a multiple of its energy. The loss also
contains the distance from the input, so that the result is near to it. No detail is restored that is not in the
photograph.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

import edgekit as ek

ROOT = Path(__file__).resolve().parents[2]


def sharpen(
    image: torch.Tensor, *, times: float = 2.0, weight: float = 500.0, steps: int = 150
) -> tuple[torch.Tensor, list[float]]:
    """Return a sharper image, and the loss before each step.

    Parameters
    ----------
    image : Tensor
        (..., C, H, W), in [0, 1].
    times : float
        Factor by which the energy of the gradient increases. Large factors turn texture into a maze.
    weight : float
        Weight of the mean squared distance from the input in the loss.
    """
    sharp = ek.nn.SharpnessLoss("tenengrad")
    found = image.clone().requires_grad_()
    search = torch.optim.Adam([found], lr=1e-3)
    history = []
    for _ in range(steps):
        search.zero_grad()
        loss = (sharp(found, image) + times).square() + weight * (found - image).square().mean()
        loss.backward()
        search.step()
        history.append(loss.item())
        with torch.no_grad():
            found.clamp_(0, 1)
    return found.detach(), history


def draw(image: torch.Tensor, sharpened: torch.Tensor, history: list[float], path: Path) -> None:
    """Draw both images, their gradients, and the loss."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 6.4), dpi=90, layout="constrained")
    magnitude = ek.nn.GradientMagnitude(channel="luminance")
    top, bottom = figure.subplots(2, 3, width_ratios=(3, 3, 2))
    white = float(magnitude(image).quantile(0.995))
    for n, (title, picture) in enumerate((("photograph", image), ("sharpened", sharpened))):
        energy = float(ek.sharpness(picture, "tenengrad") / ek.sharpness(image, "tenengrad"))
        top[n].imshow(picture.movedim(0, -1).numpy())
        top[n].set_title(f"{title}: gradient's energy {energy:.2f}")
        bottom[n].imshow(magnitude(picture)[0].numpy(), cmap="gray", vmin=0, vmax=white)
    for axes in (*top[:2], *bottom[:2]):
        axes.set(xticks=[], yticks=[])
    top[2].plot(history, color="#0072b2")
    top[2].set(xlabel="step", ylabel="loss")
    top[2].grid(alpha=0.3)
    row = image.shape[-2] // 2
    for name, picture, colour in (("photograph", image, "#999999"), ("sharpened", sharpened, "#d55e00")):
        bottom[2].plot(picture.mean(0)[row, :80].numpy(), color=colour, lw=1.2, label=name)
    bottom[2].set(xlabel="pixel of the middle line", ylabel="gray")
    bottom[2].legend(frameon=False)
    figure.savefig(path)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line, sharpen and draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("image", nargs="?", type=Path, default=ROOT / "samples" / "chelsea.png")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "docs" / "sharpened.png")
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--crop", type=int, default=300, help="side of the central part that is used, in pixels")
    options = parser.parse_args(arguments)
    whole = torch.from_numpy(ek.read_image(options.image)).movedim(-1, 0).float() / 255
    rows, columns = (max(0, (n - options.crop) // 2) for n in whole.shape[-2:])
    image = whole[:, rows : rows + options.crop, columns : columns + options.crop]
    sharpened, history = sharpen(image, steps=options.steps)
    draw(image, sharpened, history, options.output)


if __name__ == "__main__":
    main()
