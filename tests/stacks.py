"""Focus stacks with several channels, and `edgekit focus` on them."""

import json
from pathlib import Path

import cv2
import numpy as np
from click.testing import CliRunner, Result

import edgekit as ek
from edgekit.cli import main

DEPTHS = 7

#: Where each channel is in focus.
FOCI = (2.0, 4.0, 3.3)

#: Metadata of two channels.
OME = {"PhysicalSizeZ": 0.5, "PhysicalSizeZUnit": "µm", "Channel": {"Name": ["DAPI", "GFP"]}}


def plane(z: float, focus: float, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).random((64, 80)).astype(np.float32)
    return cv2.GaussianBlur(noise, (0, 0), np.hypot(1.2, 0.4 + abs(z - focus))) * 40000


def stack(*foci: float) -> np.ndarray:
    """Return planes (z, c, rows, columns)."""
    return np.stack([[plane(z, f, n) for n, f in enumerate(foci)] for z in range(DEPTHS)]).astype(np.uint16)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["focus", *map(str, arguments)])


def records(*arguments: object) -> list[dict]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def peaks(*arguments: object) -> dict[str, float]:
    """Return the peak of each stack by its label."""
    return {
        ",".join(f"{a}={v}" for a, v in found["select"].items()): found["peak"]["position"]
        for found in records(*arguments)
    }


def write_folder(name: str) -> None:
    """Write planes of three channels; `name` is formatted with c and z."""
    for c, focus in enumerate(FOCI):
        for z in range(DEPTHS):
            path = Path("stack", name.format(c=c, z=z))
            path.parent.mkdir(parents=True, exist_ok=True)
            ek.write_image(path, plane(z, focus).astype(np.uint16))


class InOrder:
    """An engine in this thread."""

    def run(self, task, items, give_up):
        return map(task, items)
