"""How fast lives are lived: cache-sized chunks against one vmap, against torch, against the batched-matmul ceiling.

The same work in one process, the contenders taking turns: networks of 64-64-64-5, batches of five, twenty steps of plain
gradient descent at a rate for each projection; population x lives = 128 x 8. A life-step is one such step of one life.
Targets: twice as fast as one vmap, 2.5 times as fast as torch.func.vmap. The gradient in a matrix is taken sample by sample in
batches as small as these (``network.product``); the same lives with one matrix product for it are measured beside.

    python -m benchmarks.speed.life_loop [--repeats N]

Needs torch (CPU) beside the development extra; without it the rows of torch say so.
"""

import argparse
import os
import statistics
from collections.abc import Callable
from importlib import import_module
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from benchmarks.common import write_result
from benchmarks.speed.turns import measure, ratio
from evodev.baselines.random_networks import RandomNetwork
from evodev.chunks import Chunk, choose_chunk
from evodev.cli import prepare_jax
from evodev.decoders import DECODERS
from evodev.evaluation import live_subjects, sample_lives
from evodev.learners import Gradient
from evodev.network import Forward, Network
from evodev.organism import Organism
from evodev.substrate import mlp
from evodev.tasks import FewShotDigits
from evodev.types import Genes, Inputs, Key, Outputs

SIZES = (64, 64, 64, 5)
GENOMES, LIVES, STEPS, BATCH = 128, 8, 20, 5
LIFE_STEPS = GENOMES * LIVES * STEPS
RATE = 0.1


def newborn(network: Network, /, *, key: Key) -> tuple[Network, Genes]:
    """A network that is grown already, and equal rates everywhere."""
    return network, {
        f"{name}/log_rate": jnp.log(RATE) for name in (*network.weights, *(p.name for p in mlp(SIZES).populations[1:]))
    }


def one_product(network: Network, inputs: Inputs) -> Outputs:
    """The same forward pass, left to the compiler to differentiate."""
    x = inputs.reshape(len(inputs), -1)
    for p in mlp(SIZES).projections:
        x = (x @ network.weights[p.name] + network.biases[p.post]) * network.alive[p.post]
        x = x if p.post == "output" else jax.nn.relu(x)
    return x


