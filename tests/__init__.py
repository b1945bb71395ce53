"""The test suite: mirrors ``evodev/``; contract tests cover every entry of every registry."""
