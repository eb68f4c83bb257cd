"""Error messages for invalid input, and unchanged global state."""

import logging
import math
import warnings

import cv2
import numpy as np
import pytest
import torch
from oracle import ROWS, picture

import edgekit as ek
from edgekit.filters.apply import apply, filter_image

GRAY = picture("uint8")
BUILTIN = {
    ek.ParameterError: ValueError,
    ek.ShapeError: ValueError,
    ek.DtypeError: TypeError,
    ek.KernelError: ValueError,
}


def masked():
    return np.ma.masked_array(np.zeros((5, 5)), np.eye(5, dtype=bool))


@pytest.mark.parametrize(
    ("image", "error", "message"),
    [
        ([[1, 2], [3, 4]], ek.DtypeError, "found list.*numpy.asarray"),
        (None, ek.DtypeError, "found NoneType"),
        (3.5, ek.DtypeError, "found float"),
        ("image.png", ek.DtypeError, "found str"),
        (masked(), ek.DtypeError, "pass image.data and mask=~image.mask"),
        (np.zeros(5), ek.ShapeError, r"expected an image of shape \(rows, columns\).*found \(5,\)"),
        (np.zeros((2, 3, 4, 5)), ek.ShapeError, r"found \(2, 3, 4, 5\)"),
        (np.array(3.0), ek.ShapeError, r"found \(\)"),
        (np.zeros((0, 5)), ek.ShapeError, r"no pixels: its shape is \(0, 5\)"),
        (np.zeros((5, 0, 3)), ek.ShapeError, r"no pixels: its shape is \(5, 0, 3\)"),
        (np.zeros((5, 5, 0)), ek.ShapeError, r"no pixels: its shape is \(5, 5, 0\)"),
        (np.zeros((5, 5), complex), ek.DtypeError, "found complex128. Convert the image first"),
        (np.zeros((5, 5), object), ek.DtypeError, "found object"),
        (np.full((5, 5), "a"), ek.DtypeError, "found <U1"),
        (np.zeros((5, 5), "datetime64[s]"), ek.DtypeError, "found datetime64"),
        (torch.zeros(5), ek.ShapeError, r"expected a tensor of shape.*found \(5,\)"),
        (torch.zeros(5, 0), ek.ShapeError, r"no pixels: its shape is \(5, 0\)"),
        (torch.zeros(2, 0, 5, 5), ek.ShapeError, "no pixels"),
        (torch.zeros(5, 5, dtype=torch.complex64), ek.DtypeError, "found torch.complex64"),
    ],
)
@pytest.mark.parametrize("row", ROWS[:: len(ROWS) // 3], ids=lambda row: row.id)
def test_invalid_images_are_refused(row, image, error, message):
    with pytest.raises(error, match=message) as caught:
        filter_image(image, row.operator, row.parameters)
    assert isinstance(caught.value, ek.EdgekitError)
    assert isinstance(caught.value, BUILTIN[error])


@pytest.mark.parametrize(
    ("function", "options", "message"),
    [
        (ek.sobel, {"angle": math.nan}, "angle=nan must be finite"),
        (ek.sobel, {"angle": math.inf}, "angle=inf must be finite"),
        (ek.sobel, {"angle": "45"}, "angle='45' must be a number of degrees"),
        (ek.sobel, {"angle": True}, "angle=True must be a number of degrees"),
        (ek.sobel, {"angle": np.True_}, "must be a number of degrees"),
        (ek.sobel, {"angle": [0, 45]}, "must be a number of degrees"),
        (ek.sobel, {"angle": 1j}, "must be a number of degrees"),
        (ek.sobel, {"border": "mirrored"}, "border='mirrored' is not known; choose one of reflect, symmetric, edge"),
        (ek.sobel, {"channel": "gray"}, "channel='gray' is not known; choose one of each, luminance, max, dizenzo"),
        (ek.sobel, {"tone": "gamma"}, "tone='gamma' is not known; choose one of linear, log"),
        (ek.sobel, {"scale": "full"}, "scale='full' is not known; choose one of unit, raw"),
        (ek.sobel, {"scale": None}, "scale=None is not known"),
        (ek.sobel, {"rotate": "shift", "angle": 0}, "rotate='shift' is not known; choose one of steer, ring"),
        (ek.sobel, {"angle_of": "line", "angle": 0}, "angle_of='line' is not known; choose one of gradient, edge"),
        (ek.sobel, {"border": ["reflect"]}, "must be a number or a name"),
        (ek.sobel, {"size": 4}, "sobel has no size=4; choose one of 3, 5, 7"),
        (ek.sobel, {"size": "3"}, "sobel has no size='3'"),
        (ek.sobel, {"size": [3]}, "must be a number or a name"),
        (ek.farid, {"size": 3}, "farid has no size=3; choose one of 5, 7"),
        (ek.robinson, {"levels": 4}, "robinson has no levels=4; choose one of 3, 5"),
        (ek.robinson, {"levels": True}, "robinson has no levels=True"),
        (ek.gaussian_gradient, {"sigma": 0}, "sigma=0 must be a positive, finite number of pixels"),
        (ek.gaussian_gradient, {"sigma": -1.5}, "sigma=-1.5 must be a positive"),
        (ek.gaussian_gradient, {"sigma": math.nan}, "sigma=nan must be a positive"),
        (ek.gaussian_gradient, {"sigma": math.inf}, "sigma=inf must be a positive"),
        (ek.gaussian_gradient, {"sigma": "1"}, "sigma='1' must be a positive"),
        (ek.gaussian_gradient, {"sigma": 0.05}, "sigma=0.05 is too small.*0.15 or more"),
        (ek.laplacian, {"sigma": 0}, "sigma=0 must be a positive"),
        (ek.laplacian, {"sigma": 0.2}, "sigma=0.2 is too small.*0.3 or more"),
        (ek.laplacian, {"stencil": 5}, "laplacian has no stencil=5; choose one of 4, 8, 'isotropic'"),
        (ek.dog, {"sigma": 1, "sigma2": 1}, "sigma and sigma2 are both 1"),
        (ek.dog, {"sigma": 0.05, "sigma2": 0.06}, "too small"),
        (ek.dog, {"sigma2": math.nan}, "sigma2=nan must be a positive"),
        (ek.laplacian, {"channel": "dizenzo"}, 'channel="dizenzo" combines gradients, and laplacian is not'),
        (ek.kirsch, {"channel": "dizenzo"}, "kirsch is not a gradient operator"),
        (ek.kirsch, {"angle": 30}, "angle=30 must be a multiple of 45 degrees"),
        (ek.sobel, {"angle": 30, "rotate": "ring"}, "angle=30 must be a multiple of 45 degrees"),
        (ek.sobel, {"angle": 45, "rotate": "ring", "size": 5}, "needs a 3x3 kernel.*5x5.*Use rotate"),
        (ek.farid, {"angle": 45, "rotate": "ring"}, "needs a 3x3 kernel.*5x5.*Use rotate"),
        (ek.roberts, {"angle": 45, "rotate": "ring"}, "needs a 3x3 kernel.*2x2.*Use rotate"),
        (ek.gradient, {"operator": "laplacian"}, "laplacian has no gradient vector; choose one of sobel, scharr"),
        (ek.gradient, {"operator": "canny"}, "operator='canny' is not known; choose one of sobel"),
        (ek.gradient, {"operator": []}, "is not known; choose one of sobel"),
        (ek.oriented, {"angles": []}, "must be a sequence of at least one direction"),
        (ek.oriented, {"angles": 45}, "angles=45 must be a sequence"),
        (ek.oriented, {"angles": "45"}, "must be a sequence"),
        (ek.oriented, {"angles": [0, math.nan]}, "angle=nan must be finite"),
        (ek.oriented, {"angles": [0], "operator": "dog"}, "dog has no direction"),
        (ek.oriented, {"angles": [0], "operator": None}, "operator=None is not known"),
    ],
)
def test_invalid_options_are_refused(function, options, message):
    for image in (GRAY, torch.zeros(6, 7)):
        with pytest.raises(ek.ParameterError, match=message) as caught:
            function(image, **options)
        assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ("function", "options"),
    [
        (ek.laplacian, {"angle": 0}),
        (ek.sobel, {"sigma": 1}),
        (ek.sobel, {"ksize": 3}),
        (ek.scharr, {"size": 3}),
        (ek.gradient, {"angle": 3}),
        (ek.gradient, {"angle_of": "edge"}),
        (ek.gradient, {"rotate": "ring"}),
        (ek.gradient, {"out": GRAY}),
        (ek.gradient, {"operator": "scharr", "size": 3}),
        (ek.canny, {"out": GRAY}),
        (ek.zero_crossings, {"out": GRAY}),
    ],
)
def test_unknown_options_are_refused(function, options):
    error, message = TypeError, f"unexpected keyword argument '{next(iter(options))}'"
    if "operator" in options:
        error, message = ek.ParameterError, "scharr does not take size=; it takes no parameter of its own"
    with pytest.raises(error, match=message):
        function(GRAY, **options)


def test_bool_sigma_is_refused_after_an_equal_number():
    # True equals 1, but the cached result for 1 must not be used for True.
    ek.gaussian_gradient(GRAY, sigma=1)
    ek.dog(GRAY, sigma=1)
    for function in (ek.gaussian_gradient, ek.dog):
        with pytest.raises(ek.ParameterError, match="sigma=True must be a positive"):
            function(GRAY, sigma=True)


@pytest.mark.parametrize("sigma", [np.float32(1.5), np.float64(1.5), np.int64(2)])
def test_sigma_may_be_a_numpy_scalar(sigma):
    np.testing.assert_array_equal(
        ek.gaussian_gradient(GRAY, sigma=sigma), ek.gaussian_gradient(GRAY, sigma=float(sigma))
    )


@pytest.mark.parametrize(
    ("taps", "message"),
    [
        (np.ones((2, 2)), "odd number of rows and columns.*found 2x2.*Add a row or column"),
        (np.ones((3, 4)), "found 3x4"),
        (np.ones(3), "table of numbers: rows of coefficients"),
        (np.ones((3, 3, 3)), "table of numbers"),
        ([[1, 2, 3], [1, 2], [1, 2, 3]], r"rows of a kernel must have one length; found \[2, 3\]"),
        ([[1, np.nan, 1]], "finite; found nan or inf"),
        ([[1, np.inf, 1]], "finite; found nan or inf"),
        (np.zeros((3, 3)), "a coefficient that is not zero"),
        ([], "no rows"),
        (None, "table of numbers"),
        ([[1j, 0, 0]], "table of numbers"),
    ],
)
def test_invalid_kernels_are_refused(taps, message, kind):
    with pytest.raises(ek.KernelError, match=message) as caught:
        ek.correlate(kind.image(GRAY), taps)
    assert isinstance(caught.value, ValueError)


def test_invalid_masks_are_refused(kind):
    image = kind.image(GRAY)
    for mask, error, message in (
        (
            kind.image(np.ones((13, 17), np.uint8)),
            ek.DtypeError,
            "a mask that is a .*True where.*found .*uint8",
        ),
        (kind.image(np.ones((13, 17))), ek.DtypeError, "found .*float64"),
        ([[True]], ek.DtypeError, "found list"),
        (kind.image(np.ones((17, 13), bool)), ek.ShapeError, r"expected a mask of shape .*13, 17\).*found \(17, 13\)"),
        (kind.image(np.ones((12, 17), bool)), ek.ShapeError, r"found \(12, 17\)"),
    ):
        with pytest.raises(error, match=message):
            ek.sobel(image, mask=mask)
    other = np.ones((13, 17), bool) if kind.is_torch else torch.ones(13, 17, dtype=torch.bool)
    with pytest.raises(ek.DtypeError, match="expected a mask that is a"):
        ek.sobel(image, mask=other)


def test_valid_border_of_a_too_small_image_is_refused(kind):
    with pytest.raises(ek.ShapeError, match="the kernel of 5x5 is larger than the image of 4x9; choose another border"):
        ek.sobel(kind.image(picture("uint8", (4, 9))), size=5, border="valid")


@pytest.mark.parametrize("channels", [2, 5])
def test_luminance_of_2_or_5_channels_is_refused(channels, kind):
    image = kind.image(picture("uint8", (5, 6, channels)))
    with pytest.raises(ek.ShapeError, match=rf"needs 1, 3 \(RGB\) or 4 \(RGBA\) channels; found {channels}. Choose"):
        ek.sobel(image, channel="luminance")


def test_image_and_angles_of_two_kinds_are_refused():
    with pytest.raises(ek.DtypeError, match="image is a ndarray and its angles a Tensor; convert one"):
        ek.sobel(GRAY, angle=torch.zeros(13, 17))
    with pytest.raises(ek.DtypeError, match="image is a Tensor and its angles a ndarray; convert one"):
        ek.sobel(torch.zeros(13, 17), angle=np.zeros((13, 17)))


def global_state():
    """Return the state of the process and of the libraries that filters must not change."""
    return (
        cv2.getNumThreads(), cv2.useOptimized(), torch.get_num_threads(), torch.is_grad_enabled(),
        torch.get_default_dtype(), torch.initial_seed(), torch.get_rng_state().tolist(),
        torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark,
        # An application may have set the state of the legacy generator.
        str(np.random.get_state()), np.geterr(), np.get_printoptions(),  # noqa: NPY002
        list(warnings.filters), logging.getLogger().handlers[:], logging.getLogger().level,
    )  # fmt: skip


def test_filters_do_not_change_global_state(kind):
    before = global_state()
    for row in ROWS:
        for dtype in ("uint8", "float32"):
            response = apply(kind.image(picture(dtype)), row.operator, row.parameters)
            ek.to_display(response)
    with pytest.raises(ek.ParameterError):
        ek.sobel(kind.image(GRAY), border="mirror")
    assert global_state() == before
