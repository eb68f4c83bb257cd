"""What the public functions take by position: the data. Options have names."""

import inspect

import numpy as np
import pytest
import torch

import edgekit as ek
from edgekit import nn

#: Functions that take more than one image by position.
DATA = {
    "autofocus": ("measure", "lo", "hi"),
    "correlate": ("image", "taps"),
    "find_peak": ("positions", "scores"),
    "fit_kernel": ("inputs", "targets"),
    "hysteresis": ("strength", "low", "high"),  # As skimage.filters.apply_hysteresis_threshold.
    "nonmax_suppress": ("strength", "direction"),
    "oriented": ("image", "angles"),
    "outline": ("mask",),
    "overlay": ("image", "shown"),
    "picture": ("image", "operator", "parameters"),
    "read_image": ("source",),
    "sharpness": ("image", "measure"),
    "threshold": ("image", "method"),
    "to_display": ("response", "mode"),
    "white_level": ("image", "operator", "parameters"),
    "write_image": ("path", "image"),
}

#: Modules that are made of the one thing that they are about.
MADE_OF = {
    "Filter": ("kernel",),
    "GradientLoss": ("operator",),
    "GradientMagnitude": ("operator",),
    "Oriented": ("angle",),
    "Sharpness": ("measure",),
    "SharpnessLoss": ("measure",),
}


def by_position(function):
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return tuple(name for name, p in inspect.signature(function).parameters.items() if p.kind in kinds)


def test_functions_take_options_by_name_only():
    functions = {name: f for name in ek.__all__ if inspect.isfunction(f := getattr(ek, name))}
    assert DATA.keys() <= functions.keys()
    for name, function in functions.items():
        assert by_position(function) == DATA.get(name, ("image",)), name


def test_modules_take_options_by_name_only():
    modules = {n: m for n in nn.__all__ if isinstance(m := getattr(nn, n), type) and issubclass(m, torch.nn.Module)}
    assert MADE_OF.keys() <= modules.keys()
    for name, module in modules.items():
        assert by_position(module) == MADE_OF.get(name, ()), name


def test_thresholds_of_opencv_are_not_taken_for_a_sigma():
    with pytest.raises(TypeError, match="positional argument"):
        ek.canny(np.zeros((9, 9)), 50, 150)
