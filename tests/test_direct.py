"""8 bits filtered without padding: the same bits as with it, at any size, border and height of strips."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import BORDERS, picture

import edgekit as ek
from edgekit.backends import direct, fast, strips
from edgekit.dispatch import apply, plan_for
from edgekit.kernels import Kind, Operator, own
from edgekit.taps import Kernel

#: Filters of 8 bits that one call for each kernel serves, and those it does not serve.
TAKEN = {
    "sobel": lambda i, **o: ek.sobel(i, **o),
    "sobel at 45": lambda i, **o: ek.sobel(i, angle=45, **o),
    "sobel's components": lambda i, **o: np.stack([(g := ek.gradient(i, **o)).gx, g.gy]),
    "sobel along y": lambda i, **o: ek.sobel(i, angle=90, **o),
    "sobel of 5x5": lambda i, **o: ek.sobel(i, size=5, **o),
    "scharr": lambda i, **o: ek.scharr(i, **o),
    "scharr at many": lambda i, **o: ek.oriented(i, [0, 30, 90], operator="scharr", **o),
    "laplacian": lambda i, **o: ek.laplacian(i, **o),
    "own": lambda i, **o: ek.correlate(i, [[1, 2, 3, 4, 5], [0, -7, 1, 9, 2], [1, 1, 0, 0, -3]], **o),
    "own of 9x9": lambda i, **o: ek.correlate(i, np.outer(range(9), [1, 2, 3, 4, 5, 4, 3, 2, 1]), **o),
}
LEFT = {
    "roberts": lambda i, **o: ek.roberts(i, **o),
    "kirsch": lambda i, **o: ek.kirsch(i, **o),
    "gaussian": lambda i, **o: ek.gaussian_gradient(i, sigma=1, **o),
    "decimal": lambda i, **o: ek.correlate(i, [[0.1, 0.2, 0.7]], **o),
}


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    monkeypatch.setattr(fast, "MODE", "0")


@pytest.fixture
def watched(monkeypatch):
    """Whether the images asked about were taken, and whether something was padded."""
    taken, padded = [], []
    response, window = direct.response, direct.window
    monkeypatch.setattr(direct, "response", lambda *a: taken.append(made := response(*a)) or made)
    monkeypatch.setattr(direct, "window", lambda *a: padded.append(a) or window(*a))
    return taken, padded


@pytest.mark.parametrize("name", [*TAKEN, *LEFT])
def test_what_is_taken_is_not_padded(name, watched):
    taken, padded = watched
    image = np.array(picture("uint8", (20, 30)))
    (TAKEN | LEFT)[name](image)
    assert [made is not None for made in taken] == [name in TAKEN]
    assert not padded
    for other in (image.astype(np.int16), image.astype(np.float32)):
        (TAKEN | LEFT)[name](other)
    assert not any(taken[1:])


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("name", ["sobel", "own"])
def test_borders_are_opencvs_own_where_it_has_them(name, border, watched):
    known = {"sobel": {"reflect", "edge"}, "own": {"reflect", "symmetric", "edge", "constant"}}[name]
    taken, padded = watched
    TAKEN[name](np.array(picture("uint8", (20, 30))), border=border)
    assert (taken[0] is not None) == (border != "valid")
    assert bool(padded) == (border == "wrap" or (border != "valid" and border not in known))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_the_same_bits_as_by_padding(data):
    shape = data.draw(st.tuples(st.integers(1, 40), st.integers(1, 20)))
    image = np.array(picture("uint8", shape, seed=data.draw(st.integers(0, 9))))
    name, border = data.draw(st.sampled_from(sorted(TAKEN))), data.draw(st.sampled_from(BORDERS[:-1]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strips, "STRIP", data.draw(st.sampled_from([16, 200, strips.STRIP])))
        made = TAKEN[name](image, border=border)
        out = np.full(made.shape, np.nan, np.float32)
        if name != "sobel's components":
            np.testing.assert_array_equal(TAKEN[name](image, border=border, out=out), made)
        patch.setattr(direct, "response", lambda *a: None)
        np.testing.assert_array_equal(made, TAKEN[name](image, border=border))


def test_sums_that_single_precision_cannot_hold_are_left():
    taps = [[0, 2.0**17, 0], [0, 1.0, 0], [0, 0, 0]]
    assert direct._way(plan_for(own(taps), {})) is None
    assert direct._way(plan_for(own([[0, 2.0**15, 0], [0, 1.0, 0], [0, 0, 0]]), {})) is not None
    image = np.array(picture("uint8", (9, 9)))
    made = ek.correlate(image, taps)
    padded = np.pad(image, 1, mode="reflect").astype(np.float64)
    expected = padded[:-2, 1:-1] * 2**17 + padded[1:-1, 1:-1]
    np.testing.assert_array_equal(made, expected.astype(np.float32))


def test_kernels_that_are_several_calls_are_left():
    one, two = ([1, 2, 1], [-1, 0, 1]), ([0, 1, 0], [1, -2, 1])
    kernel = Kernel.separable(one, two)
    sum_of_two = Operator("own", "own", Kind.KERNEL, 0, 1, "", choices={None: (kernel,)})
    image = np.array(picture("uint8", (20, 30)))
    assert direct._way(plan_for(sum_of_two, {})) is None
    np.testing.assert_array_equal(apply(image, sum_of_two, {}), ek.correlate(image, kernel.taps))


def test_pixels_that_do_not_lie_in_rows(watched):
    image = np.array(picture("uint8", (30, 40)))
    for odd in (image.T, image[::-1], image[:, ::2], image[::2]):
        np.testing.assert_array_equal(ek.sobel(odd), ek.sobel(odd.copy()))
        np.testing.assert_array_equal(ek.laplacian(odd), ek.laplacian(odd.copy()))
