"""Makes many small changes to the code, one at a time, and reports those that no test notices.

    python scripts/maintenance/mutate.py                      # all modules of MODULES; an hour or two
    python scripts/maintenance/mutate.py focus/measures --show  # one, and what survived, as a difference
    python scripts/maintenance/mutate.py --write              # also writes their rows of docs/mutation.md

mutmut makes the changes in a copy of the files that git tracks, with their uncommitted changes. Each module is tested
by the tests that concern it, with NumPy arrays. Texts of messages are not changed.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "mutation.md"

#: The tests that concern each module.
MODULES = {
    "operators/kernels": ("kernels", "kernel_arithmetic", "filters_meaning", "filters_oracle", "spacing"),
    "operators/table": ("kernels", "kernel_arithmetic", "filters_errors", "filters_meaning"),
    "operators/filter_spec": (
        "filters_errors", "filters_meaning", "filters_arrays", "filters_oracle", "extreme_values", "threshold",
        "display", "spacing",
    ),
    "filters/execute": ("filters_errors", "filters_arrays", "filters_oracle", "extreme_values", "threshold", "layout"),
    "filters/apply": ("filters_errors", "filters_meaning", "filters_arrays", "filters_oracle", "layout"),
    "focus/measures": ("measures", "extreme_values", "properties_measures"),
    "focus/maps": ("measures", "extreme_values", "properties_measures"),
    "focus/moments": ("measures", "extreme_values", "properties_measures"),
    "focus/windowed": ("measures", "extreme_values", "properties_measures", "large"),
    "focus/edge_widths": ("scores", "blur_widths"),
    "focus/edge_profiles": ("scores", "blur_widths"),
    "focus/blur_score": ("scores", "batches", "blur_widths"),
    "edges/canny_edges": ("edges", "edge_thresholds", "batches"),
}  # fmt: skip

#: Other kinds of arrays run the same lines.
CHOSEN = "not torch and not strided and not compiled"

#: Lines of error messages.
MESSAGES = (r"raise \w+Error\(", r"^\s*f?[\"'].*[\"']\)?$")

#: Mutants run in forks of a process that has run all tests. Its caches are emptied, so that mutants compute the values
#: again.
FORGET = """

def pytest_sessionstart(session):
    import functools
    import gc

    for function in gc.get_objects():
        if type(function) is functools._lru_cache_wrapper and function.__module__.startswith("edgekit"):
            function.cache_clear()
"""

#: The states of a mutant in mutmut.
STATUS = {0: "survived", 1: "killed", 3: "killed", 33: "not reached", 34: "left out", 24: "timed out", 36: "timed out"}


def copy_to(folder: Path) -> None:
    """Copy the files that git tracks, in their present state."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def configure(folder: Path, module: str) -> None:
    """Write the configuration of mutmut: the module and its tests."""
    # Python ignores folders of the path that were missing at its start.
    (folder / "mutants").mkdir()
    settings = {
        "source_paths": ["edgekit"],
        "only_mutate": [f"edgekit/{module}.py"],
        "also_copy": ["samples", "README.md"],
        "do_not_mutate_patterns": list(MESSAGES),
        "pytest_add_cli_args": ["-p", "no:cacheprovider", "-n", "0", "--full", "-k", CHOSEN],
        "pytest_add_cli_args_test_selection": [f"tests/test_{name}.py" for name in MODULES[module]],
        "use_git_change_detection": False,
    }
    # Lists of strings are the same in TOML as in JSON.
    lines = ["", "[tool.mutmut]", *(f"{name} = {json.dumps(value)}" for name, value in settings.items()), ""]
    for path, text in (("pyproject.toml", "\n".join(lines)), ("tests/conftest.py", FORGET)):
        with (folder / path).open("a", encoding="utf-8") as file:
            file.write(text)


def mutmut(folder: Path, *arguments: str) -> str:
    """Run mutmut in the copy; the package is imported from there, and not from where it is installed."""
    environment = {**os.environ, "PYTHONPATH": str(folder / "mutants"), "EDGEKIT_FAST": "0"}
    command = [sys.executable, "-P", "-m", "mutmut", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"mutmut {arguments[0]} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def run(module: str, children: int, show: bool) -> tuple[Counter[str], list[str]]:
    """Mutate one module; return the number of mutants by state, and the functions where some survived."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy_to(folder)
        configure(folder, module)
        mutmut(folder, "run", "--max-children", str(children))
        codes = json.loads((folder / f"mutants/edgekit/{module}.py.meta").read_text("utf-8"))["exit_code_by_key"]
        left = [key for key, code in codes.items() if STATUS.get(code) in ("survived", "not reached")]
        for key in left if show else ():
            print(mutmut(folder, "show", key))
    functions = [re.sub(r"^.*\.x[_ǁ]|__mutmut_\d+$", "", key).replace("ǁ", ".") for key in left]
    return Counter(STATUS.get(code, "broke off") for code in codes.values()), functions


def row(module: str, counts: Counter[str], functions: list[str]) -> str:
    """Return a row of the table."""
    killed, late = counts["killed"] + counts["broke off"], counts["timed out"]
    where = ", ".join(f"`{name}` {count}" for name, count in Counter(functions).most_common())
    return f"| `{module}.py` | {counts.total()} | {killed} | {late} | {len(functions)} | {where} |"


def table(rows: dict[str, str]) -> str:
    """Return the table, in the order of `MODULES`."""
    lines = ["| module | mutants | killed | timed out | survived | where |", "|---|---:|---:|---:|---:|---|"]
    return "\n".join((*lines, *(rows[module] for module in MODULES if module in rows)))


def fill(rows: dict[str, str]) -> None:
    """Write rows into the table of the page. Those of other modules stay."""
    page = PAGE.read_text("utf-8")
    present = dict(re.findall(r"^(\| `(\S+)\.py` \|.*)$", page, re.MULTILINE))
    before = {module: line for line, module in present.items()}
    block = rf"\1{table(before | rows)}\n\2"
    PAGE.write_text(re.sub(r"(<!-- mutants -->\n).*?(<!-- /mutants -->)", block, page, flags=re.DOTALL), "utf-8")


def main(argv: Sequence[str] | None = None) -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", metavar="module", help=", ".join(MODULES))
    parser.add_argument("--children", type=int, default=os.cpu_count(), help="mutants at a time")
    parser.add_argument("--show", action="store_true", help="print what survived")
    parser.add_argument("--write", action="store_true", help="write the rows of docs/mutation.md")
    options = parser.parse_args(argv)
    chosen = options.modules or list(MODULES)
    if unknown := set(chosen) - set(MODULES):
        parser.error(f"no tests are named for {', '.join(sorted(unknown))}; choose from {', '.join(MODULES)}")
    rows = {module: row(module, *run(module, options.children, options.show)) for module in chosen}
    print(table(rows))
    if options.write:
        fill(rows)


if __name__ == "__main__":
    main()
