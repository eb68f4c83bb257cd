"""What the documents show is run: the README's sessions, its generated blocks, its tables."""

import doctest
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import edgekit as ek

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")

#: Pages whose sessions are run.
PAGES = ("README.md", "docs/sorting.md")


@pytest.fixture
def at_samples(tmp_path, monkeypatch):
    """A folder with the samples, and nothing else that may lie beside them, where one may write."""
    (tmp_path / "samples").mkdir()
    for name in re.findall(r"\]\(([\w.-]+)\)", (ROOT / "samples" / "README.md").read_text(encoding="utf-8")):
        shutil.copy2(ROOT / "samples" / name, tmp_path / "samples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("page", PAGES)
def test_the_shell_session(page, at_samples):
    session = "".join(blocks(page, "console"))
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    commands = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", session, re.MULTILINE)
    assert len(commands) > 6
    for command, expected in commands:
        # Standard error holds the summary, with its time.
        ran = subprocess.run(["bash", "-euc", command], env=os.environ | {"PATH": path}, capture_output=True, text=True)
        assert ran.returncode == 0, f"{command}: {ran.stderr}"
        assert ran.stdout == expected, command
    if page == "README.md":
        assert ek.read_image("dark.png").shape == (400, 600)


@pytest.mark.parametrize("page", PAGES)
def test_the_python_sessions(page, at_samples):
    text = "\n".join(blocks(page, "python"))
    assert text.count(">>>") > 8
    test = doctest.DocTestParser().get_doctest(text, {}, "README", "README.md", 0)
    failed, attempted = doctest.DocTestRunner().run(test)
    assert (failed, attempted > 8) == (0, True)


def test_the_python_session_of_boundaries(at_samples):
    page = (ROOT / "docs" / "boundaries.md").read_text(encoding="utf-8")
    text = "\n".join(re.findall(r"```python\n(.*?)```", page, re.DOTALL))
    test = doctest.DocTestParser().get_doctest(text, {}, "boundaries", "boundaries.md", 0)
    failed, attempted = doctest.DocTestRunner().run(test)
    assert (failed, attempted > 4) == (0, True)
    for name in ("sizes", "costs", "boundaries-bsds", "boundaries-uded"):
        (content,) = re.findall(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", page, re.DOTALL)
        assert content.count("\n|") > 3, f"run the script that fills the block {name}"


def test_the_tables_of_rows_are_fresh():
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        from common.blocks import fill
        from maintenance.readme_blocks import measures, operators
    finally:
        sys.path.remove(str(ROOT / "scripts"))
    assert fill(README, "operators", operators()) == README
    assert fill(README, "measures", measures()) == README
    assert fill(README, "operators", "other") != README


def test_the_measured_blocks_are_filled():
    for name in ("dark", "edges", "startup", "speed", "filters", "memory", "picking", "lens", "torch"):
        (content,) = re.findall(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", README, re.DOTALL)
        assert content.count("\n|") > 3, f"run the script that fills the block {name}"


def test_links_lead_somewhere():
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/architecture.md", "docs/sorting.md"):
        page = ROOT / name
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
            assert (page.parent / target).exists(), (name, target)
        if name != "CHANGELOG.md":
            for path in re.findall(r"`([\w/]+\.py)`", text):
                assert any((folder / path).exists() for folder in (ROOT, ROOT / "edgekit")), (name, path)


@pytest.mark.parametrize(
    "page", [page.name for page in (ROOT / "docs").glob("*.md") if ">>> " in page.read_text("utf-8")]
)
def test_the_python_sessions_of_the_pages(page, at_samples):
    found = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / page).read_text("utf-8"), re.DOTALL)
    test = doctest.DocTestParser().get_doctest("\n".join(found), {}, page, page, 0)
    failed, attempted = doctest.DocTestRunner().run(test)
    assert (failed, attempted > 3) == (0, True)


def test_the_tables_of_measurements_are_filled():
    page = (ROOT / "docs" / "measuring.md").read_text("utf-8")
    for name in ("subpixel", "circles", "contours-time", "mtf", "mtf-shapes", "mtf-charts"):
        (content,) = re.findall(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", page, re.DOTALL)
        assert len(content) > 60, f"run the script that fills the block {name}"
