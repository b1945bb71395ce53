"""Answers of a population of HyperNEAT-sized networks: the library against a walk over nodes, as TensorNEAT documents it.

TensorNEAT (Wang et al. 2024, "Tensorized NeuroEvolution of Augmenting Topologies for GPU Acceleration", GECCO) holds a network
as an array of node attributes, an array of connection attributes, and an N x N matrix of which connection leads from one node
to another; a forward pass visits the nodes in topological order, one after the other, and vmap makes that a population and a
batch. ``walk`` is that, with a structure of its own and kind to it: inputs are not visited, nodes have nothing but a
bias and one activation, connections nothing but a weight, and sorting is not counted. ``walk_dense`` is kinder still: weights
stand in the N x N matrix itself, and nothing is looked up. Here a network is a matrix for each pair of populations. A network
of layers answers in one sweep; one in which hidden neurons may project to any other in as many sweeps as it is deep.

Networks: HyperNEAT substrates (the documentation's 4-5-5-5-1; N = 50 and N = 100 in layers; 121-121, the size of the visual
discrimination of Stanley et al. 2009), wired in full by the preset `hyperneat` from random genomes; and NEAT-like graphs of the
documentation's 50 nodes and 100 connections, and twice that, each with a topology of its own. Populations answer batches of 1,
16 and 64. Answers must agree to rounding or nothing is measured.

Target, set before the run: 10 times ``walk``. Graphs are told apart: sweeping them costs as often as they are deep what a walk
costs once.

    python -m benchmarks.speed.hyperneat [--repeats N]

Writes benchmarks/results/speed/hyperneat.json.
"""

import argparse
import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from benchmarks.common import write_result
from benchmarks.speed.turns import measure, ratio
from evodev.cli import prepare_jax
from evodev.decoders import DECODERS
from evodev.decoders.sparsity import AllSynapses
from evodev.network import Network, forward
from evodev.substrate import Population, Projection, Substrate, mlp
from evodev.types import Array, Float, Inputs, Int, Outputs, Vector

POPULATION = 1000
LAYERS = ((4, 5, 5, 5, 1), (16, 16, 16, 2), (32, 32, 32, 4), (121, 121))
GRAPHS = ((50, 100), (100, 200))
"""Nodes and connections."""
ENDS = (8, 2)
"""Inputs and outputs of a graph."""
BATCHES = (1, 16, 64)
TARGET = 10.0


class Graph(NamedTuple):
    """A network as nodes and connections, N nodes of which the inputs come first and the outputs last.

    ``index`` says which row of ``connections`` leads from one node to another: where none does the last, which weighs nothing.
    """

    order: Int[Array, " n"]
    nodes: Float[Array, "n attributes"]
    connections: Float[Array, "connections attributes"]
    index: Int[Array, "n n"]


def visited(inputs: Vector, graph: Graph, outputs: int, column: Callable[[Array], Vector]) -> Vector:
    """The outputs' values after every node has been visited in order; ``column`` gives the weights of all nodes to one."""
    count = len(graph.order)

    def visit(place: Array, values: Vector) -> Vector:
        node = graph.order[place]
        drive = (column(node) * values).sum() + graph.nodes[node, 0]
        return values.at[node].set(jnp.where(node >= count - outputs, drive, jnp.tanh(drive)))

    start = jnp.zeros(count).at[: len(inputs)].set(inputs)
    return jax.lax.fori_loop(len(inputs), count, visit, start)[-outputs:]


def walk(graph: Graph, inputs: Vector, outputs: int) -> Vector:
    """One network answers one input: at each node, the connections that lead there are looked up."""
    return visited(inputs, graph, outputs, lambda node: graph.connections[graph.index[:, node], 0])


def walk_dense(graph: Graph, weights: Float[Array, "n n"], inputs: Vector, outputs: int) -> Vector:
    """The same with nothing to look up: a column of the weights at each node."""
    return visited(inputs, graph, outputs, lambda node: weights[:, node])


