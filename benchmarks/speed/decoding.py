"""How fast decoders grow a 784-800-10 network: G-net in tiles, bilinear wiring against its bare matrix products.

A G-net asks a small network about every pair of neurons: for 1,000 genomes at once the hidden layers of that table are 75 GB.
Here genomes are grown one after the other, and large projections in tiles; each network answers an image and is forgotten.
The peak is of the whole process. Seconds are those of the processor, so that other work on the machine does not count.

    python -m benchmarks.speed.decoding [--networks N] [--repeats N]
"""

import argparse
import resource
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.common import write_result
from benchmarks.speed.turns import measure
from evodev.chunks import chunked
from evodev.decoders import DECODERS, Decoder
from evodev.decoders.cells.gaussians import SpatialGaussians
from evodev.decoders.sparsity import AllSynapses
from evodev.decoders.wiring import pairwise
from evodev.decoders.wiring.bilinear import Bilinear
from evodev.network import forward
from evodev.substrate import Population, Projection, Substrate
from evodev.types import Array, Genome, Genomes, Outputs

SUBSTRATE = Substrate(
    (
        Population("input", (28, 28), activation="linear"),
        Population("hidden", (800,)),
        Population("output", (10,), activation="linear"),
    ),
    (Projection("input", "hidden"), Projection("hidden", "output")),
)
GIB = 1024**3
TILES = (1 << 13, 1 << 15, 1 << 17, 1 << 30)
"""The last one holds a projection whole."""


def genomes(decoder: Decoder, count: int) -> Genomes:
    """Random genomes."""
    return jax.random.normal(jax.random.key(0), (count, decoder.genome_spec(SUBSTRATE).size))


def grown(decoder: Decoder, many: Genomes) -> Outputs:
    """What the network of every genome answers to one image, genome after genome; (population, outputs)."""

    def one(genome: Genome) -> Array:
        network = decoder.grow(genome, SUBSTRATE, key=jax.random.key(0))
        return forward(SUBSTRATE, network, jnp.ones((1, 784)))[0]

    return chunked(one, many, 1)


def weights(decoder: Decoder, many: Genomes) -> dict[str, Array]:
    """The weights of every genome's network."""
    return chunked(lambda genome: decoder.grow(genome, SUBSTRATE, key=jax.random.key(0)).weights, many, 1)


def products(states: dict[str, Array], rules: dict[str, Array]) -> dict[str, Array]:
    """Only X O Y^T, of operands that are there already; all with a leading axis of genomes."""

    def one(parts: tuple[dict[str, Array], dict[str, Array]]) -> dict[str, Array]:
        x, o = parts
        return {p.name: x[p.pre] @ o[p.name] @ x[p.post].T for p in SUBSTRATE.projections}

    return chunked(one, (states, rules), 1)


def rounds(contenders: dict[str, Callable[[], Any]], repeats: int) -> dict[str, np.ndarray]:
    """Processor seconds of each contender in every round."""

    def done(run: Callable[[], Any]) -> Callable[[], Any]:
        return lambda: jax.block_until_ready(run())

    seconds = measure({name: done(run) for name, run in contenders.items()}, repeats, time.process_time)
    return {name: np.array(times) for name, times in seconds.items()}


def bilinear(genes: int, count: int) -> dict[str, Callable[[], Any]]:
    """Networks grown by a bilinear decoder, and the products alone."""
    decoder = Decoder(SpatialGaussians(genes), Bilinear(), AllSynapses())
    many = genomes(decoder, count)
    keys = jax.random.split(jax.random.key(1), 5)
    states = {p.name: jax.random.normal(k, (count, p.size, genes)) for k, p in zip(keys, SUBSTRATE.populations, strict=False)}
    rules = {p.name: jax.random.normal(k, (count, genes, genes)) for k, p in zip(keys[3:], SUBSTRATE.projections, strict=True)}
    grow, bare = jax.jit(partial(weights, decoder)), jax.jit(products)
    return {f"{genes} genes": lambda: grow(many), f"{genes} genes, bare": lambda: bare(states, rules)}


def row(label: str, values: np.ndarray, **rest: Any) -> dict[str, Any]:
    """Median with the interquartile range."""
    low, middle, high = np.percentile(values, [25, 50, 75])
    return {"label": label, "measured": float(middle), "lo": float(low), "hi": float(high), "note": "median, IQR"} | rest


def ratio(label: str, slow: np.ndarray, fast: np.ndarray, target: float | None = None) -> dict[str, Any]:
    """Median of the round-by-round ratios, which a slow moment of the machine leaves alone; met from the target down."""
    met = None if target is None else bool(np.median(slow / fast) <= target)
    return row(label, slow / fast, unit="x", target=target, met=met, note="median and IQR of ratios within a round")


def tiles(repeats: int) -> list[dict[str, Any]]:
    """Growing, and growing with the gradient of a weight error, at several sizes of the tile."""
    decoder = replace(DECODERS["gnet"], sparsity=AllSynapses())
    genome = genomes(decoder, 1)
    contenders: dict[str, Callable[[], Any]] = {}
    default = pairwise.TILE
    for tile in TILES:
        pairwise.TILE = tile  # read while tracing
        for name, function in (
            ("grown", partial(grown, decoder)),
            ("with gradient", jax.grad(lambda g: (weights(decoder, g)["input->hidden"] ** 2).mean())),
        ):
            compiled = jax.jit(function).lower(genome).compile()
            contenders[f"{name}, tiles of {tile:,} pairs"] = partial(compiled, genome)
    pairwise.TILE = default
    seconds = rounds(contenders, repeats)
    return [
        row(name.replace(f"{1 << 30:,} pairs", "all pairs"), 1e3 * s, unit="ms a network") for name, s in sorted(seconds.items())
    ]


def main() -> None:
    """Measure and write benchmarks/results/speed/decoding.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=1000, help="networks that G-net grows (default 1000)")
    parser.add_argument("--repeats", type=int, default=9, help="rounds after the warm-up (default 9)")
    options = parser.parse_args()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    run = jax.jit(partial(grown, DECODERS["gnet"])).lower(many := genomes(DECODERS["gnet"], options.networks)).compile()
    began = time.process_time()
    answers = jax.block_until_ready(run(many))
    seconds = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    assert bool(jnp.isfinite(answers).all())
    rows: list[dict[str, Any]] = [
        {"label": f"G-net (preset), {options.networks:,} networks: peak memory of the process", "measured": peak / GIB,
         "unit": "GiB", "target": 24, "met": peak < 24 * GIB, "note": f"{before / GIB:.2f} GiB before"},
        {"label": "G-net (preset), networks grown and asked", "measured": options.networks / seconds, "unit": "networks/s",
         "note": f"{seconds:.0f} s of one processor for all"},
    ]  # fmt: skip
    rows += tiles(options.repeats)
    for genes in (16, 64):
        s = rounds(bilinear(genes, 16), options.repeats)
        name = f"{genes} genes"
        rows.append(row(f"bilinear, {name}", 1e3 * s[name] / 16, unit="ms a network"))
        rows.append(ratio(f"bilinear, {name}: grown / bare matrix products", s[name], s[f"{name}, bare"], 2.0))
    for entry in rows:
        print(f"{entry['label']:70} {entry['measured']:.3g} {entry.get('unit')}")
    command = "python -m benchmarks.speed.decoding"
    budget = f"784-800-10; {options.repeats} rounds, {options.networks:,} networks once"
    write_result("speed", "decoding", rows, command=command, seeds=1, budget=budget)


if __name__ == "__main__":
    main()
