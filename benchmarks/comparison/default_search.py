"""The default search from a cold cache: how long it takes, and how its champion does on held-out classes.

    python -m benchmarks.comparison.default_search [--seeds K] [--out DIR]

Runs `evodev search` as a user would, once a seed, each with an empty compilation cache; runs that are finished in DIR are
not run again. Writes benchmarks/results/comparison/default_search.json.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import write_result
from evodev.across import across_runs
from evodev.comparison import CHAMPION

RIVALS = ("dense + evolved hyperparameters", "random sparse + evolved hyperparameters")
NEIGHBOURS = ("1-NN on inputs", "nearest centroid on inputs")
PROTOTYPE = "prototype on the same protocol"


def run_once(out: Path, seed: int) -> dict[str, Any]:
    """One search; returns its comparison with the wall time of the whole command added."""
    run, clock = out / f"default-{seed}", out / f"default-{seed}.seconds"
    if not clock.exists():
        with tempfile.TemporaryDirectory() as cache:
            began = time.perf_counter()
            command = [sys.executable, "-m", "evodev", "search", "--out", str(run), "--seed", str(seed)]
            subprocess.run(command, check=True, env={**os.environ, "EVODEV_CACHE": cache})
            clock.write_text(str(time.perf_counter() - began))
    comparison = json.loads((run / "comparison.json").read_text())
    comparison["ledger"]["wall_seconds"] = float(clock.read_text())
    return comparison


def rows_of(result: dict[str, Any], seeds: int) -> list[dict[str, Any]]:
    """Rows from one comparison, or from several merged into one."""
    arms, ledger = result["arms"], result["ledger"]
    champion = arms[CHAMPION]
    area = champion["scores"]["aulc"]
    note = result["intervals"]
    rows = [
        row("whole command", ledger["wall_seconds"], "s", target=300, met=ledger["wall_seconds"] <= 300, note="cold cache"),
        row("search alone", ledger["search_seconds"], "s", target=120, met=ledger["search_seconds"] <= 120, note="cold cache"),
        row("champion, AULC on unseen classes (floor)", area, "nats", target=0.70, met=area["value"] <= 0.70, note=note),
        row("champion, AULC on unseen classes (goal)", area, "nats", target=0.50, met=area["value"] < 0.50, note=note,
            reference=0.584, source="prototype, 23% of synapses"),
        row("champion, share of the substrate's synapses", champion["density"], "", target=0.20, met=champion["density"] <= 0.20,
            note="the read-out's memory counted in"),
    ]  # fmt: skip
    for name, known in zip(RIVALS, (1.425, 1.546), strict=True):
        rival = arms[name]["scores"]["aulc"]
        rows.append(
            row(
                f"{name}, AULC",
                rival,
                "nats",
                reference=known,
                source=PROTOTYPE,
                note=f"{arms[name]['tuning_lives']} tuning lives",
            )
        )
        share = area["value"] / rival["value"]
        rows.append(row(f"champion / {name}, AULC", share, "x", target=0.6, met=share <= 0.6))
    accuracy = np.array(champion["curves"]["accuracy"]["mean"])
    for name in NEIGHBOURS:
        margin = float((accuracy - np.array(arms[name]["curves"]["accuracy"]["mean"]))[1:].min())
        rows.append(row(f"least accuracy above {name}, over all probes after birth", margin, "", target=0.0, met=margin > 0))
    for name, arm in arms.items():
        if arm["role"] in ("control", "baseline") and name not in RIVALS:
            rows.append(row(f"{name}, AULC", arm["scores"]["aulc"], "nats", note=arm["note"]))
    for probe, value in zip(result["samples"], accuracy, strict=True):
        rows.append(row(f"champion, accuracy after {probe} samples a class", float(value), "", note=note))
    rows.append(row("outer lives of the search", ledger["outer_lifetimes"], "lives", note=f"{seeds} search(es)"))
    return rows


def row(label: str, value: Any, unit: str, **more: Any) -> dict[str, Any]:
    """A row of a number, or of a number with its interval."""
    if isinstance(value, dict):
        return {"label": label, "measured": value["value"], "lo": value["lo"], "hi": value["hi"], "unit": unit, **more}
    return {"label": label, "measured": value, "unit": unit, **more}


def main() -> None:
    """Run what is missing and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1, help="searches, on seeds 0, 1, ... (default 1)")
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks"), help="where the runs are kept")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    finished = []
    for seed in range(options.seeds):
        finished.append(run_once(options.out, seed))
        merged = across_runs(finished) if len(finished) > 1 else finished[0]
        rows = rows_of(merged, len(finished))
        command = f"python -m benchmarks.comparison.default_search --seeds {seed + 1}"
        budget = "preset few-shot-digits as shipped; 192 held-out lives an arm"
        write_result("comparison", "default_search", rows, command=command, seeds=len(finished), budget=budget)
    for entry in rows:
        print(f"{entry['label']:75} {entry['measured']:.3f} {entry.get('met', '')}")


if __name__ == "__main__":
    main()
