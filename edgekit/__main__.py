"""``python -m edgekit``. May import `cli` and what is below it."""

from edgekit.cli import run

if __name__ == "__main__":
    run()
