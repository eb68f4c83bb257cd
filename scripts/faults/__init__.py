"""Fault drills: batches that meet failing jobs, failing stores, full disks and signals, and very long runs."""
