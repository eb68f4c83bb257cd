"""Every public function with every kind of array: the correct result, or one clear error."""

import io
import warnings

import numpy as np
import pandas
import pytest
import torch
import xarray
from PIL import Image

import edgekit as ek

TAPS = [[0, 1, 0], [1, -4, 1], [0, 1, 0]]


def distance(image):
    """Return the edge distance along the diagonal, or NaN if it does not cross two edges."""
    try:
        return ek.edge_distance(image, (0, 0), (7, 7)).distance
    except ek.ParameterError as error:
        if "must cross two edges" in str(error):
            return np.nan
        raise


#: Calls of all public functions that take an image.
FUNCTIONS = {
    **{name: getattr(ek, name) for name in (
        "sobel", "scharr", "prewitt", "roberts", "farid", "gaussian_gradient", "kirsch", "robinson", "laplacian", "dog",
        "gradient", "canny", "zero_crossings", "threshold", "outline", "detect", "sharpness", "score", "sharpness_map",
        "blur_width", "blur_map",
        "to_display", "picture", "white_level", "find_edges",
    )},
    "correlate": lambda image: ek.correlate(image, TAPS),
    "contours": lambda image: tuple(contour.points for contour in ek.contours(image)),
    "mtf": lambda image: ek.mtf(image).clipped,
    "edge_distance": lambda image: distance(image),
    "oriented": lambda image: ek.oriented(image, [0, 45]),
    "hysteresis": lambda image: ek.hysteresis(image, 1, 2),
    "nonmax_suppress": lambda image: ek.nonmax_suppress(image, image),
    "overlay": lambda image: ek.overlay(image, np.zeros((9, 8), np.uint8)),
    "overlay of": lambda image: ek.overlay(np.zeros((9, 8), np.uint8), image),
    "write_image": lambda image: ek.write_image("made.png", image),
    "fuse": lambda image: ek.fuse([image, image]),
    "depth_map": lambda image: ek.depth_map([image, image]),
    "fit_kernel": lambda image: ek.fit_kernel(image, image, steps=2),
    "nn.Sobel": lambda image: ek.nn.Sobel()(image),
    "nn.Laplacian": lambda image: ek.nn.Laplacian()(image),
    "nn.GradientMagnitude": lambda image: ek.nn.GradientMagnitude()(image),
    "nn.Oriented": lambda image: ek.nn.Oriented()(image),
    "nn.Filter": lambda image: ek.nn.Filter(TAPS)(image),
    "nn.Sharpness": lambda image: ek.nn.Sharpness()(image),
    "nn.GradientLoss": lambda image: ek.nn.GradientLoss()(image, image),
    "nn.SharpnessLoss": lambda image: ek.nn.SharpnessLoss()(image),
}  # fmt: skip

#: Public names that take no image.
OTHERS = {
    "nn", "Display", "Gradient", "Focus", "Peak", "KernelFit", "MEASURES", "find_peak", "autofocus", "read_image",
    "open_image", "ImageFile", "ImageInfo", "BlurWidth", "DepthMap", "Contour", "EdgeDistance", "Line", "Circle",
    "Ellipse", "Mtf", "Region", "fit_line", "fit_circle", "fit_ellipse", "Rows", "score_files", "filter_files",
    "kernel", "OperatorKernel",
    # Tested in tests/test_notebook.py.
    "show", "Panels",
    *(n for n in dir(ek) if n.endswith("Error")),
}  # fmt: skip

#: These take an array of any shape.
ELEMENTWISE = ("to_display",)


def quantized():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.quantize_per_tensor(torch.rand(9, 8), 0.1, 0, torch.quint8)


class Broken:
    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("no memory for it")


