"""What an accelerator makes of it: ceilings, the default preset, the fused kernel, many lives, and lower precision.

Networks of 64-64-64-5 learn few-shot digits by plain gradient descent: batches of five, twenty steps, eight lives a genome, 40
probe examples at nine probes. A life-step is one step of one life. Both ceilings are measured in the same run: bytes per second
of reading one large array and writing another, and operations per second of one large matrix product, at each precision.
Contenders take turns; a rate is the median of the rounds.

Expected, before any run: the plain program moves about seven times the weights a life-step (``evodev/fused.py``), so that memory
binds it, near 14 million life-steps/s at 3.35 TB/s; the fused kernel should be 3 times faster at 8,192 lives or more (the target)
and be bound by how soon one small matrix product can follow the other. Rates grow with the lives until some 10,000, and are
level from there to a million (target: within 20%). Half of the memory ceiling for the plain program is aimed at.

    python -m benchmarks.speed.gpu [--smoke]

Without an accelerator nothing is measured and every row says so; all parts are run at the smallest sizes, so that it is known
that they do. ``--smoke`` does that on any machine and writes nothing. Stays under nine minutes: what is left then is skipped.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure

from benchmarks.common import result_path, write_result
from benchmarks.speed.turns import measure
from evodev.baselines.random_networks import RandomNetwork
from evodev.chunks import Chunk, choose_chunk
from evodev.cli import prepare_jax
from evodev.evaluation import live_subjects, sample_lives
from evodev.fused import Kernel
from evodev.learners import Gradient
from evodev.lifetime import probe_steps
from evodev.network import Network
from evodev.organism import Organism
from evodev.presets import preset
from evodev.substrate import Substrate, mlp
from evodev.tasks import FewShotDigits, Task
from evodev.types import Genes, Key

COMMAND = "python -m benchmarks.speed.gpu"
SECONDS = 8 * 60
PRECISIONS = {"float32": "float32", "tf32": "tensorfloat32", "bf16": "BF16_BF16_F32"}
KERNELS: tuple[Kernel, ...] = ("plain", "fused")
LIVES = 8
RATE = 0.1


@dataclass(frozen=True)
class Size:
    """How large everything is.

    ``lives`` are those of the scaling, ``compared`` those at which precisions are compared, ``matrix`` the side of the large
    matrix product, ``array`` the numbers that the memory ceiling reads.
    """

    network: tuple[int, ...]
    lives: tuple[int, ...]
    compared: int
    population: int
    matrix: int
    array: int
    rounds: int


FULL = Size((64, 64, 64, 5), (100, 1_000, 8_192, 100_000, 1_000_000), 8_192, 1_024, 8_192, 1 << 28, 5)
SMOKE = Size((64, 6, 5), (4,), 4, 2, 16, 1 << 10, 1)


@dataclass(frozen=True)
class Newborn:
    """A random network, and equal rates everywhere, of a key."""

    substrate: Substrate

    def __call__(self, subject: Key, /, *, key: Key) -> tuple[Network, Genes]:
        random = RandomNetwork()
        genome = jnp.zeros(random.genome_spec(self.substrate).size)
        genes = Gradient().genome_spec(self.substrate)
        return random.grow(genome, self.substrate, key=subject), genes.unpack(jnp.full(genes.size, jnp.log(RATE)))


def living(size: Size, count: int, kernel: Kernel) -> Callable[[], jax.Array]:
    """So many lives by a kernel; the losses at their ends."""
    organism = Organism(mlp(size.network), RandomNetwork(), Gradient(log_rate=0.0, spread=1.0))
    task: Task = FewShotDigits(canvas=8, shift=False, rotations=(0, 1, 2, 3))
    lives, genomes = min(count, LIVES), max(1, count // LIVES)
    chunk = choose_chunk(organism, task, subjects=genomes, lives=lives)
    worlds = sample_lives(task, "train", lives, key=jax.random.key(0))
    keys, newborn = jax.random.split(jax.random.key(1), genomes), Newborn(organism.substrate)
    return lambda: jax.block_until_ready(
        live_subjects(
            newborn, keys, organism.learner, organism.substrate, task, worlds, probe_steps(task.steps),
            key=jax.random.key(2), stochastic=False, chunk=chunk, kernel=kernel,
        ).loss[..., -1]
    )  # fmt: skip


def steps_of(count: int) -> int:
    """Life-steps of so many lives."""
    return min(count, LIVES) * max(1, count // LIVES) * FewShotDigits().steps


def memory(size: Size) -> Callable[[], Any]:
    """One large array read and another written."""
    array = jnp.ones(size.array)
    run = jax.jit(lambda x: 1.5 * x + 1.0)
    return lambda: jax.block_until_ready(run(array))


def arithmetic(size: Size) -> Callable[[], Any]:
    """One large matrix product."""
    matrix = jnp.ones((size.matrix, size.matrix))
    run = jax.jit(lambda x: x @ x)
    return lambda: jax.block_until_ready(run(matrix))


class Rows:
    """The rows of the result, and the time that is left for them."""

    def __init__(self, reason: str | None) -> None:
        self.reason, self.rows, self.began = reason, [], time.perf_counter()

    def add(self, label: str, value: float | None, unit: str, *, target: float | None = None, note: str = "") -> None:
        """A row; without a measurement if there is no accelerator."""
        value, note = (None, self.reason) if self.reason else (value, note)
        met = None if target is None or value is None else value >= target
        self.rows.append({"label": label, "measured": value, "unit": unit, "target": target, "met": met, "note": note})
        print(f"{label:70} {value if value is None else f'{value:,.4g}'} {unit}  {note}", flush=True)

    def tried(self, label: str, unit: str, run: Callable[[], float]) -> float | None:
        """Add what a run returns; what fails or comes too late is a row with the reason."""
        if self.reason is None and time.perf_counter() - self.began > SECONDS:
            self.add(label, None, unit, note=f"skipped after {SECONDS} s")
            return None
        try:
            value = run()
        # too much memory, a precision that the device has not, or what jax says of a kernel that it cannot lower there
        except (jax.errors.JaxRuntimeError, NotImplementedError, ValueError) as error:
            if self.reason:
                raise
            self.add(label, None, unit, note=f"{type(error).__name__}: {str(error).splitlines()[0][:200]}")
            return None
        self.add(label, value, unit)
        return value


def seconds(run: Callable[[], Any], rounds: int) -> float:
    """Median of the rounds after one that warms up."""
    return statistics.median(measure({"": run}, rounds)[""])


def ceilings(rows: Rows, size: Size) -> tuple[float, dict[str, float]]:
    """Bytes per second, and operations per second by precision; infinite where not measured."""
    moved = rows.tried("memory ceiling", "B/s", lambda: 8 * size.array / seconds(memory(size), size.rounds))
    flops = {}
    for name, precision in PRECISIONS.items():
        with jax.default_matmul_precision(precision):
            rate = rows.tried(
                f"arithmetic ceiling, {name}", "op/s", lambda: 2 * size.matrix**3 / seconds(arithmetic(size), size.rounds)
            )
        flops[name] = rate or np.inf
    return moved or np.inf, flops


def default_preset(rows: Rows, size: Size, bytes_ceiling: float, ceiling: float) -> None:
    """Life-steps of the default preset, and what XLA counts of it against the ceilings."""
    experiment = preset("few-shot-digits")
    organism, task, lives = experiment.organism, experiment.task, experiment.schedule.lives
    chunk = choose_chunk(organism, task, subjects=size.population, lives=lives)
    genomes = jax.random.normal(jax.random.key(0), (size.population, organism.genome_spec.size))
    worlds = sample_lives(task, "train", lives, key=jax.random.key(1))

    def call(chunk: Chunk) -> tuple[tuple[Any, ...], dict[str, Any]]:
        given = (organism.hatch, genomes, organism.learner, organism.substrate, task, worlds, probe_steps(task.steps))
        return given, {"key": jax.random.key(2), "stochastic": organism.decoder.stochastic, "chunk": chunk}

    given, named = call(chunk)
    took: list[float] = []

    def rate() -> float:
        took.append(seconds(lambda: jax.block_until_ready(live_subjects(*given, **named).loss), size.rounds))
        return size.population * lives * task.steps / took[0]

    if rows.tried(f"default preset, {size.population} genomes", "life-steps/s", rate) is None:
        return
    # counted for one chunk: XLA counts the body of a loop once, and the loop over chunks would hide the rest
    given, named = call(Chunk(size.population, lives))
    cost = live_subjects.lower(*given, **named).cost_analysis() or {}
    share = {"arithmetic": ("flops", ceiling), "memory": ("bytes accessed", bytes_ceiling)}
    for name, (field, limit) in share.items():
        count = float(cost.get(field, np.nan))
        note = "operations as XLA counts them before it fuses, the steps of the read-out once: bytes are an upper bound"
        rows.add(f"default preset, fraction of the {name} ceiling", count / took[0] / limit, "", note=note)


def scaling(rows: Rows, size: Size, bytes_ceiling: float) -> dict[Kernel, dict[int, float]]:
    """Life-steps per second by kernel and lives."""
    weights = sum(a * b for a, b in zip(size.network[:-1], size.network[1:], strict=True))
    rates: dict[Kernel, dict[int, float]] = {kernel: {} for kernel in KERNELS}
    for count in size.lives:
        for kernel in KERNELS:
            rate = rows.tried(
                f"{kernel}, {count:,} lives", "life-steps/s",
                lambda count=count, kernel=kernel: steps_of(count) / seconds(living(size, count, kernel), size.rounds),
            )  # fmt: skip
            if rate is not None:
                rates[kernel][count] = rate
        if all(count in rates[kernel] for kernel in KERNELS):
            target = 3.0 if count >= 8_192 else None
            rows.add(f"fused / plain, {count:,} lives", rates["fused"][count] / rates["plain"][count], "x", target=target)
    if plain := rates["plain"]:
        share = max(plain.values()) * 7 * 4 * weights / bytes_ceiling
        rows.add("plain, fraction of the memory ceiling", share, "", target=0.5, note="at seven times the weights a life-step")
    for kernel, own in rates.items():
        level = [own[count] for count in size.lives if count >= 8_192 and count in own]
        if level:
            rows.add(f"{kernel}, rate at most lives against the best", level[-1] / max(level), "", target=0.8)
    return rates


def precisions(rows: Rows, size: Size) -> None:
    """Life-steps per second by kernel and precision, and how far losses move."""
    exact: dict[Kernel, jax.Array] = {}
    for name, precision in PRECISIONS.items():
        for kernel in KERNELS:
            with jax.default_matmul_precision(precision):
                run = living(size, size.compared, kernel)
                rate = rows.tried(
                    f"{kernel}, {size.compared:,} lives, {name}", "life-steps/s",
                    lambda run=run: steps_of(size.compared) / seconds(run, size.rounds),
                )  # fmt: skip
                losses = None if rate is None else run()
            if losses is not None:
                first = exact.setdefault(kernel, losses)
                note = "mean over lives of the absolute difference at the end of life"
                rows.add(f"{kernel}, {name}, loss off that in float32", float(jnp.abs(losses - first).mean()), "nats", note=note)


def picture(rates: dict[Kernel, dict[int, float]]) -> Figure:
    """Rates against lives."""
    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.subplots()
    for kernel, own in rates.items():
        axes.loglog(list(own), list(own.values()), marker="o", label=kernel)
    axes.set(xlabel="lives", ylabel="life-steps/s")
    axes.legend(frameon=False)
    return figure


def main() -> None:
    """Measure on an accelerator, or run every part at the smallest size, and write benchmarks/results/speed/gpu.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true", help="smallest sizes, nothing written")
    smoke = parser.parse_args().smoke
    prepare_jax()
    reason = None if jax.default_backend() != "cpu" else "no accelerator here: every part was run at the smallest size, on a CPU"
    reason = "smoke" if smoke else reason
    size, rows = FULL if reason is None else SMOKE, Rows(reason)
    bytes_ceiling, flops = ceilings(rows, size)
    default_preset(rows, size, bytes_ceiling, flops["tf32"])
    rates = scaling(rows, size, bytes_ceiling)
    precisions(rows, size)
    figure, path = picture(rates), result_path("speed", "gpu").with_suffix(".png")
    if smoke:
        return
    if reason is None:
        figure.savefig(path, dpi=150)
    budget = f"{size.rounds} rounds, {SECONDS} s in all"
    drawn = None if reason else path.name
    write_result("speed", "gpu", rows.rows, command=COMMAND, seeds=1, budget=budget, figure=drawn)


if __name__ == "__main__":
    main()
