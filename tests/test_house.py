"""The shape of the house: what imports what, how long a module is, and that documented examples run."""

import ast
import doctest
import graphlib
import importlib
import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

import edgekit as ek

ROOT = Path(ek.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))

#: Floors of the house, lowest first. A module imports from floors below its own, and within its own
#: folder.
FLOORS = (
    ("errors",), ("common",), ("operators",), ("backends",), ("filters",), ("display", "edges"), ("focus",),
    ("nn", "learn"), ("io",), ("batch",), ("report",), ("cli",), ("__main__",),
)  # fmt: skip
LEVEL = {name: level for level, floor in enumerate(FLOORS) for name in floor}
PURE = [
    p for p in MODULES if p.parent.name == "operators" or p.stem in ("errors", "extras", "names", "text", "read_limits")
]


def by_path(path):
    return path.relative_to(ROOT).as_posix()


def name_of(path):
    """Return the module's name below edgekit: "backends.torch", or "" for the package itself."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix("__init__").strip(".")


def imports(path):
    """Return the full names of all that a module imports, wherever it does so."""
    found = set()
    package = ["edgekit", *path.relative_to(ROOT).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*base, *filter(None, [node.module])])
            found.update(f"{base}.{alias.name}" for alias in node.names)
    return found


def inside(path):
    """Return the names below edgekit that a module imports, and the heads of all others."""
    names = imports(path)
    own = {n.removeprefix("edgekit").strip(".") for n in names if n.split(".")[0] == "edgekit"}
    return own, {n.split(".")[0] for n in names} - {"edgekit"}


@pytest.mark.parametrize("path", MODULES, ids=by_path)
def test_imports_run_downward(path):
    name = name_of(path)
    if not name:
        assert inside(path) == (set(), {"lazy_loader"})
        return
    folder = name.split(".")[0]
    assert folder in LEVEL, f"{name} has no floor in the house"
    # The version stands in the package itself and needs nothing.
    for target in inside(path)[0] - {"__version__"}:
        head = target.split(".")[0]
        assert head in LEVEL, f"{name} imports {target!r} from the package's root"
        assert head == folder or LEVEL[head] < LEVEL[folder], f"{name} imports {target}, which is not below it"


def test_no_module_needs_itself_by_way_of_others():
    """Not even where an import waits until it is needed. The face of a folder counts for what is named of it."""
    names = {name_of(path): path for path in MODULES}
    needed = {}
    for name, path in names.items():
        targets = inside(path)[0]
        # An import names a module, or something in one.
        modules = {next(m for m in (t, t.rpartition(".")[0], "") if m in names) for t in targets}
        needed[name] = modules - {"", name}
    order = list(graphlib.TopologicalSorter(needed).static_order())
    assert order.index("operators.kernels") < order.index("backends.opencv.backend") < order.index("filters.gradients")


@pytest.mark.parametrize("path", [p for p in MODULES if name_of(p).split(".")[0] == "io"], ids=by_path)
def test_image_files_know_nothing_of_filters(path):
    allowed = ("io", "errors", "common")
    if name_of(path) == "io.kernels":
        # What a file holds must be a kernel.
        allowed += ("operators",)
    for target in inside(path)[0]:
        assert any(target == a or target.startswith(a + ".") for a in allowed), target


@pytest.mark.parametrize("path", PURE, ids=by_path)
def test_the_lowest_floors_need_no_library(path):
    assert inside(path)[1] <= sys.stdlib_module_names


@pytest.mark.parametrize("path", MODULES, ids=by_path)
def test_libraries_are_loaded_in_one_place(path):
    name, libraries = name_of(path), inside(path)[1]
    assert "cv2" not in libraries or name == "common.load_cv2", "import cv2 from edgekit.common.load_cv2"
    if name and LEVEL[name.split(".")[0]] <= LEVEL["filters"]:
        assert "torch" not in libraries or name.startswith("backends.pytorch")


@pytest.mark.parametrize("path", MODULES, ids=by_path)
def test_no_module_is_long(path):
    assert len(path.read_text("utf-8").splitlines()) <= 400


@pytest.mark.parametrize("path", sorted(Path(__file__).parent.rglob("*.py")), ids=lambda path: path.name)
def test_no_test_is_long(path):
    assert len(path.read_text("utf-8").splitlines()) <= 400


@pytest.mark.parametrize("path", [p for p in MODULES if p.read_text("utf-8").strip()], ids=by_path)
def test_modules_say_what_they_are_for(path):
    assert ast.get_docstring(ast.parse(path.read_text("utf-8")))


def stub():
    """Return the names that the stub exports."""
    tree = ast.parse((ROOT / "__init__.pyi").read_text("utf-8"))
    return sorted(a.asname for node in tree.body if isinstance(node, ast.ImportFrom) for a in node.names)


@pytest.mark.parametrize("name", stub())
def test_public_names(name):
    value = getattr(ek, name)
    assert name in dir(ek)
    if name.isupper():
        assert value
        return
    if inspect.ismodule(value):
        assert value.__name__ == f"edgekit.{name}"
        return
    assert value.__name__ == name
    assert value.__doc__
    if inspect.isfunction(value):
        assert not any(name in (p.stem, p.parent.name) for p in MODULES), f"{name} is the name of a module, too"


def test_all_is_the_stub():
    assert sorted(ek.__all__) == stub()
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        _ = ek.nothing_of_the_kind


@pytest.mark.parametrize("name", [n for n in stub() if inspect.isfunction(getattr(ek, n))])
def test_every_public_function_has_an_example(name):
    assert ">>>" in getattr(ek, name).__doc__


def examples():
    """Return all doctests of modules that can be imported here."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    for path in MODULES:
        if ">>>" in path.read_text("utf-8"):
            module = importlib.import_module(f"edgekit.{name_of(path)}")
            yield from (t for t in finder.find(module) if t.examples)


@pytest.mark.parametrize("test", list(examples()), ids=lambda test: test.name)
def test_examples(test, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    failed = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test).failed
    assert not failed, capsys.readouterr().out


def run(code, **environment):
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_eager_import():
    done = run("import edgekit; print(edgekit.sobel.__name__)", EAGER_IMPORT="1")
    assert (done.returncode, done.stdout, done.stderr) == (0, "sobel\n", "")


def test_importing_loads_nothing():
    done = run("import sys, edgekit; print({'numpy', 'cv2', 'torch', 'skimage', 'PIL'} & set(sys.modules))")
    assert (done.stdout, done.stderr) == ("set()\n", "")


def test_arrays_do_not_load_torch():
    code = "import sys, numpy, edgekit; edgekit.sobel(numpy.eye(9)); print('torch' in sys.modules)"
    assert run(code).stdout == "False\n"