#: Values that are not images: a function that makes one, and whether `ELEMENTWISE` functions accept it.
WRONG = {
    "None": (lambda: None, False),
    "a number": (lambda: 3, False),
    "a text": (lambda: "image.png", False),
    "bytes": (lambda: b"123", False),
    "a list": (lambda: [[1, 2], [3, 4]], False),
    "a type": (lambda: np.ndarray, False),
    "an object whose conversion fails": (Broken, False),
    "complex": (lambda: np.zeros((9, 8), complex), False),
    "objects": (lambda: np.full((9, 8), None), False),
    "texts": (lambda: np.full((9, 8), "a"), False),
    "dates": (lambda: np.zeros((9, 8), "datetime64[s]"), False),
    "records": (lambda: np.zeros((9, 8), [("a", int), ("b", float)]), False),
    "long doubles": (lambda: np.zeros((9, 8), np.longdouble), False),
    "no axis": (lambda: np.array(3.0), True),
    "one axis": (lambda: np.zeros(9), True),
    "four axes": (lambda: np.zeros((2, 9, 8, 3)), True),
    "0x0": (lambda: np.zeros((0, 0)), True),
    "no rows": (lambda: np.zeros((0, 8, 3), np.uint8), True),
    "no columns": (lambda: np.zeros((9, 0)), True),
    "no channels": (lambda: np.zeros((9, 8, 0), np.float32), True),
    "masked": (lambda: np.ma.masked_array(np.zeros((9, 8)), False), False),
    "sparse of SciPy": (lambda: __import__("scipy.sparse").sparse.eye_array(9), False),
    "complex tensor": (lambda: torch.zeros(9, 8, dtype=torch.complex64), False),
    "sparse tensor": (lambda: torch.eye(9).to_sparse(), False),
    "quantized tensor": (quantized, False),
    "nested tensor": (lambda: torch.nested.nested_tensor([torch.zeros(2, 3), torch.zeros(3, 3)]), False),
    "tensor of no axis": (lambda: torch.tensor(3.0), True),
    "tensor of one axis": (lambda: torch.zeros(9), True),
    "tensor without rows": (lambda: torch.zeros(2, 3, 0, 8), True),
    "tensor without channels": (lambda: torch.zeros(2, 0, 9, 8), True),
}  # fmt: skip


def test_all_public_functions_are_listed():
    assert {name for name in ek.__all__ if name not in OTHERS} <= set(FUNCTIONS)
    assert all(callable(getattr(ek, name)) or name in ("nn", "MEASURES") for name in ek.__all__)


def outcome(name, image, errors=(ek.DtypeError, ek.ShapeError, ek.ParameterError)):
    """Return the message of the error that a function raises, or an empty string."""
    try:
        FUNCTIONS[name](image)
    except errors as error:
        return str(error)
    return ""


@pytest.mark.filterwarnings("ignore:.*prototype.*:UserWarning")
@pytest.mark.parametrize("wrong", WRONG)
def test_values_that_are_not_images_are_refused(wrong, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make, any_shape = WRONG[wrong]
    image = make()
    said = {name: outcome(name, image) for name in FUNCTIONS}
    taken = ELEMENTWISE if any_shape else ()
    assert {name: text for name, text in said.items() if (text == "") != (name in taken)} == {}
    assert [text for text in said.values() if 0 < len(text) <= 20] == []


@pytest.mark.parametrize("shape", [(0, 9, 8), (0, 3, 9, 8), (2, 0, 3, 40, 40)])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_empty_batches_give_empty_results(name, shape, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    batch = torch.zeros(shape) if len(shape) > 3 else torch.zeros(shape)[:, None]
    if name == "outline":
        batch = batch > 0
    if name in (
        "overlay", "overlay of", "write_image", "fit_kernel", "fuse", "depth_map", "nn.GradientLoss",
        "nn.SharpnessLoss", "contours", "mtf", "find_edges", "edge_distance",
    ):  # fmt: skip
        # These functions have no result for an empty batch.
        with pytest.raises(ek.EdgekitError):
            FUNCTIONS[name](batch)
        return
    result = FUNCTIONS[name](batch)
    if name == "white_level":
        assert result > 0
        return
    result = result.image if name in ("to_display", "picture") else result.gx if name == "gradient" else result
    result = result.width if name == "blur_width" else result
    assert 0 in result.shape
    if name in ("sharpness", "score", "blur_width", "nn.Sharpness"):
        assert result.shape == batch.shape[:-3]
    else:
        assert result.shape[-2:] == batch.shape[-2:]


def pil(mode):
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 70, 3), np.uint8))
    return image.quantize(16) if mode == "P" else image.convert(mode)


PLAIN = {name: call for name, call in FUNCTIONS.items() if not name.startswith(("nn.", "overlay", "outline", "fit"))}


def same(one, other, name=""):
    if isinstance(one, ek.Gradient):
        one, other = one.magnitude, other.magnitude
    for a, b in zip(one, other, strict=True) if isinstance(one, tuple) else [(one, other)]:
        np.testing.assert_array_equal(a, b, err_msg=name)


