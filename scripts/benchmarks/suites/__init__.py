"""The suites of run.py, each a module with a function `run`; and what several of them share."""
