"""The site in docs/: code blocks are run, columns are described, generated pages are complete."""

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from command_line import run
from documents import ROOT, blocks, copy_samples, run_blocks

import edgekit as ek

DOCS = ROOT / "docs"
PAGES = sorted(path for path in DOCS.rglob("*.md") if not {"generated", "build"} & set(path.relative_to(DOCS).parts))


def text_of(path):
    return path.read_text(encoding="utf-8")


def name_of(path):
    return path.relative_to(DOCS).as_posix()


@pytest.fixture
def at_samples(tmp_path, monkeypatch):
    """A writable folder with the samples."""
    copy_samples(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


@pytest.fixture
def script(monkeypatch):
    """Return a function that imports a script by its name."""
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import importlib

    return lambda name: importlib.import_module(f"documentation.{name}")


RUN = [path for path in PAGES if any(block.is_run for block in blocks(text_of(path)))]


@pytest.mark.parametrize("path", RUN, ids=name_of)
def test_sessions_of_pages(path, at_samples):
    assert run_blocks(text_of(path), path.name)


def test_blocks_are_run_or_marked_not_run():
    skipped = [(name_of(path), b) for path in PAGES for b in blocks(text_of(path)) if not b.is_run]
    # Directives of Sphinx are in braces, and are not blocks of code.
    assert [(name, block.code) for name, block in skipped if not block.mark.startswith("not run: ")] == []
    assert len(RUN) > 15


def test_wrong_outputs_are_found(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AssertionError):
        run_blocks("```python\n>>> 1 + 1\n3\n```", "page")
    with pytest.raises(AssertionError, match="echo one"):
        run_blocks("```console\n$ echo one\ntwo\n```", "page")
    assert run_blocks("```python\n>>> a = 1\n```\n\n```python\n>>> a\n1\n```", "page") == 2


def test_links_of_pages_exist():
    for path in PAGES:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)", text_of(path)):
            # Sphinx makes the generated pages; its build checks the links to them.
            assert "generated/" in target or (path.parent / target).exists(), (name_of(path), target)


def test_every_page_is_in_the_table_of_contents():
    listed = {
        (path.parent / re.sub(r".*<(.*)>", r"\1", line)).resolve()
        for path in PAGES
        for body in re.findall(r"```\{toctree\}\n(.*?)```", text_of(path), re.DOTALL)
        for line in body.splitlines()
        if not line.startswith(":")
    }
    pages = {path.with_suffix("").resolve() for path in PAGES} - {DOCS / "index"}
    assert pages - listed == set()


def test_every_column_is_described(at_samples):
    described = set(re.findall(r"`(\w+)`", text_of(DOCS / "reference" / "rows.md")))
    Path("stack").mkdir()
    for number in range(4):
        ek.write_image(f"stack/{number}.png", ek.read_image("samples/camera.png"))
    printed = [
        ["score", "samples/pan.mp4", "--fps", "1", "--json"], ["sobel", "samples/camera.png", "--json"],
        ["canny", "samples/camera.png", "--json"], ["threshold", "samples/camera.png", "--json"],
        ["detect", "samples/camera.png", "--json"], ["pick", "samples/pan.mp4", "-n", "1", "-o", "picked", "--json"],
        ["focus", "stack/", "--json"], ["info", "samples/camera.png", "--json"], ["kernels", "sobel", "--json"],
        ["mtf", "samples/slanted-edges.png", "--roi", "219,0,81,73", "--json"],
        ["contours", "samples/camera.png", "--min-length", "60", "--json"],
        ["learn", "--input", "samples/camera.png", "--target", "samples/camera.png", "-o", "kernel.json", "--json"],
        ["score", "samples/camera.png", "samples/coffee.png", "--burst", "2s", "--json"],
        ["pick", "samples/camera.png", "samples/coffee.png", "--burst", "2s", "-o", "moments", "--json"],
    ]  # fmt: skip
    found = set()
    for command in printed:
        # The summary goes to standard error.
        for line in run(*command).stdout.splitlines():
            found |= keys(json.loads(line))
    for folder in ("picked", "moments"):
        found |= keys(json.loads(text_of(Path(folder, "picked.json"))))
    tables = (
        ["score", "samples/", "--include", "*.png", "-o", "scores.csv"],
        ["contours", "samples/camera.png", "-o", "contours.csv"],
        ["mtf", "samples/slanted-edges.png", "--roi", "219,0,81,73", "-o", "mtf.csv"],
        ["sobel", "samples/", "--include", "*.png", "-o", "out", "--rows", "sobel.csv"],
    )
    for command in tables:
        done = run(*command)
        assert done.exit_code == 0, done.output
        with Path(command[-1]).open(encoding="utf-8", newline="") as file:
            found |= set(next(csv.reader(file)))
    assert len(found) > 40
    assert found - described == set()


