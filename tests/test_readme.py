"""Runs the sessions of the README, and checks generated blocks and links."""

import re

import pytest
from documents import ROOT, blocks, copy_samples, run_blocks

README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def at_samples(tmp_path, monkeypatch):
    """A writable folder with the samples."""
    copy_samples(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def test_readme_sessions(at_samples):
    assert run_blocks(README, "README.md") > 12


def test_blocks_without_output_are_marked_for_ci():
    """`.ci/run` runs those with these marks, in a fresh clone."""
    assert [block.mark for block in blocks(README) if not block.is_run] == ["run: try", "run: test"]


def test_readme_has_at_most_150_lines():
    assert len(README.splitlines()) <= 150


@pytest.fixture
def generated(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "scripts")
    import maintenance.readme_blocks as script

    return script


def test_generated_blocks_are_up_to_date(generated):
    generated.main(["--check"])


def test_outdated_blocks_are_found_and_updated(generated, monkeypatch, tmp_path):
    page = tmp_path / "page.md"
    page.write_text("<!-- quality -->\nold\n<!-- /quality -->", encoding="utf-8")
    monkeypatch.setattr(generated, "BLOCKS", ((page, "quality", generated.quality),))
    with pytest.raises(SystemExit, match=r"page.md is out of date"):
        generated.main(["--check"])
    generated.main([])
    assert page.read_text(encoding="utf-8").count("\n|") == 2 + len(generated.QUALITY)


def test_table_cell(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "scripts")
    from common.blocks import table_cell

    text = "| a | b |\n|---|---|\n| x | 1 |\n\n| a | c |\n|---|---|\n| x | 2 |"
    assert (table_cell(text, "x", "b"), table_cell(text, "x", "c")) == ("1", "2")
    with pytest.raises(SystemExit, match="no table has the row y and the column b"):
        table_cell(text, "y", "b")


def test_links_and_paths_exist():
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "docs/architecture.md"):
        page = ROOT / name
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
            assert (page.parent / target).exists(), (name, target)
        if name != "CHANGELOG.md":
            for path in re.findall(r"`([\w/]+\.py)`", text):
                assert any((folder / path).exists() for folder in (ROOT, ROOT / "edgekit")), (name, path)


#: Blocks that scripts for benchmarks and evaluation fill.
MEASURED = {
    "README": ("filters",),
    "docs/measuring": ("subpixel", "circles", "contours-time", "mtf", "mtf-shapes", "mtf-charts"),
    "docs/boundaries": ("sizes", "costs", "boundaries-bsds", "boundaries-uded"),
    "docs/edges": ("edges",),
    "docs/scoring": ("memory",),
    "docs/video": ("picking",),
    "docs/autofocus": ("lens",),
    "docs/torch": ("torch",),
}


@pytest.mark.parametrize("page", MEASURED)
def test_measured_blocks_are_filled(page):
    text = (ROOT / f"{page}.md").read_text(encoding="utf-8")
    for name in MEASURED[page]:
        (content,) = re.findall(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", text, re.DOTALL)
        assert len(content) > 60, f"run the script that fills the block {name}"
