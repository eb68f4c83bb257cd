"""Every operator on every kind of array, border and dtype, compared with a plain correlation."""

import numpy as np
import oracle
import pytest
import torch
from oracle import BORDERS, EPS, RESULT, ROWS, picture

import edgekit as ek
from edgekit.backends.opencv import backend, tiling
from edgekit.filters.apply import apply

DTYPES = tuple(RESULT)
EXACT = 2**24


def by_id(row):
    return row.id


def directed(image, row, **options):
    """Filter in the operator's own direction, with a single kernel."""
    angle = None if row.kind == "laplacian" else row.axis
    return apply(image, row.operator, row.parameters, angle=angle, **options)


def tolerance(array, taps, dtype, border="reflect", divisor=1.0, weights=None):
    """Return the allowed error: four roundings of the sum of absolute products, and one to half precision."""
    work = max(EPS["float64"], min(EPS[dtype], EPS["float32"]))
    allowed = 4 * work * oracle.weight(array, taps if weights is None else weights, border) / abs(divisor)
    if EPS[dtype] > work:
        # Subnormal numbers of half precision have a distance of 2^-24.
        size = np.abs(oracle.correlate(array, taps, border) / divisor)
        allowed += np.maximum(EPS[dtype] / 2 * (size + allowed), 2.0**-25)
    return allowed


def assert_within(found, expected, allowed):
    assert found.shape == expected.shape
    excess = np.abs(found.astype(np.float64) - expected) - allowed
    assert (excess <= 0).all(), f"off by {excess.max():.3g} more than is allowed"


def is_exact(row, array):
    if not row.integer or not (array == np.round(array.astype(np.float64))).all():
        return False
    largest = np.abs(array.astype(np.float64)).max()
    return all(np.abs(k).sum() * largest < EXACT for k in row.bank)


def check(row, array, border, kinds, scales=("raw", "unit")):
    """Check one linear response on all kinds of array."""
    dtype = RESULT[array.dtype.name]
    exact = is_exact(row, array)
    plain = oracle.correlate(array, row.along, border)
    for scale in scales:
        divisor = 1.0 if scale == "raw" else row.divisor
        allowed = tolerance(array, row.along, dtype, border, divisor, row.weights[0])
        first = None
        for kind in kinds:
            response = directed(kind.image(array), row, border=border, scale=scale)
            assert kind.dtype(response) == dtype
            found = kind.plain(response, channels=array.ndim == 3)
            assert_within(found, plain / divisor, allowed)
            if exact:
                first = found if first is None else first
                np.testing.assert_array_equal(found, first)
                if scale == "raw":
                    np.testing.assert_array_equal(found, plain.astype(dtype))


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("row", ROWS, ids=by_id)
def test_linear_responses_equal_the_oracle(row, dtype, border, kinds):
    check(row, picture(dtype), border, kinds)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("row", ROWS, ids=by_id)
def test_error_is_bounded_by_the_pixels_in_the_kernel(row, dtype, kinds):
    spot = np.zeros((13, 17), dtype)
    spot[6, 8] = 0.1
    for array in (picture(dtype), spot):
        # The coefficients of Gaussians are rounded to double precision, too.
        slack = 4 * np.finfo(float).eps * oracle.reach(array, row.along) * (not row.integer)
        allowed = tolerance(array, row.along, dtype, weights=row.weights[0]) + slack
        for kind in kinds:
            found = kind.plain(directed(kind.image(array), row, scale="raw"))
            assert_within(found, oracle.correlate(array, row.along), allowed)


@pytest.mark.parametrize("dtype", ["uint16", "int16", "int32", "uint32", "int64", "float32", "float64"])
@pytest.mark.parametrize("row", [r for r in ROWS if r.integer], ids=by_id)
def test_sums_up_to_24_bits_are_exact(row, dtype, kinds):
    largest = (EXACT - 1) // int(max(np.abs(k).sum() for k in row.bank))
    array = picture("int64", largest=largest)
    if dtype.startswith("u"):
        array = np.abs(array)
    if dtype in ("uint16", "int16"):
        array = np.clip(array, np.iinfo(dtype).min, np.iinfo(dtype).max)
    array = array.astype(dtype)
    assert is_exact(row, array)
    check(row, array, "reflect", kinds)