def whole(substrate: Substrate, networks: Network) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights and masks (population, N, N) and biases (population, N), populations side by side in their order."""
    ends = np.cumsum([0, *(p.size for p in substrate.populations)])
    where = {p.name: slice(a, b) for p, a, b in zip(substrate.populations, ends, ends[1:], strict=False)}
    weights = np.zeros((POPULATION, ends[-1], ends[-1]), np.float32)
    masks = np.zeros_like(weights)
    for p in substrate.projections:
        weights[:, where[p.pre], where[p.post]] = networks.weights[p.name]
        masks[:, where[p.pre], where[p.post]] = networks.masks[p.name]
    return weights, masks, np.concatenate([networks.biases[p.name] for p in substrate.populations], axis=1)


def depths(masks: np.ndarray) -> np.ndarray:
    """Length of the longest path that leads to each node, (population, N); of graphs without circles."""
    deep = np.zeros(masks.shape[:2], np.int64)
    while True:
        deeper = (masks * (deep[:, :, None] + 1)).max(1).astype(np.int64)
        if (deeper == deep).all():
            return deep
        deep = deeper


def graphs(masks: np.ndarray, weights: np.ndarray, biases: np.ndarray, inputs: int, outputs: int) -> Graph:
    """The same networks as nodes and connections, with a leading axis of the population."""
    count = masks.shape[1]
    deep = depths(masks)
    deep[:, :inputs], deep[:, count - outputs :] = -1, count
    # as many rows for all: the connections of the network that has most, and one that weighs nothing
    rows = int(masks.sum((1, 2)).max())
    index = np.where(masks > 0, masks.reshape(POPULATION, -1).cumsum(1).reshape(masks.shape) - 1, rows).astype(np.int32)
    connections = np.zeros((POPULATION, rows + 1, 1), np.float32)
    who, pre, post = np.nonzero(masks)
    connections[who, index[who, pre, post], 0] = weights[who, pre, post]
    order = deep.argsort(1, kind="stable").astype(np.int32)
    return Graph(*(jnp.asarray(x) for x in (order, biases[..., None], connections, index)))


def layered(sizes: tuple[int, ...]) -> tuple[Substrate, Network]:
    """A population of HyperNEAT networks, wired from random genomes."""
    substrate, decoder = mlp(sizes, activation="tanh"), replace(DECODERS["hyperneat"], sparsity=AllSynapses())
    size = decoder.genome_spec(substrate).size
    genomes = jax.random.normal(jax.random.key(0), (POPULATION, size))
    return substrate, jax.jit(jax.vmap(lambda genome: decoder.grow(genome, substrate, key=jax.random.key(0))))(genomes)


def tangled(nodes: int, connections: int) -> tuple[Substrate, Network]:
    """A population of graphs without circles, each with a topology of its own, and the substrate that holds them all.

    Every node but the inputs is reached by a connection from an earlier one; the others join any earlier node to any later.
    """
    inputs, outputs = ENDS
    random = np.random.default_rng(0)
    earlier = np.triu(np.ones((nodes, nodes)), 1)
    earlier[:, :inputs] = 0
    earlier[nodes - outputs :] = 0
    masks = np.zeros((POPULATION, nodes, nodes), np.float32)
    inner = np.arange(inputs, nodes - outputs)
    for mask in masks:
        draw = random.random((nodes, nodes)) * earlier
        first = draw.argmax(0)[inputs:]
        draw[first, np.arange(inputs, nodes)] = 2.0
        mask.ravel()[draw.ravel().argsort()[-connections:]] = 1.0
        # numbered in any order, as they would be after some generations
        mixed = np.concatenate([np.arange(inputs), random.permutation(inner), np.arange(nodes - outputs, nodes)])
        mask[:] = mask[np.ix_(mixed, mixed)]
    weights = masks * random.normal(size=masks.shape).astype(np.float32)
    biases = random.normal(size=(POPULATION, nodes)).astype(np.float32)
    hidden = nodes - inputs - outputs
    ends = {"input": slice(0, inputs), "hidden": slice(inputs, inputs + hidden), "output": slice(inputs + hidden, nodes)}
    pairs = [("input", "hidden"), ("hidden", "hidden"), ("input", "output"), ("hidden", "output")]
    substrate = Substrate(
        tuple(Population(n, (s.stop - s.start,), activation="tanh" if n == "hidden" else "linear") for n, s in ends.items()),
        tuple(Projection(a, b) for a, b in pairs),
        ticks=max(2, int(depths(masks)[:, inner].max())),
    )

    def blocks(whole: np.ndarray) -> dict[str, Array]:
        return {f"{a}->{b}": jnp.asarray(whole[:, ends[a], ends[b]]) for a, b in pairs}

    alive = {name: jnp.ones((POPULATION, s.stop - s.start)) for name, s in ends.items()}
    own = {name: jnp.asarray(biases[:, s]) for name, s in ends.items()}
    return substrate, Network(blocks(weights), blocks(masks), {}, own, alive)


def answering(one: Callable[..., Outputs], *parts: Any) -> Callable[[Inputs], Outputs]:
    """Everyone's answers, (population, batch, outputs), the population divided among the cores."""
    mesh, each = Mesh(np.array(jax.local_devices()), ("devices",)), PartitionSpec("devices")
    many = jax.vmap(one, in_axes=(None, *(0 for _ in parts)))
    specs = (PartitionSpec(), *(each for _ in parts))
    run = jax.jit(jax.shard_map(many, mesh=mesh, in_specs=specs, out_specs=each, check_vma=False))
    placed = jax.device_put(parts, NamedSharding(mesh, each))
    return lambda inputs: jax.block_until_ready(run(inputs, *placed))


