"""Rules of the architecture: imports, lengths of files, docstrings, public names and examples."""

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


def relative_path(path):
    return path.relative_to(ROOT).as_posix()


def module_name(path):
    """Return the module's name below edgekit: "filters.apply", or "" for the package itself."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix("__init__").strip(".")


@functools.cache
def imports(path):
    """Return the full names of all that a module imports, within functions, too."""
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


def own_and_other_imports(path):
    """Return the names below edgekit that a module imports, and the top-level names of all others."""
    names = imports(path)
    own = {n.removeprefix("edgekit").strip(".") for n in names if n.split(".")[0] == "edgekit"}
    return own, {n.split(".")[0] for n in names} - {"edgekit"}


def test_modules_import_only_lower_layers():
    wrong = []
    for path in MODULES:
        name = module_name(path)
        if not name:
            assert own_and_other_imports(path) == (set(), {"lazy_loader"})
            continue
        folder = name.split(".")[0]
        assert folder in LEVEL, f"{name} has no layer"
        # The version is defined in the package itself.
        for target in own_and_other_imports(path)[0] - {"__version__"}:
            head = target.split(".")[0]
            if head not in LEVEL:
                wrong.append(f"{name} imports {target!r} from the package's root")
            elif head != folder and LEVEL[head] >= LEVEL[folder]:
                wrong.append(f"{name} imports {target}, which is not below it")
    assert not wrong


def allowed_folders(path):
    """Return the folders that a module may import by its docstring; None if the docstring does not state it."""
    says = re.search(r"May import ([^.]*)\.", ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "")
    if not says:
        return None
    tops = set(re.findall("`([a-z]+)`", says[1]))
    if "below" not in says[1]:
        return tops
    return tops | {name for name, level in LEVEL.items() if level < min(LEVEL[top] for top in tops)}


def test_docstrings_state_the_allowed_imports():
    """Docstrings allow all imports of a module, and no higher layer than its folder needs."""
    needed, allowed, wrong = {}, {}, []
    for path in MODULES:
        name = module_name(path)
        folder = name.split(".")[0]
        targets = {target.split(".")[0] for target in own_and_other_imports(path)[0]} - {folder, "__version__", ""}
        # See `test_io_does_not_import_filters`.
        needed.setdefault(folder, set()).update(targets if name != "io.kernels" else ())
        if (folders := allowed_folders(path)) is not None:
            allowed.setdefault(folder, set()).update(folders)
            wrong += [f"{name} imports {target}" for target in targets - folders]
    assert not wrong
    assert allowed.keys() == {folder for folder, targets in needed.items() if targets}
    for folder, names in allowed.items():
        assert max(map(LEVEL.get, names)) == max(map(LEVEL.get, needed[folder])), f"{folder} does not need all it names"


def test_modules_have_no_circular_imports():
    """Imports within functions count. An import from a folder counts as an import of its `__init__`."""
    names = {module_name(path): path for path in MODULES}
    needed = {}
    for name, path in names.items():
        targets = own_and_other_imports(path)[0]
        # An import names a module or an object of one.
        modules = {next(m for m in (t, t.rpartition(".")[0], "") if m in names) for t in targets}
        needed[name] = modules - {"", name}
    order = list(graphlib.TopologicalSorter(needed).static_order())
    assert order.index("operators.kernels") < order.index("backends.opencv.backend") < order.index("filters.gradients")


def test_io_does_not_import_filters():
    allowed = ("io", "errors", "common")
    # Kernel files are checked by the operators.
    more = {"io.kernels": ("operators",)}
    paths = [path for path in MODULES if module_name(path).split(".")[0] == "io"]
    assert len(paths) > 9
    wrong = [
        f"{module_name(path)} imports {target}"
        for path in paths
        for target in own_and_other_imports(path)[0]
        if not f"{target}.".startswith(tuple(f"{a}." for a in allowed + more.get(module_name(path), ())))
    ]
    assert not wrong


def test_pure_modules_use_only_the_standard_library():
    needed = {module_name(path): own_and_other_imports(path)[1] - sys.stdlib_module_names for path in PURE}
    assert not {name: libraries for name, libraries in needed.items() if libraries}


def test_cv2_and_torch_are_imported_in_one_place():
    using = {module_name(path): own_and_other_imports(path)[1] for path in MODULES}
    assert [name for name, libraries in using.items() if "cv2" in libraries] == ["common.load_cv2"]
    torch = [name for name, libraries in using.items() if "torch" in libraries]
    low = {name for name in torch if LEVEL[name.split(".")[0]] <= LEVEL["filters"]}
    # For type checkers only.
    low.discard("common.types")
    assert not {name for name in low if not name.startswith("backends.pytorch")}


def test_files_have_at_most_400_lines():
    paths = [*MODULES, *Path(__file__).parent.rglob("*.py")]
    lengths = {path.name: len(path.read_text("utf-8").splitlines()) for path in paths}
    assert not {name: length for name, length in lengths.items() if length > 400}


def test_modules_have_docstrings():
    texts = {relative_path(path): path.read_text("utf-8") for path in MODULES}
    assert not [name for name, text in texts.items() if text.strip() and not ast.get_docstring(ast.parse(text))]


def stub_names():
    """Return the names that the stub exports."""
    tree = ast.parse((ROOT / "__init__.pyi").read_text("utf-8"))
    return sorted(a.asname for node in tree.body if isinstance(node, ast.ImportFrom) for a in node.names)


def test_public_names():
    modules = {name for path in MODULES for name in (path.stem, path.parent.name)}
    for name in stub_names():
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


def test_dunder_all_equals_the_stub():
    assert sorted(ek.__all__) == stub_names()
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        _ = ek.nothing_of_the_kind


def test_every_public_function_has_an_example():
    functions = [value for value in (getattr(ek, name) for name in stub_names()) if inspect.isfunction(value)]
    assert len(functions) > 20
    assert not [function.__name__ for function in functions if ">>>" not in function.__doc__]


DOCUMENTED = [path for path in MODULES if ">>>" in path.read_text("utf-8")]


@pytest.mark.parametrize("path", DOCUMENTED, ids=relative_path)
def test_docstring_examples(path, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(f"edgekit.{module_name(path)}")
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


def test_import_loads_no_library():
    done = run("import sys, edgekit; print({'numpy', 'cv2', 'torch', 'skimage', 'PIL'} & set(sys.modules))")
    assert (done.stdout, done.stderr) == ("set()\n", "")


def test_filters_of_arrays_do_not_load_torch():
    code = "import sys, numpy, edgekit; edgekit.sobel(numpy.eye(9)); print('torch' in sys.modules)"
    assert run(code).stdout == "False\n"