@pytest.mark.parametrize("dtype", ["uint16", "float32", "float64"])
@pytest.mark.parametrize("row", [r for r in ROWS if r.integer], ids=by_id)
def test_largest_partial_sums_are_exact(row, dtype, kinds):
    largest = (EXACT - 1) // int(max(np.abs(k).sum() for k in row.bank))
    largest = min(largest, np.iinfo("uint16").max)
    rng = np.random.default_rng(2)
    blocks = np.where(row.along > 0, largest, 0)
    for array in (
        np.tile(blocks, (3, 3)),
        np.tile(largest - blocks, (3, 3)),
        rng.choice([0, largest - 1, largest], (13, 17)),
    ):
        check(row, array.astype(dtype), "wrap", kinds)


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("row", ROWS, ids=by_id)
def test_bfloat16_responses_equal_the_oracle(row, border):
    tensor = torch.from_numpy(np.array(picture("float32"))).to(torch.bfloat16)
    array = tensor.float().numpy()
    response = directed(tensor, row, border=border)
    assert response.dtype == torch.bfloat16
    allowed = tolerance(array, row.along, "bfloat16", border, row.divisor, row.weights[0])
    assert_within(response.float().numpy(), oracle.correlate(array, row.along, border) / row.divisor, allowed)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("row", ROWS, ids=by_id)
def test_responses_without_angle_equal_the_oracle(row, dtype, kinds):
    array = picture(dtype)
    result = RESULT[dtype]
    expected = row.answer(array)
    allowed = np.sqrt(sum(tolerance(array, k, result, divisor=row.divisor) ** 2 for k in row.weights))
    allowed += 2 * EPS[result] * np.abs(expected)
    found = []
    for kind in kinds:
        response = apply(kind.image(array), row.operator, row.parameters)
        assert kind.dtype(response) == result
        found.append(kind.plain(response))
        assert_within(found[-1], expected, allowed)
    if is_exact(row, array):
        for other in found[1:]:
            np.testing.assert_array_max_ulp(other, found[0], 2)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (2, 2), (3, 5), (3, 2, 3)])
@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("row", ROWS, ids=by_id)
def test_small_images(row, border, shape, kinds):
    if border == "valid" and any(n < k for n, k in zip(shape, row.along.shape, strict=False)):
        for kind in kinds:
            with pytest.raises(ek.ShapeError, match="leaves no pixels"):
                directed(kind.image(picture("uint8", shape)), row, border=border)
        return
    for dtype in ("uint8", "float64"):
        check(row, picture(dtype, shape), border, kinds, ["unit"])


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 9])
@pytest.mark.parametrize("row", ROWS, ids=by_id)
def test_channels_are_filtered_separately(row, channels, kinds):
    for dtype in ("uint8", "float32"):
        array = picture(dtype, (6, 7, channels))
        check(row, array, "reflect", kinds, ["unit"])


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
@pytest.mark.parametrize("border", BORDERS[:-1])
def test_gaussians_wider_than_the_image(border, dtype, kind):
    array = picture(dtype)
    image = kind.image(array)
    r = oracle.radius(6)
    slope = oracle.gaussian_derivative(6)
    reach = np.arange(-r, r + 1.0)
    curvature = (oracle.gaussian_second_derivative(6) * reach**2).sum() / 2
    for found, taps, divisor in (
        (ek.gaussian_gradient(image, sigma=6, angle=0, border=border), np.outer(oracle.gaussian(6, r), slope),
         (slope * reach).sum()),
        (ek.laplacian(image, sigma=6, border=border), oracle.log_kernel(6), curvature),
        (ek.dog(image, sigma=4, sigma2=6, border=border, scale="raw"), oracle.dog_kernel(4, 6), 1.0),
    ):  # fmt: skip
        allowed = tolerance(array, taps, RESULT[dtype], border, divisor)
        assert_within(kind.plain(found), oracle.correlate(array, taps, border) / divisor, allowed)


@pytest.mark.parametrize("shape", [(15, 15), (1, 15), (15, 1), (9, 3), (7, 7), (9, 9), (1, 1), (3, 1)])
@pytest.mark.parametrize("border", BORDERS[:-1])
def test_correlate_equals_the_oracle(border, shape, kind):
    rng = np.random.default_rng(shape)
    tables = [rng.integers(-20, 21, shape), rng.normal(size=shape)]
    along_y, along_x = (rng.normal(size=n) for n in shape)
    if min(shape) > 1:
        tables.append(tables[1] - tables[1].mean())
    tables += [np.outer(along_y, along_x), np.outer(np.sign(along_y), np.rint(9 * along_x) + 0.5)]
    if shape == (15, 15):
        tables.append(np.where(rng.random(shape) < 0.02, 3, 0))
    for dtype in ("uint8", "float32", "float64"):
        array = picture(dtype)
        for taps in tables:
            response = kind.plain(ek.correlate(kind.image(array), taps, border=border))
            expected = oracle.correlate(array, taps, border)
            assert_within(response, expected, tolerance(array, taps, RESULT[dtype], border))
            if dtype == "uint8" and taps.dtype.kind == "i" and max(shape) <= 7:
                np.testing.assert_array_equal(response, expected)


