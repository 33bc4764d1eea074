"""Measurements that are kept: `python -m benchmarks SUITE` writes docs/results/SUITE.toml and a table beside it."""
