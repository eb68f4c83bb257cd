"""Evaluation of results: against labels, against a known focus, and against the same photograph before darkening."""
