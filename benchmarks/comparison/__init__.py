"""Benchmarks against rivals that are not part of the library."""