@pytest.mark.parametrize("taps", [(64, 1, 63), (65, 1, 63), (-65, -1, -63), (0.5, 0.25, 1), (16384, 0, 1)])
def test_correlate_sums_beyond_16_bits_are_exact(taps, kind):
    first, middle, last = taps
    taps = np.array([[first, 0, 0], [0, 0, middle], [0, last, 0]])
    for array in (picture("uint8"), np.full((9, 9), 255, np.uint8)):
        response = kind.plain(ek.correlate(kind.image(array), taps))
        np.testing.assert_array_equal(response, oracle.correlate(array, taps, "reflect"))


def test_own_kernel_may_be_a_tensor_or_a_list(kind):
    image = kind.image(picture("uint8"))
    expected = kind.plain(ek.correlate(image, np.array([[-1, 0, 1]])))
    for taps in (torch.tensor([[-1, 0, 1]]), [[-1, 0, 1]], ((-1.0, 0.0, 1.0),)):
        np.testing.assert_array_equal(kind.plain(ek.correlate(image, taps)), expected)


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("row", ROWS, ids=by_id)
def test_tiles_do_not_change_the_response(row, border, monkeypatch):
    rng = np.random.default_rng(4)
    image = picture("float32", (150, 17))
    mask = rng.random(image.shape) < 0.999
    whole = [apply(image, row.operator, row.parameters, border=border, mask=m) for m in (None, mask)]
    starts = []
    pad = backend.pad

    def counted(image, layout, start, *others):
        starts.append(start)
        return pad(image, layout, start, *others)

    monkeypatch.setattr(tiling, "TILE", 64)
    monkeypatch.setattr(backend, "pad", counted)
    cut = [apply(image, row.operator, row.parameters, border=border, mask=m) for m in (None, mask)]
    assert len(set(starts)) > 1
    # Sums of decimal coefficients are rounded, and not always in the same order.
    allowed = 0 if row.integer else 4 * EPS["float32"]
    for part, expected in zip(cut, whole, strict=True):
        np.testing.assert_allclose(part, expected, rtol=0, atol=allowed)


@pytest.mark.parametrize(
    "run",
    [
        lambda image, **options: ek.sobel(image, **options),
        lambda image, **options: ek.sobel(image, angle=45, **options),
        lambda image, **options: ek.oriented(image, (0, 90), **options),
        lambda image, **options: np.stack([*vars(ek.gradient(image, **options)).values()]),
    ],
    ids=["magnitude", "angle", "bank", "vector"],
)
@pytest.mark.parametrize("channel", ["each", "luminance", "max", "dizenzo"])
def test_tiles_do_not_change_colour_responses(channel, run, monkeypatch):
    image = picture("uint8", (100, 7, 3))
    whole = run(image, channel=channel)
    monkeypatch.setattr(tiling, "TILE", 64)
    np.testing.assert_array_equal(run(image, channel=channel), whole)


@pytest.mark.parametrize("dtype", [">i2", ">f4", ">f8", ">u4"])
def test_byte_order_does_not_change_the_response(dtype):
    array = picture(np.dtype(dtype).newbyteorder("=").name)
    response = ek.sobel(array.astype(dtype))
    np.testing.assert_array_equal(response, ek.sobel(array))
    assert response.dtype.isnative


@pytest.mark.parametrize(
    ("function", "row"),
    [
        (ek.sobel, "sobel-size3"), (ek.scharr, "scharr"), (ek.prewitt, "prewitt"), (ek.roberts, "roberts"),
        (ek.farid, "farid-size5"), (ek.gaussian_gradient, "gaussian-sigma1.0"), (ek.laplacian, "laplacian-stencil4"),
        (ek.dog, "dog-sigma1.0"), (ek.kirsch, "kirsch"), (ek.robinson, "robinson-levels3"),
    ],
)  # fmt: skip
def test_functions_equal_the_oracle(function, row, kind):
    row = next(r for r in ROWS if r.id == row)
    array = picture("uint8")
    for scale in ("unit", "raw"):
        response = kind.plain(function(kind.image(array), scale=scale))
        np.testing.assert_allclose(response, row.answer(array, scale=scale), rtol=2e-6, atol=2e-4)


@pytest.mark.parametrize("row", oracle.GRADIENTS, ids=by_id)
def test_components_of_gradient_equal_the_oracle(row, kind):
    array = picture("float64")
    gradient = ek.gradient(kind.image(array), operator=row.operator, **row.parameters)
    for found, angle in ((gradient.gx, 0), (gradient.gy, 90)):
        taps = row.at(angle) / row.divisor
        assert_within(kind.plain(found), oracle.correlate(array, taps), 2 * tolerance(array, taps, "float64"))
