"""Sphinx configuration. Build: ``sphinx-build -W --keep-going -b html docs docs/build``.

What is generated from the code lies in docs/generated/, which git ignores.
"""

import re
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from sphinx_gallery.sorting import FunctionSortKey

import edgekit
from common.paths import DOCS, SAMPLES
from documentation import api_pages, command_pages, project_pages

GENERATED = DOCS / "generated"

project = "edgekit"
author = "The edgekit developers"
project_copyright = "the edgekit developers, MIT licence"
version = release = edgekit.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
    "sphinx_design",
    "sphinx_copybutton",
]
exclude_patterns = ["build", "examples", "templates", "generated/sources"]
templates_path = ["templates"]

# Generated pages, before Sphinx looks for them.
command_pages.write_pages(GENERATED / "commands")
api_pages.main([str(GENERATED / "api.rst")])
project_pages.write_pages(GENERATED / "project")

# The examples run in a copy of their folder. Only the samples are copied, and no other files of the user.
NAMES = re.findall(r"\]\(([\w.-]+)\)", (SAMPLES / "README.md").read_text(encoding="utf-8"))
for kind in ("tutorials", "gallery"):
    folder = GENERATED / "sources" / kind
    shutil.copytree(DOCS / "examples" / kind, folder, dirs_exist_ok=True)
    shutil.rmtree(folder / "samples", ignore_errors=True)
    (folder / "samples").mkdir()
    for name in NAMES:
        shutil.copy2(SAMPLES / name, folder / "samples")

# The scraper of the gallery is a function, which Sphinx does not store.
suppress_warnings = ["config.cache"]
myst_enable_extensions = ["colon_fence", "deflist", "attrs_block"]
myst_heading_anchors = 4
# Names in backquotes in docstrings become links if they have a page.
default_role = "py:obj"
# Options begin with two hyphens.
smartquotes = False
autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True


def skip_field(app, what, name, value, skip, options):
    """Leave out the fields of named tuples, which the docstring of the class describes."""
    return True if str(getattr(value, "__doc__", "")).startswith("Alias for field") else None


def rewrite_links(app, name, source):
    """Let links of a page to files of the repository lead to their pages in the site."""
    path = DOCS / f"{name}.md"
    if path.exists() and not path.is_relative_to(GENERATED):
        source[0] = project_pages.rewritten(source[0], path, path.parent)


def setup(app):
    """Connect the functions of this file; called by Sphinx."""
    app.connect("source-read", rewrite_links)
    app.connect("autodoc-skip-member", skip_field)


saved = []


def save_panels(block, block_vars, gallery_conf):
    """Save the panels that a block of an example ends with, for its page and its thumbnail."""
    from sphinx_gallery.scrapers import figure_rst

    panels = block_vars["example_globals"].get("___")
    # After a block without a value, `___` still has the value of an earlier block.
    if not isinstance(panels, edgekit.Panels) or panels in saved:
        return ""
    saved.append(panels)
    path = next(block_vars["image_path_iterator"])
    panels.save(path)
    return figure_rst([path], gallery_conf["src_dir"])


#: The tutorials in the order of the site. The examples of the gallery are sorted by file name.
TUTORIALS = ("photographs.py", "gradients.py", "machine_learning.py", "microscopy.py")


def place(name):
    """Return what the examples of a folder are sorted by."""
    return (TUTORIALS.index(name) if name in TUTORIALS else len(TUTORIALS), name)


sphinx_gallery_conf = {
    "examples_dirs": ["generated/sources/tutorials", "generated/sources/gallery"],
    "gallery_dirs": ["generated/tutorials", "generated/gallery"],
    "filename_pattern": r"\.py$",
    "image_scrapers": (save_panels,),
    "capture_repr": ("_repr_html_", "__repr__"),
    "ignore_repr_types": r"edgekit.*Panels",
    "reset_modules": (),
    "abort_on_example_error": True,
    "download_all_examples": False,
    "within_subsection_order": FunctionSortKey(place),
    "thumbnail_size": (560, 400),
    "min_reported_time": 1e9,
    "write_computation_times": False,
    "show_memory": False,
    "show_signature": False,
    "remove_config_comments": True,
    "backreferences_dir": None,
}

html_theme = "pydata_sphinx_theme"
html_title = f"edgekit {release}"
html_static_path = ["static"]
html_favicon = "static/icon.svg"
html_css_files = ["edgekit.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": "edgekit"},
    "header_links_before_dropdown": 6,
    "navbar_end": ["theme-switcher"],
    "navigation_with_keys": False,
    "show_nav_level": 1,
    "show_toc_level": 2,
    "footer_start": ["copyright"],
    "footer_end": [],
    "back_to_top_button": True,
    "pygments_light_style": "tango",
    "pygments_dark_style": "monokai",
}
html_context = {"default_mode": "auto"}
