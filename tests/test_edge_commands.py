"""The commands canny, threshold and detect."""

from pathlib import Path

import numpy as np
import pytest
from command_line import run, shown

import edgekit as ek
from edgekit.batch.jobs.edges import EdgeJob

pytestmark = pytest.mark.usefixtures("at_home")

#: Command lines, the tag of the output name, and the equal call of Python.
CASES = [
    ("canny", "canny", lambda i: ek.canny(i)),
    ("canny --sigma 2 --low 1 --high 97%", "canny-sigma2-low1-high97%",
     lambda i: ek.canny(i, sigma=2, low=1, high="97%")),
    ("canny --low 50 --high 150 --scale raw", "canny-low50-high150-raw",
     lambda i: ek.canny(i, low=6.25, high=18.75)),
    ("canny --channel dizenzo --border edge --tone log --high 0.2", "canny-high0.2-edge-dizenzo-log",
     lambda i: ek.canny(i, channel="dizenzo", high=0.2, border="edge", tone="log")),
    ("threshold", "threshold", lambda i: ek.threshold(i)),
    ("threshold --method li", "threshold-li", lambda i: ek.threshold(i, "li")),
    ("threshold --method 99.5", "threshold-method99.5", lambda i: ek.threshold(i, 99.5)),
    ("threshold --method adaptive --size 11", "threshold-adaptive-size11",
     lambda i: ek.threshold(i, "adaptive", size=11)),
    ("threshold --outline", "threshold-outlined", lambda i: ek.outline(ek.threshold(i))),
    ("detect", "detect", lambda i: ek.detect(i)),
    ("detect --above 0.4", "detect-above0.4", lambda i: ek.detect(i) > 0.4),
]  # fmt: skip


@pytest.mark.parametrize(("line", "tag", "expected"), CASES, ids=[case[0] for case in CASES])
def test_command_output_equals_the_function(line, tag, expected):
    command, *options = line.split()
    result = run(command, "photo.png", *options)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"photo.{tag}.png\n"
    found = expected(ek.read_image("photo.png"))
    assert found.any()
    np.testing.assert_array_equal(shown(f"photo.{tag}.png"), np.round(found.astype(np.float32) * 255))


@pytest.mark.parametrize("command", ["canny", "threshold", "detect"])
def test_backends_write_nearly_the_same_edges(command):
    run(command, "photo.png", "-o", "numpy.png")
    result = run(command, "photo.png", "-o", "torch.png", "--backend", "torch")
    assert result.exit_code == 0, result.stderr
    one, other = shown("numpy.png").astype(int), shown("torch.png").astype(int)
    # Ties may be resolved differently, which changes the mean of a line.
    assert (abs(one - other) > 1).mean() < 1e-3


@pytest.mark.parametrize("command", ["canny", "threshold", "detect"])
def test_output_depths(command):
    assert run(command, "photo.png", "--depth", "16", "-o", "deep.png").exit_code == 0
    deep = shown("deep.png")
    assert deep.dtype == np.uint16
    assert command == "detect" or set(np.unique(deep)) == {0, 65535}
    assert run(command, "photo.png", "--depth", "float", "-o", "kept.npy").exit_code == 0
    assert np.load("kept.npy").dtype == np.float32
    assert 0 < np.load("kept.npy").max() <= 1


def test_overlay_draws_lines_over_the_image():
    assert run("canny", "photo.png", "--overlay").exit_code == 0
    drawn = ek.read_image("photo.canny-overlay.png")
    lines = ek.canny(ek.read_image("photo.png"))
    assert (drawn[lines] == (0, 255, 200)).all()
    assert drawn.shape == (*lines.shape, 3)


def test_broken_file_fails_and_others_succeed():
    Path("photos").mkdir()
    data = Path("photo.png").read_bytes()
    Path("photos/good.png").write_bytes(data)
    Path("photos/broken.png").write_bytes(data[:150])
    result = run("detect", "photos", "-o", "edges")
    assert result.exit_code == 1
    assert "photos/broken.png" in result.stderr
    assert result.stdout == "edges/good.detect.png\n"
    again = run("detect", "photos", "-o", "edges", "--json")
    assert '"status": "current"' in again.stdout


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("canny --low 9 --high 3", "low=9.0 must not be above high=3.0"),
        ("canny --high x", "neither a number nor a percentage"),
        ("canny --high 120%", "120%"),
        ("canny --sigma -1", "sigma=-1"),
        ("threshold --method best", "best"),
        ("threshold --size 4", "size=4"),
        ("threshold --channel dizenzo", "dizenzo"),
        ("detect --above 2", "2"),
        ("detect --sigma 2", "--sigma"),
        ("detect --overlay --depth 16", "overlay"),
        ("canny --overlay --border valid", "valid"),
    ],
)
def test_options_are_checked_before_images_are_read(line, said):
    command, *options = line.split()
    result = run(command, "missing.png", *options)
    assert result.exit_code == 2
    assert said in result.stderr
    assert "missing.png: " not in result.stderr


def test_options_that_change_the_output_change_the_key():
    jobs = [
        EdgeJob(method="canny"),
        EdgeJob(method="detect"),
        EdgeJob(method="canny", parameters=(("sigma", 2.0),)),
        EdgeJob(method="canny", overlay=True),
        EdgeJob(method="canny", backend="torch"),
        EdgeJob(method="canny", depth="16"),
    ]
    assert len({job.key for job in jobs}) == len(jobs)
    assert EdgeJob(method="canny").key == EdgeJob(method="canny").key
