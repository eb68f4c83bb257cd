"""Benchmarks of speed and memory, most of them beside other libraries and programs.

`run.py` runs the suites in `suites/`; the other scripts run by themselves. `harness/` has what they stand on. In it,
`worker` and `timed_command` run in processes of their own, `workers` and `processes` talk to them, and `comparison`
runs the contenders in turn; `tables` and `plots` show the results.
"""


class LeftOut(Exception):
    """A contender cannot take part; the message says why."""


class Disagreement(Exception):
    """A contender computes something else than it says."""
