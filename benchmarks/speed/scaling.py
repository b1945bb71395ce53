"""A generation as it was predicted (``cost_model``) and as it was measured, on one and two devices, in one and two processes.

    python -m benchmarks.speed.scaling [--rounds N]

A small search: networks of 64-32-5 (and 64-128-5), every weight a gene, gradient descent on few-shot digits, OpenAI-ES. The
model's constants come from measurements outside the table: lives alone on one device (64 genomes x 8 lives), ask and tell
alone (64 and 512 genomes), gathering logs alone (of 8 and of 4,096 lives), and in each layout a generation of 4 genomes x 1
life, which tells what a block costs. With them every generation of the table is predicted, none of it fitted. (The first
version of the model had no cost of a block, and its predictions were off by .54 in the median.) Layouts: one process with one
device, on one core; one with two devices, and two with one each, on two cores. Processes talk by gloo on loopback.

Expected beforehand: median relative error of the predictions below 25%; two devices at least 1.7 times as fast as one from
256 genomes x 16 lives up, in one process and in two. No GPU or second machine was lent: what the model says of those is a row
without a measurement."""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from benchmarks.speed.turns import measure

GRID = [(32, 2), (256, 16), (256, 2), (32, 16), (1024, 2), (1024, 16)]
"""Population and lives; --points takes so many of the first."""

LAYOUTS = {"1 device": (1, 1), "2 devices": (1, 2), "2 processes": (2, 1)}
"""Processes, and devices of each."""

LEAST = (4, 1)
"""Of the generation that tells what a block costs, however small it is."""

HIDDEN, WIDER, BLOCK = 32, 128, 2
LOG = 24
"""Bytes of the stand-in for a life's log: six numbers."""
COMMAND = "python -m benchmarks.speed.scaling"
ERROR, SPEEDUP = 0.25, 1.7


def parts(hidden: int) -> tuple[Any, Any]:
    """Organism and task."""
    from evodev.decoders import DECODERS
    from evodev.learners import Gradient
    from evodev.organism import Organism
    from evodev.substrate import mlp
    from evodev.tasks import FewShotDigits

    task = FewShotDigits(canvas=8, shift=False, shots=5, probes=1)
    return Organism(mlp((64, hidden, 5)), DECODERS["direct"], Gradient()), task


def search_of(population: int, lives: int, hidden: int = HIDDEN) -> Any:
    """The search whose generations are timed."""
    from evodev.search import Schedule, Search
    from evodev.strategies import Strategy

    organism, task = parts(hidden)
    schedule = Schedule(10**6, lives=lives, validation_lives=1, block=BLOCK, probes=1)
    return Search(organism, task, Strategy("Open_ES", population), schedule)


# measuring, in a process of its own


