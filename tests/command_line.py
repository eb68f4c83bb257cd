"""Runs the command line, and reads images that it wrote."""

import cv2
import numpy as np
from click.testing import CliRunner, Result

from edgekit.cli import main


def run(*arguments: str, **extra: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments], **extra)


def shown(path: str) -> np.ndarray:
    return cv2.imread(path, cv2.IMREAD_UNCHANGED)
