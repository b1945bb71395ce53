"""Where a generation of the default preset goes, and how near it is to what the machine can do.

Few-shot digits as ``evodev search`` runs it: 64 genomes, 4 lives each, 140 images a life sent once through the grown network
(weights as kernels on a fixed basis), then 20 steps of storing and 8 probes. Targets on two cores: at least half the speed of
the matrix products of a generation alone, on fixed operands of the same shapes in the same chunks; strategy and bookkeeping
at most 5 % of a generation.

    python -m benchmarks.speed.default [--repeats N]

The parts of a generation are differences between programs that leave one thing after the other out. Two ceilings are measured
beside them: the products alone, and memory read and written in a stream. Rows on precision and on chunks say what other
choices cost. All contenders take turns; medians.
"""

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from benchmarks.common import write_result
from benchmarks.speed.turns import measure
from evodev.chunks import Chunk
from evodev.cli import prepare_jax
from evodev.evaluation import evaluate_organism, sample_lives
from evodev.learners import Episodic
from evodev.lifetime import LifetimeLog
from evodev.network import Network
from evodev.organism import Organism
from evodev.presets import preset
from evodev.search import Search
from evodev.substrate import Substrate
from evodev.types import Array, Genes, Inputs, Key, Outputs, Targets

BLOCK = 10
Run = Callable[[], Any]


@dataclass(frozen=True)
class Still(Episodic):
    """Perceives, and then learns nothing; its answers are there only to make use of what it saw."""

    def step(self, genes: Genes, state: Any, inputs: Inputs, targets: Targets, substrate: Substrate, *, key: Key) -> Any:
        return state

    def predict(self, genes: Genes, state: Any, inputs: Inputs, substrate: Substrate) -> Outputs:
        return inputs.sum(1, keepdims=True) * jnp.ones(substrate.output.size)


@dataclass(frozen=True)
class Blind(Still):
    """Does not even perceive; the grown weights are added up, so that they are still grown."""

    def perceive(self, network: Network, inputs: Inputs, substrate: Substrate) -> Array:
        seen = jax.eval_shape(lambda: Episodic.perceive(self, network, inputs, substrate))
        return jnp.full(seen.shape, sum(leaf.sum() for leaf in jax.tree.leaves(network.weights)))


class Idle(Search):
    """A search whose lives are not lived: what is left is strategy and bookkeeping."""

    def _lived(self, genomes: Array, split: Any, lives: int, *, key: Key) -> LifetimeLog:
        one = jnp.broadcast_to(genomes.sum(1)[:, None], (len(genomes), lives))
        curve = jnp.broadcast_to(one[..., None], (*one.shape, len(self.probe_steps)))
        return LifetimeLog(curve, curve, one, one, one > np.inf)


def product_shapes(search: Search) -> dict[str, tuple[int, ...]]:
    """Matrix products of one life, by what they do: (how many alike, rows, inner, columns).

    Mixing the positions of the inputs is left out: it is the same for all genomes, and compiled out of their loop.
    """
    life = jax.eval_shape(lambda: search.task.sample("train", key=jax.random.key(0)))
    probed = life.probe_inputs.shape[0]
    samples = search.task.steps * search.task.batch + probed
    genome = jnp.zeros(search.spec.size)
    network = jax.eval_shape(lambda: search.organism.hatch(genome, key=jax.random.key(0)))[0]
    edges, parts, pooled = (network.weights[p.name] for p in search.organism.substrate.projections[:3])
    (here, there, waves), (types, onto, _) = parts.basis.shape, parts.kernels.shape
    pre, post, kinds = pooled.strengths.shape
    features, capacity, probes = post * kinds, Episodic().capacity, len(search.probe_steps)
    return {
        "edges: types": (1, samples * here, edges.basis.shape[2], types),
        "parts: positions": (1, there * waves, here, samples * types),
        "parts: types": (1, samples * there, types * waves, onto),
        "pooled": (kinds, post, pre, samples),
        "probes: likeness": (probes, probed, features, capacity),
        "probes: answers": (probes, probed, capacity, search.task.outputs),
    }


