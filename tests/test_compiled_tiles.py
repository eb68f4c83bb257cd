"""Compiled loops filter the tiles of images that they do not filter whole: masks, NaN, other types and borders."""

import numpy as np
import pytest
from oracle import picture
from pictures import compiled as switch

import edgekit as ek
from edgekit.backends.opencv import fused, tiling


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch):
    monkeypatch.setattr(tiling, "TILE", 64)


@pytest.fixture
def calls(monkeypatch):
    """The loops that were used, one for each tile."""
    called, by_loop = [], fused._by_loop

    def spy(compiled, loop, *arguments):
        called.append(loop.name)
        return by_loop(compiled, loop, *arguments)

    monkeypatch.setattr(fused, "_by_loop", spy)
    return called


def results(run, image, **options):
    """Return the results without loops and with them."""
    found = []
    for on in (False, True):
        switch(on)
        found.append(run(image, **options))
    return found


def with_nan(image):
    """Return an image of floats with some values that are not finite."""
    image = np.array(image)
    image[::7, 3], image[5, ::4] = np.nan, np.inf
    return image


@pytest.mark.parametrize(
    "run",
    [
        ek.sobel,
        ek.laplacian,
        lambda i, **o: ek.sobel(i, angle=30, **o),
        lambda i, **o: ek.oriented(i, [10, 45, 90], operator="scharr", **o),
        lambda i, **o: np.stack([(g := ek.gradient(i, **o)).gx, g.gy]),
    ],
    ids=["magnitude", "laplacian", "direction", "directions", "components"],
)
@pytest.mark.parametrize(
    ("image", "options"),
    [
        *((picture(t, (40, 9)), {}) for t in ("int32", "uint32", "float16")),
        *((picture(t, (40, 9)), {"mask": picture("uint8", (40, 9)) > 60}) for t in ("uint8", "uint16", "float32")),
        *((picture(t, (40, 9)), {"mask": np.ones((40, 9), bool)}) for t in ("uint8", "float64")),
        *((with_nan(picture(t, (40, 9))), {}) for t in ("float16", "float32", "float64")),
        (with_nan(picture("float32", (40, 9))), {"mask": picture("uint8", (40, 9)) > 60, "border": "wrap"}),
        (picture("uint16", (40, 9)).astype(">u2"), {}),
        (picture("uint8", (40, 9)), {"border": "valid"}),
    ],
    ids=lambda value: str(getattr(value, "dtype", "")) or "-".join(value),
)
def test_tiles_are_compiled_where_images_are_not(image, options, run, calls):
    np.testing.assert_array_equal(*results(run, image, **options))
    assert calls


def test_large_tiles_are_computed_in_parts():
    """A single NaN does not change the rest of a large tile."""
    image = np.array(picture("float32", (400, 9)))
    image[200, 4] = np.nan
    for run in (ek.sobel, ek.laplacian, lambda i, **o: ek.oriented(i, [0, 45], **o)):
        plain, compiled = results(run, image)
        np.testing.assert_array_equal(compiled, plain)
        assert np.isnan(plain).any(axis=tuple(range(plain.ndim - 2))).sum() <= 9
        for pixels in (image, np.nan_to_num(image)):
            expected, out = run(pixels), np.zeros((*plain.shape[:-1], 18), np.float32)[..., ::2]
            np.testing.assert_array_equal(run(pixels, out=out), expected)
