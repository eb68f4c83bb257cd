"""Contours and fits, on synthetic edges with known positions."""

import importlib
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import run

import edgekit as ek
from edgekit.metrology.contour_files import WRITERS
from edgekit.metrology.linking import link
from edgekit.metrology.noise import noise_of
from edgekit.metrology.robust import correlation

ROOT = Path(__file__).parents[1]
BLURS = (0.35, 0.5, 0.7, 1.0, 1.4, 2.0)


@pytest.fixture(scope="module")
def analytic():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "scripts")
        yield importlib.import_module("common.analytic_edges")


def errors_of_edges(analytic, noise, count, seed, blurs=BLURS):
    """Return the position errors of contour points across edges, and their stated standard errors."""
    rng = np.random.default_rng(seed)
    errors, stated = [], []
    for blur in np.repeat(blurs, count):
        angle, offset = rng.uniform(0, 360), rng.uniform(-1, 1)
        image = 100 * analytic.half_plane((64, 64), angle, offset, blur) + 20
        image += 100 * noise * rng.standard_normal(image.shape)
        contour = ek.contours(image)[0]
        turn = math.radians(angle)
        errors.append((contour.points - 31.5) @ (math.cos(turn), math.sin(turn)) - offset)
        stated.append(contour.error)
        assert not contour.closed
        assert abs((contour.direction - angle + 180) % 360 - 180).max() < 3 + 600 * noise
    return np.concatenate(errors), np.concatenate(stated)


def rms(values):
    return math.sqrt(np.mean(np.square(values)))


@pytest.mark.parametrize(("noise", "most"), [(0.0, 0.002), (0.005, 0.010), (0.02, 0.040)])
def test_position_errors_of_contour_points(analytic, noise, most):
    errors, stated = errors_of_edges(analytic, noise, 4, seed=101)
    assert rms(errors) <= most
    if noise:
        assert 0.75 < rms(stated) / rms(errors) < 1.33


@pytest.mark.full
@pytest.mark.parametrize("blur", [0.35, 0.7, 1.4, 2.5])
@pytest.mark.parametrize("noise", [0.005, 0.02])
def test_standard_errors_equal_position_errors(analytic, noise, blur):
    errors, stated = errors_of_edges(analytic, noise, 25, seed=102, blurs=[blur])
    assert 0.75 < rms(stated) / rms(errors) < 1.33