def products(search: Search, shapes: dict[str, tuple[int, ...]]) -> Run:
    """Nothing but the products of a generation, chunk by chunk, each core its share."""
    together = search.chunk.subjects * search.chunk.lives
    turns = search.population * search.schedule.lives // together
    keys = iter(jax.random.split(jax.random.key(0), 2 * len(shapes)))
    operands = [
        (jax.random.normal(next(keys), (together * n, a, b)), jax.random.normal(next(keys), (together * n, b, c)))
        for n, a, b, c in shapes.values()
    ]

    def turn(_: None, number: Array) -> tuple[None, Array]:
        # the operands differ from turn to turn, so that no product is worked out once for all turns
        return None, jnp.stack([(left @ (right * (1.0 + number)))[0, 0, 0] for left, right in operands])

    def share(numbers: Array) -> Array:
        return jax.lax.scan(turn, None, numbers)[1]

    return spread(share, jnp.arange(turns, dtype=jnp.float32))


def spread(function: Callable[[Array], Array], xs: Array) -> Run:
    """A compiled run of a function of a share of ``xs`` on every core."""
    spec = PartitionSpec("devices")
    mesh = Mesh(np.array(jax.local_devices()), ("devices",))
    run = jax.jit(jax.shard_map(function, mesh=mesh, in_specs=(spec,), out_specs=spec, check_vma=False))
    return lambda: jax.block_until_ready(run(xs))


def lived(search: Search, *, learner: Any = None, schedule: tuple[int, ...] | None = None, chunk: Chunk | None = None) -> Run:
    """The lives of a generation, with another learner, another schedule of probes, or in other chunks."""
    organism = replace(search.organism, learner=learner or search.organism.learner)
    genomes = search.spec.init(key=jax.random.key(0)) + 0.1 * jax.random.normal(
        jax.random.key(1), (search.population, search.spec.size)
    )
    lives = sample_lives(search.task, "train", search.schedule.lives, key=jax.random.key(2))
    steps = search.probe_steps if schedule is None else schedule

    def run(genomes: Array) -> LifetimeLog:
        return evaluate_organism(
            organism,
            genomes,
            search.task,
            lives,
            steps,
            key=jax.random.key(3),
            chunk=chunk or search.chunk,
            devices=search.devices,
        )

    compiled = jax.jit(run)
    return lambda: jax.block_until_ready(compiled(genomes))


def generations(search: Search, block: int) -> Run:
    """A block of a search, from its start, as the command line runs it."""
    own = type(search)(
        search.organism, search.task, search.strategy, replace(search.schedule, block=block), fitness=search.fitness
    )
    start = jax.device_get(own.start())
    return lambda: own.advance(jax.tree.map(jnp.asarray, start))[1]


