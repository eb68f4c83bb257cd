"""``python -m edgekit``."""

from edgekit.cli import run

if __name__ == "__main__":
    run()