@pytest.mark.parametrize("blur", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("radius", [10.0, 20.0, 47.3])
@pytest.mark.parametrize("inside", [100.0, -100.0])
def test_circles_have_no_inward_bias(analytic, radius, blur, inside):
    size = int(2 * radius) + 30
    x, y = size / 2 + 0.3, size / 2 - 0.21
    (contour,) = ek.contours(150 + inside * analytic.disc((size, size), x, y, radius, blur))
    assert contour.closed
    assert contour.junctions == (False, False)
    far = np.hypot(*(contour.points - (x, y)).T)
    assert abs(far.mean() - radius) < 0.005
    # Without the correction the bias is T² / 2r.
    assert (blur**2 + 1.4**2) / (2 * radius) > 0.02
    assert np.median(contour.width) == pytest.approx(math.sqrt(blur**2 + 1 / 12), rel=0.03)
    assert contour.length == pytest.approx(2 * math.pi * radius, rel=0.03)
    circle = ek.fit_circle(contour)
    assert (circle.radius, circle.x, circle.y) == pytest.approx((radius, x, y), abs=0.005)
    # The brighter side is to the right of the direction of the points.
    steps = np.roll(contour.points, -1, axis=0) - contour.points
    outward = contour.points - (x, y)
    right = np.sign(-steps[:, 1] * outward[:, 0] + steps[:, 0] * outward[:, 1])
    assert (right == -np.sign(inside)).mean() > 0.99


def test_tensors_give_tensors_with_the_same_points(analytic):
    image = 100 * analytic.disc((60, 60), 30.2, 29.1, 14, 0.8)
    (plain,), (tensor,) = ek.contours(image), ek.contours(torch.tensor(image)[None])
    assert isinstance(tensor.points, torch.Tensor)
    for name in ("points", "strength", "direction", "width", "error"):
        np.testing.assert_allclose(getattr(tensor, name).numpy(), getattr(plain, name), rtol=1e-6, atol=1e-6)
    assert len(tensor) == len(plain)
    assert ek.fit_circle(tensor).radius == pytest.approx(14, abs=0.005)
    with pytest.raises(ek.ShapeError, match="Measure each separately"):
        ek.contours(torch.zeros(2, 1, 30, 30))


def test_contours_are_near_the_edges_of_canny():
    camera = ek.read_image(ROOT / "samples" / "camera.png")
    found = ek.contours(camera, low=4, high=9, min_length=0)
    edges = ek.canny(camera, low=4, high=9)
    edges[:5] = edges[-5:] = edges[:, :5] = edges[:, -5:] = False
    points = np.concatenate([contour.points for contour in found])
    rows, columns = np.nonzero(edges)
    # A point is at most half a diagonal from its pixel, and the correction of curved edges moves it a little.
    from scipy.spatial import cKDTree

    assert cKDTree(points).query(np.stack((columns, rows), axis=1))[0].max() < 2
    assert len(points) >= edges.sum()
    lengths = [len(contour) for contour in ek.contours(camera, low=4, high=9, min_length=30)]
    assert lengths
    assert min(contour.length for contour in ek.contours(camera, low=4, high=9, min_length=30)) >= 30


def test_masked_pixels_have_no_contour(analytic):
    image = 100 * analytic.half_plane((64, 64), 10, 0, 0.8)
    mask = np.ones((64, 64), bool)
    mask[30:34] = False
    found = ek.contours(image, mask=mask)
    assert len(found) == 2
    assert not any(((contour.points[:, 1] > 25) & (contour.points[:, 1] < 38)).any() for contour in found)


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        (["....", ".##.", "...."], [(2, False)]),
        (["####", "#..#", "#..#", "####"], [(12, True)]),
        (["..#..", "..#..", "#####", "..#..", "..#.."], [(3, False)] * 4),
        (["#...#", ".#.#.", "..#..", "..#.."], [(3, False), (3, False), (2, False)]),
        (["#.#", "...", "#.#"], [(1, False)] * 4),
        ([".#.", "#.#", ".#."], [(4, True)]),
    ],
)
def test_pixels_are_linked_to_chains(mask, expected):
    pixels = np.array([[c == "#" for c in row] for row in mask])
    chains, meeting = link(np.pad(pixels, 1))
    assert sorted((len(c.nodes), c.closed) for c in chains) == sorted(expected)
    assert {n for c in chains for n in c.nodes} == set(range(pixels.sum()))
    # Only junctions are in more than one chain.
    counts = np.bincount([n for c in chains for n in c.nodes])
    assert (meeting == (counts > 1)).all()
    places = np.argwhere(pixels)
    for chain in chains:
        nodes = chain.nodes + chain.nodes[:1] * chain.closed
        assert np.abs(np.diff(places[nodes], axis=0)).max(initial=0) <= 1


