"""The suites of bench.py, and what they stand on.

Lowest first: `worker`, `launch` and `peak` run in processes of their own; `fleet` and `processes` talk to them;
`contest` lets contenders take turns; `tables` and `plots` show what came out; the suites are at the top.
"""

from pathlib import Path

#: The project.
ROOT = Path(__file__).resolve().parents[2]


class LeftOut(Exception):
    """A contender cannot take part; the message says why."""


class Disagreement(Exception):
    """A contender computes something else than it says."""