def ours(chunk: Chunk | None, devices: int, forward: Forward | None = None) -> Callable[[], Any]:
    """The library's own evaluation on so many devices, at a chunk, or at the chunk that it chooses."""
    organism = Organism(mlp(SIZES), DECODERS["direct"], Gradient(forward=forward))
    task = FewShotDigits(canvas=8, shift=False, rotations=(0, 1, 2, 3), probes=1)
    chosen = chunk or choose_chunk(organism, task, subjects=GENOMES // devices, lives=LIVES)
    lives = sample_lives(task, "train", LIVES, key=jax.random.key(0))
    keys, random = jax.random.split(jax.random.key(1), GENOMES), RandomNetwork()
    genome = jnp.zeros(random.genome_spec(organism.substrate).size)
    networks = jax.vmap(lambda k: random.grow(genome, organism.substrate, key=k))(keys)
    return lambda: jax.block_until_ready(
        live_subjects(
            newborn, networks, organism.learner, organism.substrate, task, lives, (0, STEPS),
            key=keys[0], stochastic=False, chunk=chosen, devices=devices,
        ).loss
    )  # fmt: skip


def ceiling(chunk: int, *, by_sample: bool) -> Callable[[], Any]:
    """Only the batched matrix products that a life-step cannot do without, on fixed operands, chunk by chunk.

    The product with which weights are updated is one of matrices, or the sum of an outer product for each sample.
    """
    keys = jax.random.split(jax.random.key(0), 6)
    pairs = list(pairwise(SIZES))
    weights = [jax.random.normal(k, (GENOMES * LIVES, a, b)) / a for k, (a, b) in zip(keys, pairs, strict=False)]

    def gradient(activity: jax.Array, error: jax.Array) -> jax.Array:
        if by_sample:
            return sum((activity[:, b, :, None] * error[:, b, None, :] for b in range(BATCH)), jnp.zeros(()))
        return activity.swapaxes(-1, -2) @ error

    def step(carry: Any, _: None) -> tuple[Any, None]:
        x, ws = carry
        activity = [x]
        for w in ws:
            activity.append(activity[-1] @ w)
        error = activity[-1]
        updated = []
        for i in reversed(range(len(ws))):
            # added so that nothing is left out as unused; the addition is part of reading and writing weights once
            updated.append(ws[i] + 1e-6 * gradient(activity[i], error))
            if i:
                error = error @ ws[i].swapaxes(-1, -2)
        return (x, updated[::-1]), None

    def lives(block: list[jax.Array]) -> jax.Array:
        x = jnp.ones((chunk, BATCH, SIZES[0])) * 0.1
        (_, ws), _ = jax.lax.scan(step, (x, block), None, length=STEPS)
        return sum((w.sum() for w in ws), jnp.zeros(()))

    def share(ws: list[jax.Array]) -> jax.Array:
        return jax.lax.map(lives, [w.reshape(-1, chunk, *w.shape[1:]) for w in ws])

    mesh, spec = Mesh(np.array(jax.local_devices()), ("devices",)), PartitionSpec("devices")
    run = jax.jit(jax.shard_map(share, mesh=mesh, in_specs=(spec,), out_specs=spec, check_vma=False))
    return lambda: jax.block_until_ready(run(weights))


def torch_vmap() -> Callable[[], Any]:
    """The same lives by torch.func.vmap over grad, all together; its best of two ways to hold the weights."""
    # by name: a type checker would take the script beside this one for it
    torch: Any = import_module("torch")
    grad, vmap = torch.func.grad, torch.func.vmap

    torch.manual_seed(0)
    count = GENOMES * LIVES
    pairs = list(pairwise(SIZES))
    start = [torch.randn(count, a, b) * (2 / a) ** 0.5 for a, b in pairs]
    start += [torch.zeros(count, b) for _, b in pairs]
    inputs = torch.rand(STEPS, count, BATCH, SIZES[0])
    targets = torch.arange(BATCH).expand(count, BATCH)

    def loss(params: list[Any], x: Any, y: Any) -> Any:
        for i in range(len(pairs)):
            x = x @ params[i] + params[len(pairs) + i]
            if i < len(pairs) - 1:
                x = torch.relu(x)
        return torch.nn.functional.cross_entropy(x, y)

    gradients = vmap(grad(loss))

    def run() -> Any:
        params = start
        with torch.no_grad():
            for step in range(STEPS):
                params = [p - RATE * g for p, g in zip(params, gradients(params, inputs[step], targets), strict=True)]
        return params[0].sum().item()

    return run


def main() -> None:
    """Measure and write benchmarks/results/speed/life_loop.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15, help="rounds after the warm-up (default 15)")
    repeats = parser.parse_args().repeats
    prepare_jax()
    cores = jax.local_device_count()
    contenders = {"chunks": ours(None, cores), "one vmap": ours(Chunk(GENOMES, LIVES), 1)}
    contenders |= {f"chunks of {n}": ours(Chunk(max(1, n // LIVES), min(n, LIVES)), cores) for n in (8, 40, 160)}
    contenders["chunks, one product"] = ours(None, cores, one_product)
    for n in (16, 64):
        contenders[f"ceiling, one product, chunks of {n}"] = ceiling(n, by_sample=False)
        contenders[f"ceiling, chunks of {n}"] = ceiling(n, by_sample=True)
    try:
        contenders["torch.func.vmap"] = torch_vmap()
    except ImportError:
        print("torch is not installed: its row is left empty")
    seconds = measure(contenders, repeats)
    rate = {name: LIFE_STEPS / statistics.median(times) for name, times in seconds.items()}
    best_ceiling = max((name for name in rate if name.startswith("ceiling")), key=lambda name: rate[name])
    rows = [row(name, rate[name], seconds[name], unit="life-steps/s") for name in contenders]
    rows.append(ratio("chunks / one vmap", seconds["one vmap"], seconds["chunks"], target=2.0))
    if "torch.func.vmap" in seconds:
        rows.append(ratio("chunks / torch.func.vmap", seconds["torch.func.vmap"], seconds["chunks"], target=2.5))
    else:
        rows.append({"label": "chunks / torch.func.vmap", "measured": None, "unit": "x", "target": 2.5, "note": "torch missing"})
    rows.append(ratio("fraction of the batched-matmul ceiling", seconds[best_ceiling], seconds["chunks"], target=None))
    rows.append(ratio("sample by sample / one product", seconds["chunks, one product"], seconds["chunks"], target=None))
    bound = ratio("ceiling / one vmap", seconds["one vmap"], seconds[best_ceiling], target=None)
    rows.append(bound | {"note": "no arrangement of the same matrix products can be further ahead of one vmap; " + bound["note"]})
    for entry in rows:
        print(f"{entry['label']:45} {entry['measured']}")
    command = "python -m benchmarks.speed.life_loop"
    budget = f"{repeats} rounds of {LIFE_STEPS} life-steps; load average {os.getloadavg()[0]:.0f}"
    write_result("speed", "life_loop", rows, command=command, seeds=1, budget=budget)


def row(label: str, value: float, times: list[float], *, unit: str) -> dict[str, Any]:
    """A rate with the interquartile range of its rounds."""
    low, high = np.percentile(times, [25, 75])
    return {
        "label": label,
        "measured": value,
        "lo": LIFE_STEPS / high,
        "hi": LIFE_STEPS / low,
        "unit": unit,
        "note": "median, IQR",
    }


if __name__ == "__main__":
    main()
