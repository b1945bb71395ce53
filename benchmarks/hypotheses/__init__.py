"""The essays' claims, an experiment each: ``python -m benchmarks.hypotheses NAME`` (or ``evodev experiment NAME``)."""
