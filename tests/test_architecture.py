"""The architecture: what imports what, how long a module is, and that documented examples run."""

import ast
import doctest
import functools
import graphlib
import importlib
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import edgekit as ek

ROOT = Path(ek.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))

#: Layers, the lowest first. A module imports from layers below its own, and within its own folder.
LAYERS = (
    ("errors",), ("common",), ("operators",), ("backends",), ("filters",), ("display", "edges"), ("focus",),
    ("nn", "learn", "metrology"), ("io",), ("batch",), ("report",), ("cli",), ("__main__",),
)  # fmt: skip
LEVEL = {name: level for level, layer in enumerate(LAYERS) for name in layer}
PURE = [
    p
    for p in MODULES
    if p.parent.name == "operators" or p.stem in ("errors", "extras", "choices", "escaping", "read_options")
]


def by_path(path):
    return path.relative_to(ROOT).as_posix()


def name_of(path):
    """Return the module's name below edgekit: "filters.apply", or "" for the package itself."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix("__init__").strip(".")


@functools.cache
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


def test_imports_run_downward():
    wrong = []
    for path in MODULES:
        name = name_of(path)
        if not name:
            assert inside(path) == (set(), {"lazy_loader"})
            continue
        folder = name.split(".")[0]
        assert folder in LEVEL, f"{name} has no layer"
        # The version stands in the package itself and needs nothing.
        for target in inside(path)[0] - {"__version__"}:
            head = target.split(".")[0]
            if head not in LEVEL:
                wrong.append(f"{name} imports {target!r} from the package's root")
            elif head != folder and LEVEL[head] >= LEVEL[folder]:
                wrong.append(f"{name} imports {target}, which is not below it")
    assert not wrong


def named(path):
    """Return the folders that a module's docstring says it may import; None if it says nothing of it."""
    says = re.search(r"May import ([^.]*)\.", ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "")
    if not says:
        return None
    tops = set(re.findall("`([a-z]+)`", says[1]))
    if "below" not in says[1]:
        return tops
    return tops | {name for name, level in LEVEL.items() if level < min(LEVEL[top] for top in tops)}


def test_modules_say_what_they_may_import():
    """What a docstring allows covers the module's imports, and is not more than its folder needs."""
    needed, allowed, wrong = {}, {}, []
    for path in MODULES:
        name = name_of(path)
        folder = name.split(".")[0]
        targets = {target.split(".")[0] for target in inside(path)[0]} - {folder, "__version__", ""}
        # See `test_image_files_know_nothing_of_filters`.
        needed.setdefault(folder, set()).update(targets if name != "io.kernels" else ())
        if (folders := named(path)) is not None:
            allowed.setdefault(folder, set()).update(folders)
            wrong += [f"{name} imports {target}" for target in targets - folders]
    assert not wrong
    assert allowed.keys() == {folder for folder, targets in needed.items() if targets}
    for folder, names in allowed.items():
        assert max(map(LEVEL.get, names)) == max(map(LEVEL.get, needed[folder])), f"{folder} does not need all it names"


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


def test_image_files_know_nothing_of_filters():
    allowed = ("io", "errors", "common")
    # What a file holds must be a kernel.
    more = {"io.kernels": ("operators",)}
    paths = [path for path in MODULES if name_of(path).split(".")[0] == "io"]
    assert len(paths) > 9
    wrong = [
        f"{name_of(path)} imports {target}"
        for path in paths
        for target in inside(path)[0]
        if not f"{target}.".startswith(tuple(f"{a}." for a in allowed + more.get(name_of(path), ())))
    ]
    assert not wrong


def test_the_lowest_layers_need_no_library():
    needed = {name_of(path): inside(path)[1] - sys.stdlib_module_names for path in PURE}
    assert not {name: libraries for name, libraries in needed.items() if libraries}


def test_libraries_are_loaded_in_one_place():
    using = {name_of(path): inside(path)[1] for path in MODULES}
    assert [name for name, libraries in using.items() if "cv2" in libraries] == ["common.load_cv2"]
    torch = [name for name, libraries in using.items() if "torch" in libraries]
    low = {name for name in torch if LEVEL[name.split(".")[0]] <= LEVEL["filters"]}
    # For type checkers only.
    low.discard("common.types")
    assert not {name for name in low if not name.startswith("backends.pytorch")}


def test_no_file_is_long():
    paths = [*MODULES, *Path(__file__).parent.rglob("*.py")]
    lengths = {path.name: len(path.read_text("utf-8").splitlines()) for path in paths}
    assert not {name: length for name, length in lengths.items() if length > 400}


def test_modules_say_what_they_are_for():
    texts = {by_path(path): path.read_text("utf-8") for path in MODULES}
    assert not [name for name, text in texts.items() if text.strip() and not ast.get_docstring(ast.parse(text))]


def stub():
    """Return the names that the stub exports."""
    tree = ast.parse((ROOT / "__init__.pyi").read_text("utf-8"))
    return sorted(a.asname for node in tree.body if isinstance(node, ast.ImportFrom) for a in node.names)


def test_public_names():
    modules = {name for path in MODULES for name in (path.stem, path.parent.name)}
    for name in stub():
        value = getattr(ek, name)
        assert name in dir(ek)
        if name.isupper():
            assert value, name
        elif inspect.ismodule(value):
            assert value.__name__ == f"edgekit.{name}"
        else:
            assert value.__name__ == name
            assert value.__doc__, f"{name} has no docstring"
            assert not inspect.isfunction(value) or name not in modules, f"{name} is the name of a module, too"


def test_all_is_the_stub():
    assert sorted(ek.__all__) == stub()
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        _ = ek.nothing_of_the_kind


def test_every_public_function_has_an_example():
    functions = [value for value in (getattr(ek, name) for name in stub()) if inspect.isfunction(value)]
    assert len(functions) > 20
    assert not [function.__name__ for function in functions if ">>>" not in function.__doc__]


DOCUMENTED = [path for path in MODULES if ">>>" in path.read_text("utf-8")]


@pytest.mark.parametrize("path", DOCUMENTED, ids=by_path)
def test_examples(path, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(f"edgekit.{name_of(path)}")
    tests = [test for test in doctest.DocTestFinder(exclude_empty=True).find(module) if test.examples]
    assert tests
    failed = [t.name for t in tests if doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(t).failed]
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