def main() -> None:
    """Measure and write benchmarks/results/speed/default.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7, help="rounds after the warm-up (default 7)")
    repeats = parser.parse_args().repeats
    prepare_jax()
    made = preset("few-shot-digits")
    parts = (Organism(made.substrate, made.decoder, made.learner), made.task, made.strategy)
    schedule = replace(made.schedule, block=BLOCK)
    search, idle = Search(*parts, schedule), Idle(*parts, schedule)
    shapes = product_shapes(search)
    everyone = search.population * search.schedule.lives
    flops = {name: 2.0 * np.prod(shape) for name, shape in shapes.items()}
    megabytes = 64
    stream = jnp.ones(megabytes * 2**20 // 4)
    last = (made.task.steps,)
    contenders: dict[str, Run] = {
        "block": generations(search, BLOCK),
        "lives": lived(search),
        "one probe": lived(search, schedule=last),
        "no steps": lived(search, learner=Still(), schedule=last),
        "no perceiving": lived(search, learner=Blind(), schedule=last),
        "products": products(search, shapes),
        "stream": spread(lambda x: x * 1.5 + 1.0, stream),
    }
    contenders |= {f"idle block of {n}": generations(idle, n) for n in (1, 10, 50)}
    contenders |= {f"chunk {n}": lived(search, chunk=Chunk(n, schedule.lives)) for n in (1, 2, 4, 8, 32)}
    with jax.default_matmul_precision("bfloat16"):
        contenders["bfloat16"] = lived(search)
        contenders["bfloat16"]()
    seconds = {name: np.array(times) for name, times in measure(contenders, repeats).items()}
    generation = seconds["block"] / BLOCK
    strategy = seconds[f"idle block of {BLOCK}"] / BLOCK
    parts_of = {
        "strategy, drawing of lives, bookkeeping": strategy,
        "validation (2 genomes x 64 lives each block)": generation - seconds["lives"] - strategy,
        "development": seconds["no perceiving"],
        "perceiving": seconds["no steps"] - seconds["no perceiving"],
        "life loop, and one probe": seconds["one probe"] - seconds["no steps"],
        "the other probes": seconds["lives"] - seconds["one probe"],
    }
    rows = [row("generation", 1e3 * generation, "ms", f"{everyone} lives, a tenth of a block of {BLOCK} with its validation")]
    rows += [row(f"share: {name}", times / generation, "of a generation", "") for name, times in parts_of.items()]
    rows.append(
        row(
            "strategy and bookkeeping", strategy / generation, "of a generation", "", target=0.05, met=lambda value: value <= 0.05
        )
    )
    for name, count in flops.items():
        n, a, b, c = shapes[name]
        moved = 4 * n * (a * b + b * c + a * c)
        rows.append(
            fact(
                f"arithmetic of a life: {name}",
                count / 1e6,
                "MFlop",
                f"{n} x [{a}, {b}] @ [{b}, {c}], {count / moved:.1f} Flop/byte",
            )
        )
    total = everyone * sum(flops.values())
    rows.append(
        row("ceiling: products of a generation alone", 1e-9 * total / seconds["products"], "GFlop/s", "same chunks, both cores")
    )
    rows.append(row("ceiling: memory", 1e-9 * 2 * stream.nbytes / seconds["stream"], "GB/s", f"{megabytes} MiB read and written"))
    rows.append(row("reached: products within a generation", 1e-9 * total / generation, "GFlop/s", ""))
    rows.append(
        row("fraction of the ceiling, lives", seconds["products"] / seconds["lives"], "x", "without strategy and validation")
    )
    share = row(
        "fraction of the ceiling, generation",
        seconds["products"] / generation,
        "x",
        "",
        target=0.5,
        met=lambda value: value >= 0.5,
    )
    rows.append(share)
    for n in (1, 10, 50):
        rows.append(row(f"dispatch, blocks of {n}", 1e3 * seconds[f"idle block of {n}"] / n, "ms/generation", "lives not lived"))
    rows += [
        row(f"chunk of {n} genomes", everyone / seconds[f"chunk {n}"], "lives/s", "chosen" if n == search.chunk.subjects else "")
        for n in (1, 2, 4, 8, 32)
    ]
    rows.append(row("bfloat16 products / float32", seconds["lives"] / seconds["bfloat16"], "x", agreement(contenders)))
    for entry in rows:
        print(f"{entry['label']:50} {entry['measured']:10.4g} {entry['unit']:16} {entry.get('note', '')}")
    budget = f"{repeats} rounds; a block is {BLOCK} generations of {everyone} lives; load average {os.getloadavg()[0]:.0f}"
    write_result("speed", "default", rows, command="python -m benchmarks.speed.default", seeds=1, budget=budget)


def agreement(contenders: dict[str, Run]) -> str:
    """How far the losses of lives move when products are asked for in lower precision."""
    apart = jnp.abs(contenders["bfloat16"]().loss - contenders["lives"]().loss).max()
    return f"losses at most {float(apart):.2g} apart; a CPU may ignore what was asked for"


def row(
    label: str,
    values: np.ndarray,
    unit: str,
    note: str,
    *,
    target: float | None = None,
    met: Callable[[float], bool] | None = None,
) -> dict[str, Any]:
    """A measurement: median and interquartile range over the rounds."""
    low, value, high = (float(q) for q in np.percentile(values, [25, 50, 75]))
    reached = None if met is None else met(value)
    return {
        "label": label,
        "measured": value,
        "lo": low,
        "hi": high,
        "unit": unit,
        "target": target,
        "met": reached,
        "note": note,
    }


def fact(label: str, value: float, unit: str, note: str) -> dict[str, Any]:
    """A number that was counted, not timed."""
    return {"label": label, "measured": float(value), "unit": unit, "note": note}


if __name__ == "__main__":
    main()