def keys(value):
    """Return the keys of an object, and of the objects in it."""
    if isinstance(value, list):
        return set().union(*map(keys, value))
    return {*value, *set().union(*map(keys, value.values()))} if isinstance(value, dict) else set()


def test_every_public_name_is_listed(script):
    page = script("api_pages").page()
    names = {*ek.__all__} - {"nn"} | {f"nn.{name}" for name in ek.nn.__all__}
    assert {name for name in names if not re.search(rf"edgekit\.{name}\n|``{name}``", page)} == set()


def test_every_option_of_every_command_is_listed(script):
    pages = script("command_pages")
    for name, command in pages.commands().items():
        page = pages.page(name, command)
        for parameter in command.params:
            # One entry describes a family of options, such as --move-blurred.
            shown = parameter.get_help_record(click.Context(command)) is not None
            if parameter.param_type_name == "option" and shown:
                assert re.search(rf"{parameter.opts[-1]}\b", page), (name, parameter.opts)
        assert "Examples\n\n::\n\n    edgekit" in page
        # The groups have the order of the help page.
        help_page = command.get_help(click.Context(command, info_name=name))
        assert re.findall(r"^(.+)\n-{2,}$", page, re.MULTILINE) == re.findall(r"^(\S.*):$", help_page, re.MULTILINE)


def test_manual_page_is_up_to_date(script):
    pages = script("command_pages")
    assert pages.man_page().splitlines() == text_of(pages.MAN_PAGE).splitlines()
    pages.main(["--check"])
    assert r"\-\-angle DEGREES" in pages.man_page()


def test_links_of_the_repository_are_rewritten(script, tmp_path):
    project = script("project_pages")
    folder = DOCS / "generated" / "project"
    text = "[a](docs/formats.md#x) [b](SECURITY.md) [c](.ci/run) [d](https://e.org) ![e](docs/edges.png)"
    found = project.rewritten(text, ROOT / "CONTRIBUTING.md", folder)
    assert found == "[a](../../formats.md#x) [b](security.md) `c` [d](https://e.org) ![e](../../edges.png)"
    project.write_pages(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {*project.PAGES, "licence.md"}


SITE = {
    "index.html": '<a href="sub/page.html#here">x</a><img src="a.png"><a href="https://e.org">y</a>',
    "sub/page.html": '<p id="here"><a href="../">up</a><link rel="canonical" href="https://e.org/x">',
    "a.png": "",
}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("index.html", '<a href="gone.html">', "gone.html does not exist"),
        ("index.html", '<a href="sub/page.html#gone">', "has no such anchor"),
        ("index.html", '<script src="https://cdn.org/a.js">', "<script> loads https://cdn.org/a.js"),
        ("a.css", "@font-face { src: url('https://fonts.org/a.woff') }", "a.css: loads https://fonts.org"),
    ],
)
def test_broken_links_are_found(script, tmp_path, capsys, name, text, message):
    check = script("check_links")
    for path, content in SITE.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(content, encoding="utf-8")
    with pytest.raises(SystemExit) as whole:
        check.main([str(tmp_path)])
    assert not whole.value.code
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(SystemExit) as broken:
        check.main([str(tmp_path)])
    assert broken.value.code
    assert message in capsys.readouterr().out


EXAMPLES = sorted((DOCS / "examples").glob("*/*.py"))


@pytest.mark.full
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_run(path, at_samples):
    """As the site's build runs them, which is part of .ci/run."""
    environment = os.environ | {"MPLBACKEND": "agg"}
    ran = subprocess.run([sys.executable, str(path)], env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.full
@pytest.mark.parametrize("path", [p for p in EXAMPLES if p.parent.name == "tutorials"], ids=lambda path: path.stem)
def test_notebooks_of_the_tutorials_run(path, at_samples):
    """The notebook that the page of a tutorial offers."""
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("sphinx_gallery")
    from sphinx_gallery.gen_gallery import DEFAULT_GALLERY_CONF
    from sphinx_gallery.notebook import jupyter_notebook
    from sphinx_gallery.py_source_parser import split_code_and_text_blocks

    _, parts = split_code_and_text_blocks(path)
    notebook = jupyter_notebook(parts, dict(DEFAULT_GALLERY_CONF), str(path.parent))
    read = nbformat.reads(json.dumps(notebook), as_version=4)
    done = nbclient.NotebookClient(read, timeout=300, kernel_name="python3").execute()
    outputs = [output for cell in done.cells for output in cell.get("outputs", [])]
    assert any("image/png" in output.get("data", {}) for output in outputs)


@pytest.mark.full
def test_site_builds_without_warnings(tmp_path, script):
    pytest.importorskip("sphinx_gallery")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "docs", str(tmp_path)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    with pytest.raises(SystemExit) as checked:
        script("check_links").main([str(tmp_path)])
    assert not checked.value.code
