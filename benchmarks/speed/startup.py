"""How long `evodev search` takes to its first generation, and where that goes; and how long a bare import takes.

Every number is of a fresh process, from its spawning: cold with an empty compilation cache, warm with what the cold one
left there. The search is the default preset's; the stages are what the command itself does, one after the other. Targets,
for two cores: first generation within 10 s cold and 4 s warm, `import evodev` under 1.5 s.

    python -m benchmarks.speed.startup [--rounds N]
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

from benchmarks.common import write_result

STAGES = {
    "import": "import of jax and everything that a search uses",
    "trace": "settings, experiment, tracing, forecast of memory, first state",
    "lower": "jaxpr to StableHLO",
    "compile": "XLA, or reading its cache",
    "generation": "the first generation",
}

CHILD = """
import json, os, sys, time
began, marks = float(sys.argv[1]), []
def mark():
    marks.append(time.time() - began)
from evodev import cli
cli.prepare_jax()
import jax, evodev.arguments, evodev.presets, evodev.progress, evodev.tracking, evodev.workflow
from evodev.search import Search
mark()
class Program:
    def __init__(self, search):
        self.jitted = jax.jit(search._run_generations, donate_argnums=1)
    def trace(self, *given):
        return self.jitted.trace(*given)
    def __call__(self, *given):
        traced = self.trace(*given)
        mark()
        lowered = traced.lower()
        mark()
        lowered.compile()
        mark()
        jax.block_until_ready(self.jitted(*given))
        mark()
        print(json.dumps(marks), flush=True)
        os._exit(0)
Search._generations = property(lambda search: vars(search).setdefault("_program", Program(search)))
cli.main(["search", "--search-only", "--generations", "1", "--out", sys.argv[2]])
"""

QUICK = {
    "import jax": ["-c", "import jax"],
    "import evodev": ["-c", "import evodev"],
    "import evodev, everything that a search uses": ["-c", "import evodev.progress, evodev.tracking, evodev.workflow"],
    "evodev --help": ["-m", "evodev", "--help"],
    "evodev --version": ["-m", "evodev", "--version"],
    "evodev list": ["-m", "evodev", "list"],
}


def timed(arguments: list[str], cache: str) -> tuple[float, float, str]:
    """Wall and processor seconds of a fresh process, and what it printed."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.time()
    command = [sys.executable, *arguments]
    out = subprocess.run(command, env=os.environ | {"EVODEV_CACHE": cache}, capture_output=True, text=True, check=True).stdout
    wall, after = time.time() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, out


def search(cache: str) -> dict[str, float]:
    """Seconds of each stage to the first generation, their total, and the processor's seconds."""
    with tempfile.TemporaryDirectory() as place:
        _, cpu, out = timed(["-c", CHILD, str(time.time()), f"{place}/run"], cache)
    marks = [0.0, *json.loads(out.splitlines()[-1])]
    stages = {name: marks[i + 1] - marks[i] for i, name in enumerate(STAGES)}
    return stages | {"total": marks[-1], "processor": cpu}


def row(label: str, seconds: list[float], note: str, target: float | None = None) -> dict[str, Any]:
    """Median and range of the rounds."""
    value = statistics.median(seconds)
    met = None if target is None else value <= target
    return {
        "label": label, "measured": value, "lo": min(seconds), "hi": max(seconds), "unit": "s", "target": target, "met": met,
        "note": note,
    }  # fmt: skip


def main() -> None:
    """Measure and write benchmarks/results/speed/startup.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="cold and warm processes each (default 3)")
    parser.add_argument("--seconds", type=float, default=270, help="begin no round after so many (default 270)")
    parser.add_argument("--note", default="", help="what else ran on the machine, for the rows")
    options = parser.parse_args()
    began = time.monotonic()
    found: dict[str, list[dict[str, float]]] = {"cold": [], "warm": []}
    quick: dict[str, list[tuple[float, float]]] = {name: [] for name in QUICK}
    while len(found["warm"]) < options.rounds and time.monotonic() - began < options.seconds:
        with tempfile.TemporaryDirectory() as cache:
            for kind in found:
                found[kind].append(search(cache))
            for name, arguments in QUICK.items():
                quick[name].append(timed(arguments, cache)[:2])
    many = f"median and range of {len(found['warm'])} fresh processes{'; ' if options.note else ''}{options.note}"
    rows = []
    for kind, target in (("cold", 10.0), ("warm", 4.0)):
        cpu = statistics.median(one["processor"] for one in found[kind])
        rows.append(
            row(f"first generation, {kind}", [one["total"] for one in found[kind]], f"{cpu:.1f} s of processor; {many}", target)
        )
        rows += [row(f"{kind}: {name}", [one[name] for one in found[kind]], what) for name, what in STAGES.items()]
    for name, times in quick.items():
        cpu = statistics.median(one[1] for one in times)
        target = 1.5 if name == "import evodev" else None
        rows.append(row(name, [one[0] for one in times], f"whole process, {cpu:.2f} s of processor", target))
    for entry in rows:
        print(f"{entry['label']:45} {entry['measured']:.2f} [{entry['lo']:.2f}, {entry['hi']:.2f}] {entry['note']}")
    budget = f"{len(found['warm'])} rounds of a cold and a warm search to its first generation"
    write_result("speed", "startup", rows, command="python -m benchmarks.speed.startup", seeds=1, budget=budget)


if __name__ == "__main__":
    main()
