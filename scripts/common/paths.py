"""Where the project's files are."""

from pathlib import Path

#: The root of the repository.
ROOT = Path(__file__).resolve().parents[2]

README = ROOT / "README.md"

#: The pages of the site.
DOCS = ROOT / "docs"

#: The folder of sample pictures.
SAMPLES = ROOT / "samples"
