"""Memory of a generation: what `evodev search` predicts before it compiles anything, against what the process then took.

Each row is a fresh process that runs one generation at one life a genome: the default preset's organism (two steps and one
probe example a class), and a G-net of the sine preset's network. Predicted is what the process held before plus the forecast;
measured is its resident high-water mark, compiler included. Expected: within a factor of two wherever the population outweighs
the compiler, and 100,000 genomes x 1 life on 24 GiB.

    python -m benchmarks.speed.memory [--largest N]
"""

import argparse
import json
import subprocess
import sys
from typing import Any

from benchmarks.common import write_result

CHILD = """
import json, sys, time
from evodev import cli
cli.prepare_jax()
import jax
from evodev.arguments import experiment_from
from evodev.memory import resident
search = experiment_from(sys.argv[1:])[1].search()
need, state = search.forecast(), search.start()
told = search._generations.trace(search.root, state, 1).lower().compile().memory_analysis()
compiled, began = resident("VmHWM"), time.perf_counter()
jax.block_until_ready(search._generations(search.root, state, 1))
print(json.dumps({
    "predicted": need.held + need.peak, "measured": resident("VmHWM"), "compiled": compiled, "devices": search.devices,
    "xla": told.temp_size_in_bytes + told.argument_size_in_bytes + told.output_size_in_bytes - told.alias_size_in_bytes,
    "chunk": list(search.chunk), "genome": search.spec.size, "seconds": time.perf_counter() - began,
}))
"""

LIVES = ("--schedule.lives", "1", "--schedule.validation-lives", "1")
ORGANISMS = {
    "default": (("few-shot-digits", *LIVES, "--task.shots", "2", "--task.probes", "1"), 100_000),
    "gnet": (("sine", "--decoder", "gnet", *LIVES), 10_000),
}
"""Settings of an organism, and its largest population."""
SIZES = (100, 1_000, 10_000, 100_000)
GIB = 1024**3


def measured(name: str, population: int) -> dict[str, Any]:
    """A row of one population."""
    settings = (*ORGANISMS[name][0], "--strategy.population", str(population))
    out = subprocess.run([sys.executable, "-c", CHILD, *settings], capture_output=True, text=True, check=True).stdout
    one = json.loads(out.splitlines()[-1])
    ratio = one["predicted"] / one["measured"]
    return {
        "label": f"{name}, {population:,} genomes x 1 life", "measured": one["measured"] / GIB, "unit": "GiB",
        "reference": one["predicted"] / GIB, "source": "predicted before compiling",
        "target": 24.0 if population == 100_000 else None, "met": one["measured"] <= 24 * GIB if population == 100_000 else None,
        "note": f"predicted / measured {ratio:.2f}; XLA's own account {one['xla'] / GIB:.2f} a device; "
        f"{one['compiled'] / GIB:.2f} before the generation began; "
        f"genomes of {one['genome']:,} numbers, {one['chunk'][0]} x {one['chunk'][1]} at a time on {one['devices']} devices; "
        f"the generation took {one['seconds']:.0f} s",
    }  # fmt: skip


def main() -> None:
    """Measure and write benchmarks/results/speed/memory.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--largest", type=int, default=100_000, help="largest population (default 100000)")
    largest = parser.parse_args().largest
    budget = "one generation, one life a genome (default: two steps of five examples, probed with five; gnet: the sine preset's)"
    cases = [(name, many) for name, (_, most) in ORGANISMS.items() for many in SIZES if many <= min(most, largest)]
    rows: dict[tuple[str, int], dict[str, Any]] = {}
    # the largest first, and written after each: what matters most is there if time runs out
    for case in sorted(cases, key=lambda case: -case[1]):
        rows[case] = measured(*case)
        print(rows[case]["label"], f"{rows[case]['measured']:.2f} GiB;", rows[case]["note"], flush=True)
        done = [rows[each] for each in cases if each in rows]
        write_result("speed", "memory", done, command="python -m benchmarks.speed.memory", seeds=1, budget=budget)


if __name__ == "__main__":
    main()
