"""Install commands in error messages, for each way of installing edgekit."""

import json
import re
import shlex
import subprocess
import sys
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest

import edgekit
from edgekit.common import extras

METADATA = """Metadata-Version: 2.4
Name: edgekit
Version: 0.1.0
Requires-Dist: numpy>=2.0
Provides-Extra: report
Requires-Dist: jinja2>=3.1; extra == 'report'
Provides-Extra: ray
Requires-Dist: ray[data]>=2.40; extra == "ray"
Requires-Dist: pyarrow>=17; extra == "ray"
"""


@pytest.fixture
def installed(tmp_path):
    """Return a function that installs edgekit into a folder, with a record of its source."""
    package = tmp_path / "site" / "edgekit"
    package.mkdir(parents=True)

    def install(source):
        info = tmp_path / "site" / "edgekit-0.1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(METADATA)
        if source is not None:
            (info / "direct_url.json").write_text(json.dumps(source))
        return PathDistribution(info), package

    return install


def clone(folder):
    folder.mkdir(parents=True)
    (folder / "pyproject.toml").touch()
    return folder


GIT = {"url": "https://example.org/edgekit.git", "vcs_info": {"vcs": "git", "commit_id": "4f2a"}}

ELSEWHERE = {
    "an index": (None, "edgekit[report]"),
    "git": (GIT, "edgekit[report] @ git+https://example.org/edgekit.git"),
    "a branch": (
        GIT | {"vcs_info": GIT["vcs_info"] | {"requested_revision": "v2"}, "subdirectory": "python"},
        "edgekit[report] @ git+https://example.org/edgekit.git@v2#subdirectory=python",
    ),
    "a wheel of a site": (
        {"url": "https://example.org/edgekit-0.1.0-py3-none-any.whl", "archive_info": {}},
        "edgekit[report] @ https://example.org/edgekit-0.1.0-py3-none-any.whl",
    ),
}


@pytest.mark.parametrize(("source", "expected"), ELSEWHERE.values(), ids=ELSEWHERE)
def test_requirement_of_a_remote_source(source, expected, installed):
    assert extras.requirements("report", *installed(source)) == [expected]


def test_requirement_of_a_copied_clone(installed, tmp_path):
    folder = clone(tmp_path / "my clone")
    source = {"url": folder.as_uri(), "dir_info": {}}
    assert extras.requirements("report", *installed(source)) == [f"{folder}[report]"]


def test_requirement_of_a_local_wheel(installed, tmp_path):
    wheel = tmp_path / "edgekit-0.1.0-py3-none-any.whl"
    wheel.touch()
    source = {"url": wheel.as_uri(), "archive_info": {}}
    assert extras.requirements("report", *installed(source)) == [f"edgekit[report] @ {wheel.as_uri()}"]


@pytest.mark.parametrize("kind", ["dir_info", "archive_info"])
def test_requirements_of_a_missing_source_are_its_libraries(kind, installed, tmp_path):
    source = {"url": (tmp_path / "gone").as_uri(), kind: {}}
    found, package = installed(source)
    assert extras.requirements("report", found, package) == ["jinja2>=3.1"]
    assert extras.requirements("ray", found, package) == ["ray[data]>=2.40", "pyarrow>=17"]


def test_package_is_the_imported_folder():
    assert Path(edgekit.__file__).resolve().parent == extras.PACKAGE


def test_requirement_of_an_editable_clone(installed, tmp_path):
    folder = clone(tmp_path / "clone")
    found, _ = installed({"url": folder.as_uri(), "dir_info": {"editable": True}})
    assert extras.requirements("report", found, folder / "edgekit") == ["-e", f"{folder}[report]"]
    # Another clone is imported, by PYTHONPATH or the working folder.
    other = clone(tmp_path / "other")
    assert extras.requirements("report", found, other / "edgekit") == [f"{other}[report]"]
    assert extras.requirements("report", None, other / "edgekit") == [f"{other}[report]"]


def test_requirement_of_a_copied_clone_is_not_editable(installed, tmp_path):
    folder = clone(tmp_path / "clone")
    found, _ = installed({"url": folder.as_uri(), "dir_info": {}})
    # In the folder of the clone `python -m edgekit` runs the clone.
    assert extras.requirements("report", found, folder / "edgekit") == [f"{folder}[report]"]


def test_pip_command_uses_this_interpreter(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/my environments/one/bin/python")
    command = shlex.split(extras.pip_command("install", "edgekit[report]"))
    assert command == ["/my environments/one/bin/python", "-m", "pip", "install", "edgekit[report]"]
    monkeypatch.setattr("importlib.metadata.distributions", lambda **_: iter(()))
    command = shlex.split(extras.pip_command("install", "edgekit[report]"))
    assert command == ["uv", "pip", "install", "--python", "/my environments/one/bin/python", "edgekit[report]"]


def test_install_command_of_an_error_is_valid(tmp_path):
    """In any folder, because it has absolute paths of the interpreter and of the project."""
    code = "import sys; sys.modules['jinja2'] = None; from edgekit.cli import run; run()"
    ran = subprocess.run(
        [sys.executable, "-c", code, "score", "a", "--report", "page"], cwd=tmp_path, capture_output=True, text=True
    )
    assert ran.returncode == 2
    python, *pip, requirement = shlex.split(ran.stderr.partition("needs Jinja2: ")[2])
    assert python == sys.executable
    assert pip[:3] == ["-m", "pip", "install"]
    folder = Path(requirement.removesuffix("[report]"))
    assert folder.is_absolute()
    assert re.search(r'^name = "edgekit"$.*^report = \[', (folder / "pyproject.toml").read_text(), re.M | re.S)
    # The command is run with `--help`, so that it installs nothing.
    help_of_pip = subprocess.run([python, *pip[:3], "--help"], capture_output=True, text=True, check=False)
    assert help_of_pip.returncode == 0


def test_only_extras_contains_pip_install():
    texts = {path: path.read_text("utf-8") for path in Path(edgekit.__file__).parent.rglob("*.py")}
    assert [path.name for path, text in texts.items() if "pip install" in text] == ["extras.py"]
    named = {extra for text in texts.values() for extra in re.findall(r"""install_command\(["'](\w+)""", text)}
    defined = re.findall(r"^(\w+) = \[", (Path(edgekit.__file__).parents[1] / "pyproject.toml").read_text(), re.M)
    assert named <= set(defined)
    assert {"torch", "fast", "video", "remote", "report", "parquet", "ray", "plot", "large"} <= named


def test_install_command_keeps_the_distutils_of_setuptools():
    # torch cannot compile if the distutils of Python are loaded before those of setuptools.
    code = (
        "from edgekit.common.extras import install_command; install_command('report'); "
        "import distutils; print(distutils)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    plain = subprocess.run([sys.executable, "-c", "import distutils; print(distutils)"], capture_output=True, text=True)
    assert ran.stdout == plain.stdout
