"""Result files of the benchmarks: one form for all, written whole, read by ``benchmarks.render``."""

import ast
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax

from evodev.content import digest, source
from evodev.manifest import commit

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
FIELDS = ("label", "measured", "lo", "hi", "unit", "reference", "source", "target", "met", "note")


def result_path(suite: str, name: str) -> Path:
    """Where a benchmark's result is kept."""
    return RESULTS / suite / f"{name}.json"


def write_result(
    suite: str,
    name: str,
    rows: Sequence[dict[str, Any]],
    *,
    command: str,
    seeds: int,
    budget: str,
    figure: str | None = None,
    more: dict[str, Any] | None = None,
) -> Path:
    """Write benchmarks/results/SUITE/NAME.json; returns its path.

    Args:
        suite: folder of the result.
        name: of the benchmark.
        rows: dictionaries of ``FIELDS``; what is left out is null.
        command: that reproduces the file.
        seeds: outer seeds behind a row.
        budget: what one row may spend, in words.
        figure: name of a picture beside the file.
        more: whatever else the file shall say, by name.

    Raises:
        ValueError: if a row has an unknown field.
    """
    for row in rows:
        unknown = set(row) - set(FIELDS)
        if unknown:
            raise ValueError(f"row {row.get('label')}: unknown fields {sorted(unknown)}")
    device = jax.local_devices()[0]
    data = {
        "name": name,
        "suite": suite,
        "command": command,
        "commit": commit(),
        "device": f"{device.device_kind}, {os.cpu_count()} cores",
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "seeds": seeds,
        "budget": budget,
        "rows": [{field: row.get(field) for field in FIELDS} for row in rows],
        "figure": figure,
        **(more or {}),
    }
    path = result_path(suite, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(data, indent=1) + "\n")
    os.replace(partial, path)
    return path


def read_result(suite: str, name: str) -> dict[str, Any] | None:
    """A result written before, or None."""
    path = result_path(suite, name)
    return json.loads(path.read_text()) if path.exists() else None


def code_of(script: Path, leave: Sequence[str] = ()) -> str:
    """Digest of the package, of a script and of all scripts of benchmarks/ that it imports, comments and layout left out.

    What was measured by other code is no measurement of this one.

    Args:
        script: its file.
        leave: modules that no number depends on, because they only show or judge.
    """
    found, waiting = dict[str, str](), [script]
    while waiting:
        path = waiting.pop()
        if path.as_posix() in found:
            continue
        tree = ast.parse(path.read_text())
        found[path.as_posix()] = ast.dump(tree)
        for node in ast.walk(tree):
            names = []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            files = (
                ROOT / f"{name.replace('.', '/')}.py" for name in names if name.startswith("benchmarks.") and name not in leave
            )
            waiting += [file for file in files if file.exists()]
    return digest(source(), [found[name] for name in sorted(found)])
