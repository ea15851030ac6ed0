"""Benchmarks that need the repository: the rivals, and the results that are kept."""