def rounds_of(contenders: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Median seconds of each."""
    return {name: statistics.median(times) for name, times in measure(contenders, rounds).items()}


def advancing(search: Any) -> Callable[[], Any]:
    """A block of generations, always the same."""
    state = search.start()
    return lambda: search.advance(state)


def generations(rounds: int, points: int, *, wider: bool) -> dict[str, float]:
    """Seconds of a generation by population and lives."""
    contenders = {f"{p} x {n}": advancing(search_of(p, n)) for p, n in GRID[:points]}
    if wider:
        contenders[f"256 x 2, hidden {WIDER}"] = advancing(search_of(256, 2, WIDER))
    return {name: seconds / BLOCK for name, seconds in rounds_of(contenders, rounds).items()}


def constants(rounds: int) -> dict[str, float]:
    """Seconds of lives alone, of ask and tell alone, and of gathering logs alone."""
    import jax
    import numpy as np
    from jax.sharding import PartitionSpec

    from evodev.devices import LIVES, SUBJECTS, available, everywhere, mesh_of

    devices, many = len(available()), 50

    def gathering(lives: int) -> Callable[[], Any]:
        mesh = mesh_of((devices, 1))
        share = jax.shard_map(
            lambda x: x * 1.01,
            mesh=mesh,
            in_specs=PartitionSpec(SUBJECTS),
            out_specs=PartitionSpec(SUBJECTS, LIVES),
            check_vma=False,
        )
        whole = everywhere(mesh)

        def step(x: jax.Array, _: None) -> tuple[jax.Array, None]:
            return jax.lax.with_sharding_constraint(share(x), whole), None

        run = jax.jit(lambda x: jax.lax.scan(step, x, None, length=many)[0], in_shardings=whole, out_shardings=whole)
        start = np.ones((lives, 1, LOG // 4), np.float32)
        return lambda: jax.block_until_ready(run(start))

    contenders = {f"messages {n}": gathering(n) for n in (8, 4096)} if devices > 1 else {}
    contenders["block"] = advancing(search_of(*LEAST))
    if devices == 1:
        for population in (64, 512):
            search = search_of(population, 1)

            def asking(state: Any, key: Any, search: Any = search) -> tuple[Any, None]:
                genomes, state = search.algorithm.ask(key, state, search.params)
                return search.algorithm.tell(key, genomes, genomes[:, 0], state, search.params)[0], None

            keys, start = jax.random.split(jax.random.key(0), many), search.start().strategy
            run = jax.jit(lambda state, keys, step=asking: jax.lax.scan(step, state, keys)[0])
            contenders[f"strategy {population}"] = lambda run=run, start=start, keys=keys: jax.block_until_ready(run(start, keys))
        search = search_of(64, 8)
        genomes = jax.random.normal(jax.random.key(1), (64, search.spec.size))
        live = jax.jit(lambda genomes, key: search.evaluate(genomes, "train", 8, key=key)[0])
        contenders["lives"] = lambda: jax.block_until_ready(live(genomes, jax.random.key(2)))
    found = rounds_of(contenders, rounds)
    times = {"lives": 1, "block": BLOCK}
    return {name: seconds / times.get(name, many) for name, seconds in found.items()}


def worker(rounds: int, points: int) -> None:
    """Measure in this process, together with others if the environment says so; the first prints."""
    from evodev import devices

    devices.prepare_jax()
    devices.join()
    alone = len(devices.available()) == 1
    found = {"constants": constants(rounds), "generations": generations(rounds, points, wider=alone)}
    if devices.leads():
        print("RESULT " + json.dumps(found), flush=True)
    devices.leave()


def measured(processes: int, devices: int, rounds: int, points: int) -> dict[str, dict[str, float]]:
    """What the workers of a layout found; each has the cores of its devices to itself."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    started = []
    for number in range(processes):
        told = {"JAX_NUM_CPU_DEVICES": str(devices)}
        if processes > 1:
            told |= {"EVODEV_COORDINATOR": address, "EVODEV_PROCESSES": str(processes), "EVODEV_PROCESS": str(number)}
        cores = ",".join(str(number * devices + i) for i in range(devices))
        command = ["taskset", "-c", cores, sys.executable, "-m", "benchmarks.speed.scaling", "--worker"]
        command += ["--rounds", str(rounds), "--points", str(points)]
        started.append(subprocess.Popen(command, env=os.environ | told, stdout=subprocess.PIPE, text=True))
    try:
        said = started[0].communicate(timeout=900)[0]
        for process in started[1:]:
            process.communicate(timeout=60)
    finally:
        for process in started:
            process.kill()
    return json.loads(next(line for line in said.splitlines() if line.startswith("RESULT ")).removeprefix("RESULT "))


def main() -> None:
    """Measure, predict, and write benchmarks/results/speed/scaling.json and scaling.png."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="after the warm-up (default 5)")
    parser.add_argument("--points", type=int, default=len(GRID), help="of the table of populations and lives (default all)")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(options.rounds, options.points)
        return
    found = {name: measured(*layout, options.rounds, options.points) for name, layout in LAYOUTS.items()}
    from benchmarks.common import result_path, write_result
    from benchmarks.speed.scaling_rows import draw, rows_of

    rows = rows_of(found)
    for row in rows:
        print(f"{row['label']:62} {row.get('measured')}  {row.get('reference')}")
    budget = f"median of {options.rounds} rounds of {BLOCK} generations"
    write_result("speed", "scaling", rows, command=COMMAND, seeds=1, budget=budget, figure="scaling.png")
    draw(found, result_path("speed", "scaling").with_suffix(".png"))


if __name__ == "__main__":
    main()