def contenders(substrate: Substrate, networks: Network) -> dict[str, Callable[[Inputs], Outputs]]:
    """The ways to have every network answer every input."""
    weights, masks, biases = whole(substrate, networks)
    own = graphs(masks, weights, biases, substrate.input.size, substrate.output.size)

    def each(one: Callable[..., Vector], inputs: Inputs, *parts: Any) -> Outputs:
        return jax.vmap(lambda x: one(*parts, x, substrate.output.size))(inputs)

    return {
        "evodev": answering(lambda inputs, network: forward(substrate, network, inputs), networks),
        "walk": answering(partial(each, walk), own),
        "walk, dense weights": answering(partial(each, walk_dense), own, jnp.asarray(weights)),
    }


class Race(NamedTuple):
    """One kind of network and one batch: who answers, and what is to be told of it."""

    label: str
    runs: dict[str, Callable[[], Outputs]]
    note: str


def extra(substrate: Substrate) -> str:
    """What sweeps cost beyond a walk, in words; nothing where one is enough."""
    if substrate.ticks == 1:
        return ""
    inputs, hidden, outputs = (p.size for p in substrate.populations)
    swept = substrate.ticks * hidden * (hidden + outputs) + inputs * (hidden + outputs)
    ratio = swept / ((hidden + outputs) * (inputs + hidden + outputs))
    return f"; {substrate.ticks} sweeps, {ratio:.0f} times the multiply-adds of the walk and {substrate.ticks} times its tanh"


def races(label: str, substrate: Substrate, networks: Network) -> list[Race]:
    """A race for each batch, every contender compiled.

    Raises:
        ValueError: if the answers differ.
    """
    ways, out = contenders(substrate, networks), []
    for batch in BATCHES:
        inputs = jax.random.normal(jax.random.key(1), (batch, substrate.input.size))
        runs = {name: partial(way, inputs) for name, way in ways.items()}
        answers = {name: np.asarray(run()) for name, run in runs.items()}
        largest = np.abs(answers["evodev"]).max()
        gap = max(float(np.abs(answer - answers["evodev"]).max() / largest) for answer in answers.values())
        if not gap < 1e-4:
            raise ValueError(f"{label}: answers differ by {gap} of the largest")
        note = f"answers within {gap:.0e} of the largest" + extra(substrate)
        out.append(Race(f"{label}, batch {batch}", runs, note))
    return out


def compare(race: Race, repeats: int) -> list[dict[str, Any]]:
    """Rows of one race."""
    seconds = measure(race.runs, repeats)
    said = ", ".join(f"{name} {1000 * float(np.median(times)):.3g} ms" for name, times in seconds.items())
    rows = []
    for rival, target in {"walk": TARGET, "walk, dense weights": None}.items():
        entry = ratio(f"{race.label}: evodev / {rival}", seconds[rival], seconds["evodev"], target=target)
        rows.append(entry | ({"note": f"{said}; {race.note}; {entry['note']}"} if target else {}))
    return rows


def main() -> None:
    """Measure and write benchmarks/results/speed/hyperneat.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5, help="rounds after the warm-up (default 5)")
    repeats = parser.parse_args().repeats
    # what else ran: the load of this machine before anything was started here
    load = os.getloadavg()[0]
    prepare_jax()
    prepared = [race for sizes in LAYERS for race in races("-".join(map(str, sizes)), *layered(sizes))]
    for nodes, connections in GRAPHS:
        prepared += races(f"graphs of {nodes} nodes, {connections} connections", *tangled(nodes, connections))
    rows = [row for race in prepared for row in compare(race, repeats)]
    for row in rows:
        print(f"{row['label']:75} {row['measured']:8.1f}x  {row['note']}")
    budget = f"{POPULATION} networks, {repeats} rounds; load before {load:.1f}"
    write_result("speed", "hyperneat", rows, command="python -m benchmarks.speed.hyperneat", seeds=1, budget=budget)


if __name__ == "__main__":
    main()
