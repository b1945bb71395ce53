"""Benchmarks: run from the checkout, results in results/, rendered to RESULTS.md."""