@pytest.mark.parametrize("shape", [(64, 64), (300, 200)])
def test_noise_is_estimated_beside_edges(shape):
    rng = np.random.default_rng(1)
    edge = np.where(np.arange(shape[1]) > shape[1] // 2, 100.0, 0.0)
    found = [noise_of(edge + 2 * rng.standard_normal(shape)) for _ in range(10)]
    assert np.mean(found) == pytest.approx(2, rel=0.07)
    assert noise_of((edge + np.zeros(shape)).astype(np.uint8)) == pytest.approx(12**-0.5)


def test_errors_of_integer_images_include_rounding():
    image = np.where(np.arange(40) > 20, 110, 100).astype(np.uint8) * np.ones((40, 1), np.uint8)
    (exact,), (rounded,) = ek.contours(image.astype(float)), ek.contours(image)
    assert rounded.error.min() > 2 * exact.error.max()


def test_fits_are_robust_to_outliers():
    rng = np.random.default_rng(3)
    turn = rng.uniform(0, 2 * np.pi, 300)
    noise = 0.1 * rng.standard_normal((300, 2))
    x = rng.uniform(0, 90, 300)
    line = np.stack((x, 5 + 0.2 * x), axis=1) + noise
    circle = np.stack((50 + 30 * np.cos(turn), 40 + 30 * np.sin(turn)), axis=1) + noise
    u, v, tilt = 60 * np.cos(turn), 30 * np.sin(turn), 0.5
    ellipse = np.stack(
        (100 + u * math.cos(tilt) - v * math.sin(tilt), 80 + u * math.sin(tilt) + v * math.cos(tilt)), axis=1
    )
    ellipse = ellipse + noise
    for points, share in ((line, 130), (circle, 130), (ellipse, 90)):
        points[:share] = rng.uniform(0, 150, (share, 2))
    found = ek.fit_line(line)
    assert found.angle == pytest.approx(math.degrees(math.atan(0.2)), abs=5 * found.angle_error)
    assert found.normal == pytest.approx(found.angle + 90)
    across = math.radians(found.normal)
    assert found.distance == pytest.approx(5 * math.sin(across), abs=0.1)
    round_one = ek.fit_circle(circle)
    assert (round_one.x, round_one.y, round_one.radius) == pytest.approx((50, 40, 30), abs=0.05)
    oval = ek.fit_ellipse(ellipse)
    assert (oval.x, oval.y, oval.major, oval.minor) == pytest.approx((100, 80, 60, 30), abs=0.08)
    assert oval.angle == pytest.approx(math.degrees(tilt), abs=0.1)
    for one, share in ((found, 130), (round_one, 130), (oval, 90)):
        assert one.inliers[share:].mean() > 0.98
        assert one.inliers[:share].mean() < 0.1
        assert 0.08 < one.rms < 0.12


def test_standard_errors_of_fits_are_right():
    rng = np.random.default_rng(4)
    pulls = []
    for _ in range(60):
        turn = np.linspace(0, 2 * np.pi, 150)
        points = np.stack((20 * np.cos(turn), 12 * np.sin(turn)), axis=1) + 0.1 * rng.standard_normal((150, 2))
        oval = ek.fit_ellipse(points)
        tilt = (oval.angle + 90) % 180 - 90
        pulls.append((oval.x / oval.x_error, (oval.major - 20) / oval.major_error, tilt / oval.angle_error))
    assert np.std(pulls, axis=0) == pytest.approx(1, abs=0.35)


def test_correlation_of_neighbouring_errors():
    rng = np.random.default_rng(5)
    independent = rng.standard_normal(4000)
    assert correlation(independent) == pytest.approx(1, abs=0.2)
    assert correlation(np.repeat(independent[:1000], 4)) == pytest.approx(4, rel=0.2)


@pytest.mark.parametrize("fit", [ek.fit_line, ek.fit_circle, ek.fit_ellipse])
def test_fits_refuse_invalid_points(fit):
    with pytest.raises(ek.ParameterError, match="needs at least"):
        fit(np.zeros((1, 2)))
    with pytest.raises(ek.ParameterError, match="is determined"):
        fit(np.ones((9, 2)))
    with pytest.raises(ek.ParameterError, match="finite"):
        fit(np.full((9, 2), np.nan))
    with pytest.raises(ek.ShapeError, match=r"\(N, 2\)"):
        fit(np.zeros((9, 3)))
    if fit is not ek.fit_line:
        with pytest.raises(ek.ParameterError, match="is determined"):
            fit(np.stack((np.arange(9.0), 2 * np.arange(9.0)), axis=1))


@pytest.mark.parametrize("slant", [0, 12])
@pytest.mark.parametrize("width", [4.0, 8.7, 20.0])
def test_edge_distance_across_bars(analytic, width, slant):
    rng = np.random.default_rng(6)
    errors, stated = [], []
    for _ in range(8):
        angle, offset = rng.uniform(0, 360), rng.uniform(-1, 1)
        sides = [analytic.half_plane((64, 64), angle, offset + side * width / 2, 0.7) for side in (-1, 1)]
        image = 100 * (sides[0] - sides[1]) + 0.5 * rng.standard_normal((64, 64))
        turn = math.radians(angle + slant)
        reach = (width / 2 + 9) * np.array((math.cos(turn), math.sin(turn)))
        found = ek.edge_distance(image, 31.5 - reach, 31.5 + reach)
        errors.append(found.distance * math.cos(math.radians(slant)) - width)
        stated.append(found.error)
        assert found.slants == pytest.approx((-slant, -slant), abs=1.5)
        assert found.contrasts == pytest.approx((100, -100), rel=0.15)
        assert found.widths == pytest.approx((0.76 / math.cos(math.radians(slant)),) * 2, rel=0.1)
        assert math.dist(found.first, found.second) == pytest.approx(found.distance)
    assert rms(errors) < 0.03
    assert 0.5 < rms(stated) / rms(errors) < 2


@pytest.mark.parametrize("slope", [0, 0.2])
def test_edge_distance_with_thickness_1(analytic, slope):
    y, x = np.mgrid[:20, :60]
    bar = sum(s * 50 * np.tanh(1.5 * (x + slope * (y - 10) - at)) for s, at in ((1, 20.3), (-1, 33.7)))
    bar = bar + np.random.default_rng(0).standard_normal(bar.shape)
    for line in ((10, 10), (45, 10)), ((10, 10.4), (45, 10.4)):
        found = ek.edge_distance(bar, *line, thickness=1)
        assert found.distance == pytest.approx(13.4, abs=0.1)
        assert all(map(math.isnan, found.slants))


def test_lines_without_valid_pixels_are_refused():
    with pytest.raises(ek.ParameterError, match="no valid pixels"):
        ek.edge_distance(np.full((20, 60), np.nan), (5, 10), (45, 10))


def test_masked_and_nan_pixels_give_equal_errors():
    y, x = np.mgrid[:96, :96] - 47.5
    inside = np.hypot(x, y) < 45
    image = np.where(np.hypot(x, y) < 20, 150.0, 50) + 5 * np.random.default_rng(0).standard_normal(x.shape)
    hidden, missing = np.where(inside, image, 0), np.where(inside, image, np.nan)
    errors = [np.median(ek.contours(i, mask=m)[0].error) for i, m in ((hidden, inside), (missing, None))]
    assert errors[0] == pytest.approx(errors[1], rel=0.05)


def test_lines_that_do_not_cross_two_edges_are_refused(analytic):
    edge = 100 * analytic.half_plane((40, 60), 0, 0, 0.7)
    bars = edge * 0 + 100 * (np.arange(60) // 10 % 2)
    for image, count in ((edge, "1"), (bars, "4"), (np.zeros((40, 60)), "none")):
        with pytest.raises(ek.ParameterError, match=f"must cross two edges; found {count}"):
            ek.edge_distance(image, (5, 20), (45, 20))
    with pytest.raises(ek.ParameterError, match="within the image"):
        ek.edge_distance(edge, (5, 20), (70, 20))
    with pytest.raises(ek.ParameterError, match="two numbers"):
        ek.edge_distance(edge, 5, (50, 20))
    with pytest.raises(ek.ParameterError, match="pixels long"):
        ek.edge_distance(edge, (5, 20), (6, 20))


@pytest.mark.parametrize("option", [{"sigma": 0.5}, {"min_length": None}, {"noise": -1}])
def test_invalid_options_of_contours_are_refused(option):
    with pytest.raises(ek.ParameterError, match=next(iter(option))):
        ek.contours(np.zeros((30, 30)), **option)


def test_contour_files_of_all_formats(tmp_path):
    y, x = np.mgrid[:50, :60]
    image = np.where(np.hypot(x - 20, y - 25) < 9, 200, 50) + np.where(x > 45, 60, 0)
    ek.write_image(tmp_path / "image.png", image.astype(np.uint8))
    found = ek.contours(image.astype(np.uint8), low=2, high=6)
    assert [contour.closed for contour in found] == [True, False]
    for ending in WRITERS:
        ran = run("contours", tmp_path / "image.png", "-o", tmp_path / f"edges{ending}", "--low", "2", "--high", "6")
        assert ran.exit_code == 0, ran.output
    table = (tmp_path / "edges.csv").read_text().splitlines()
    assert len(table) == 1 + sum(map(len, found))
    row = dict(zip(table[0].split(","), table[1].split(","), strict=True))
    assert (float(row["x"]), float(row["y"])) == pytest.approx(tuple(found[0].points[0]), abs=1e-4)
    assert (row["contour"], row["closed"]) == ("1", "1")
    record = json.loads((tmp_path / "edges.json").read_text())
    assert (record["width"], record["height"], len(record["contours"])) == (60, 50, 2)
    np.testing.assert_allclose(record["contours"][1]["points"], found[1].points, atol=1e-4)
    shapes = json.loads((tmp_path / "edges.geojson").read_text())["features"]
    assert [shape["geometry"]["type"] for shape in shapes] == ["Polygon", "LineString"]
    ring = shapes[0]["geometry"]["coordinates"][0]
    assert ring[0] == ring[-1]
    drawing = (tmp_path / "edges.svg").read_text()
    assert 'viewBox="0 0 60 50"' in drawing
    assert [bool(re.search("Z", path)) for path in re.findall(r'd="([^"]*)"', drawing)] == [True, False]


def test_the_contours_command(tmp_path):
    image = np.where(np.arange(60) > 30, 200, 50).astype(np.uint8) * np.ones((50, 1), np.uint8)
    path = tmp_path / "image.png"
    ek.write_image(path, image)
    printed = run("contours", path)
    assert printed.exit_code == 0
    assert "points" in printed.output
    records = [json.loads(line) for line in run("contours", path, "--json").stdout.splitlines()]
    assert len(records) == 1
    assert np.mean(records[0]["points"], axis=0)[0] == pytest.approx(30.5, abs=0.01)
    assert "no contour has a length" in run("contours", path, "--min-length", "500").stderr
    wrong = run("contours", path, "-o", tmp_path / "edges.txt")
    assert wrong.exit_code == 2
    assert "name a .csv or .json or .svg or .geojson file" in wrong.stderr
    (tmp_path / "there.csv").write_text("mine")
    assert "exists already" in run("contours", path, "-o", tmp_path / "there.csv").stderr
    missing = run("contours", tmp_path / "nothing.png")
    assert missing.exit_code == 1
    assert "nothing.png" in missing.stderr