@pytest.mark.parametrize(
    ("mode", "converted"),
    [
        ("RGB", None), ("L", None), ("1", None), ("I", None), ("F", None), ("RGBA", None),
        ("P", "RGB"), ("CMYK", "RGB"), ("YCbCr", "RGB"), ("HSV", "RGB"),
    ],
)  # fmt: skip
def test_pil_images_equal_their_arrays(mode, converted, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    image = pil(mode)
    array = np.asarray(image.convert(converted) if converted else image)
    for name, function in PLAIN.items():
        if name == "write_image" and mode in ("I", "F"):
            assert "PNG cannot hold" in outcome(name, image)
        else:
            same(function(image), function(array), name)


def test_transparent_palettes_give_four_channels():
    image = pil("P")
    image.info["transparency"] = 0
    assert ek.sobel(image).shape == (60, 70, 4)


def test_xarray_and_pandas_equal_their_arrays(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    values = np.random.default_rng(0).integers(0, 256, (60, 70), np.uint8)
    for name, function in PLAIN.items():
        same(function(xarray.DataArray(values, dims=("y", "x"))), function(values), name)
        same(function(pandas.DataFrame(values)), function(values), name)
        assert outcome(name, pandas.DataFrame({"a": [1, 2], "b": ["x", "y"]}), ek.EdgekitError), name


@pytest.mark.parametrize("make", [np.matrix, lambda a: a.view(np.recarray), lambda a: np.asarray(a, ">i2")])
def test_subclasses_and_other_byte_orders(make):
    values = np.kron(np.random.default_rng(0).integers(0, 9999, (6, 7)), np.ones((9, 9))).astype(np.int16)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = make(values)
    np.testing.assert_array_equal(ek.sobel(image), ek.sobel(values))
    assert ek.score(image) == ek.score(values)


LARGE = (
    np.full((40, 40), 2**53, np.int64), np.full((40, 40), -(2**53), np.int64),
    np.full((40, 40, 3), 2**64 - 1, np.uint64),
    torch.full((2, 1, 40, 40), 2**60, dtype=torch.int64),
)  # fmt: skip


@pytest.mark.parametrize("image", LARGE, ids=lambda image: str(image.dtype))
def test_integers_from_2_to_the_53_are_refused(image, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = FUNCTIONS.keys() - {"to_display", "white_level", "outline"}
    said = {name: outcome(name, image, ek.EdgekitError) for name in names}
    assert [name for name, text in said.items() if not text] == []
    known = {name: text for name, text in said.items() if not name.startswith(("overlay", "write", "nn."))}
    assert {name: text for name, text in known.items() if "expected integers below 2^53" not in text} == {}


def test_integers_below_2_to_the_53_are_exact():
    image = np.array([[2**53 - 1, 2**53 - 2], [2**53 - 1, 2**53 - 2]])
    assert ek.correlate(image, [[0, 1, -1]], border="edge")[0].tolist() == [1, 0]


def test_files_are_read_from_paths_bytes_and_file_objects(tmp_path):
    path, image = tmp_path / "a.png", np.random.default_rng(0).integers(0, 256, (9, 8, 3), np.uint8)
    ek.write_image(path, image)
    data = path.read_bytes()
    for source in (path, str(path), data, bytearray(data), memoryview(data), io.BytesIO(data), path.open("rb")):
        np.testing.assert_array_equal(ek.read_image(source), image)
        if hasattr(source, "close"):
            source.close()
    with path.open("rb") as file:
        file.seek(len(data))
        with pytest.raises(ek.UnreadableError, match=r"a.png: empty \(0 bytes\)"):
            ek.read_image(file)


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        (None, ek.ParameterError, "expected a path, bytes or a file object; found NoneType"),
        (3, ek.ParameterError, "found int"),
        (np.zeros((9, 8)), ek.ParameterError, "found ndarray"),
        (io.StringIO("text"), ek.ParameterError, "opened as text; open it as bytes"),
        (io.BytesIO(), ek.UnreadableError, r"the given file object: empty \(0 bytes\)"),
        (b"", ek.UnreadableError, r"the given bytes: empty \(0 bytes\)"),
        (io.BytesIO(b"no image"), ek.DecodeError, "the given file object: expected an image"),
    ],
)
def test_invalid_sources_are_refused(source, error, message):
    with pytest.raises(error, match=message):
        ek.read_image(source)


@pytest.mark.parametrize("ending", ["png", "tif", "jpg", "webp"])
def test_masks_are_written_as_black_and_white(ending, tmp_path):
    mask = np.zeros((16, 16), bool)
    mask[:, 8:] = True
    ek.write_image(tmp_path / f"mask.{ending}", mask)
    read = ek.read_image(tmp_path / f"mask.{ending}")
    # WebP always has colour channels.
    np.testing.assert_array_equal(read if read.ndim == 2 else read[:, :, 1], mask * np.uint8(255))
    ek.write_image(tmp_path / "mask.npy", mask)
    assert np.load(tmp_path / "mask.npy").dtype == bool


@pytest.mark.parametrize("size", [3.0, "3", None, True, (3,), (3, 3.0), (3, 3, 3), 0, -3])
def test_invalid_sizes_of_fit_kernel_are_refused(size):
    with pytest.raises(ek.ParameterError, match="must be an odd integer, or two"):
        ek.fit_kernel(np.eye(9), np.eye(9), size=size)


def test_second_argument_of_modules_must_be_a_mask():
    with pytest.raises(ek.DtypeError, match="or a torch tensor; found int"):
        ek.nn.Sobel()(torch.zeros(1, 1, 9, 9), 3)


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (ek.sobel, "size"), (ek.farid, "size"), (ek.gaussian_gradient, "sigma"), (ek.robinson, "levels"),
        (ek.laplacian, "stencil"), (ek.dog, "sigma"), (ek.zero_crossings, "sigma"), (ek.canny, "sigma"),
        (ek.sobel, "scale"), (ek.sobel, "border"), (ek.sobel, "channel"), (ek.sobel, "tone"), (ek.scharr, "rotate"),
        (ek.threshold, "method"), (ek.threshold, "size"), (ek.threshold, "channel"), (ek.sharpness, "measure"),
        (ek.to_display, "mode"), (ek.to_display, "depth"), (ek.to_display, "white"), (ek.gradient, "operator"),
    ],
)  # fmt: skip
def test_none_is_refused_for_options_that_need_a_value(function, name):
    with pytest.raises(ek.ParameterError, match="None"):
        function(np.zeros((40, 40), np.float32), **{name: None})


