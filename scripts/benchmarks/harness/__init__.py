"""What the benchmarks stand on. May import nothing of the suites."""