def test_none_equals_the_default_of_optional_parameters():
    image = np.random.default_rng(0).normal(size=(40, 40))
    for function, names in (
        (ek.sobel, ("angle", "mask", "out", "channel_axis")), (ek.laplacian, ("sigma", "mask")), (ek.dog, ("sigma2",)),
        (ek.canny, ("low", "high", "mask")),
    ):  # fmt: skip
        np.testing.assert_array_equal(function(image, **dict.fromkeys(names)), function(image))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ek.find_peak([1j, 2, 3], [1, 2, 1]), "must be real numbers; found complex"),
        (lambda: ek.find_peak([1, 2, 3], [1, 2j, 1]), "must be real numbers; found complex"),
        (lambda: ek.canny(np.eye(9), high=[3]), r"threshold \[3\] must be a number, or a percentile"),
        (lambda: ek.canny(np.eye(9), low=True), "threshold True must be a number"),
        (lambda: ek.sharpness(np.eye(9), ["tenengrad"]), "is not known; choose one of"),
        (lambda: ek.to_display(np.eye(9), white="bright"), "white='bright' must be positive and finite"),
        (lambda: ek.read_image(b"P5", max_pixels="many"), "max_pixels='many' must be a whole number"),
        (lambda: ek.read_image(b"P5", max_pixels=None), "max_pixels=None must be a whole number"),
    ],
)
def test_options_of_wrong_types_are_refused(call, message):
    with pytest.raises(ek.EdgekitError, match=message):
        call()


def test_numpy_and_torch_scalars_are_accepted():
    response = np.float32([[1, 2, 4]])
    for white in (np.float32(4), np.int64(4), torch.tensor(4.0), np.array(4)):
        assert ek.to_display(response, white=white).image.tolist() == [[64, 128, 255]]
    assert ek.picture(np.uint8([[0, 9]]), white=np.float32(9)).image.shape == (1, 2)
    data = b"P5 2 1 255 \x01\x02"
    assert ek.read_image(data, max_pixels=np.int64(9)).tolist() == [[1, 2]]


def test_files_opened_as_text_or_closed_are_refused(tmp_path):
    path = tmp_path / "a.png"
    ek.write_image(path, np.zeros((9, 8), np.uint8))
    with path.open() as file, pytest.raises(ek.ParameterError, match=r"a.png: opened as text"):
        ek.read_image(file)
    with path.open("rb") as file:
        pass
    with pytest.raises(ek.UnreadableError, match=r"a.png: cannot be read: read of closed file"):
        ek.read_image(file)


def test_masks_of_other_libraries_and_read_only_out():
    image, mask = np.arange(72.0).reshape(9, 8), np.eye(9, 8) == 0
    same(ek.sobel(xarray.DataArray(image), mask=xarray.DataArray(mask)), ek.sobel(image, mask=mask))
    with pytest.raises(ek.DtypeError, match=r"a mask that is a tensor of bool.*found ndarray of type bool"):
        ek.sobel(torch.from_numpy(image), mask=mask)
    with pytest.raises(ek.ParameterError, match="out is read-only"):
        ek.sobel(image, angle=np.eye(9, 8), out=np.broadcast_to(np.float64(0), (9, 8)))
