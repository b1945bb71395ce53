"""Growth from one cell by division and message passing: NDP (Najarro, Sudhakaran, Risi 2023, arXiv 2307.08197)."""

import math
from dataclasses import dataclass, replace
from itertools import pairwise

import jax
import jax.numpy as jnp
from flax import struct

from evodev.decoders.base import Cells, Tissue
from evodev.genome import Gene, GenomeSpec, spec_of
from evodev.substrate import Substrate
from evodev.types import Array, Count, Float, Genes, Key, Matrix, Vector


@struct.dataclass
class Embryo:
    """Cells in the order of their birth: a slot for every one that could ever be, the first ``count`` of them taken.

    ``births`` are the states at birth. ``graph`` is symmetric, with zeros on its diagonal.
    """

    births: Float[Array, "n genes"]
    states: Float[Array, "n genes"]
    graph: Matrix
    count: Count

    @property
    def alive(self) -> Vector:
        """Which slots are taken."""
        return (jnp.arange(len(self.states)) < self.count).astype(jnp.float32)


def _mlp(genes: Genes, name: str, x: Float[Array, "n inputs"]) -> Float[Array, "n outputs"]:
    hidden = jnp.tanh(x @ genes[f"{name}/layer0"] + genes[f"{name}/offset0"])
    return hidden @ genes[f"{name}/layer1"]


def talk(genes: Genes, embryo: Embryo) -> Embryo:
    """One message: a cell's next state is tanh(state at birth + MLP(mean state of its neighbours))."""
    heard = embryo.graph @ embryo.states / jnp.maximum(embryo.graph.sum(1, keepdims=True), 1.0)
    states = jnp.tanh(embryo.births + _mlp(genes, "message", heard) + genes["message/offset1"]) * embryo.alive[:, None]
    return replace(embryo, states=states)


def divide(embryo: Embryo, urge: Vector, eagerness: Array) -> Embryo:
    """Cells whose urge plus ``eagerness`` is positive divide, all at once, elder first where slots run out.

    A daughter is linked to its parent and to the neighbours that the parent had, and is born with their mean state plus
    the parent's urge.
    """
    slots = jnp.arange(len(embryo.states))
    dividing = (embryo.alive > 0) & (urge + eagerness > 0)
    born = jnp.cumsum(dividing)
    home = jnp.where(dividing, embryo.count + born - 1, len(slots))
    parent = jnp.zeros_like(slots).at[home].set(slots, mode="drop")
    count = jnp.minimum(embryo.count + born[-1], len(slots))
    new = ((slots >= embryo.count) & (slots < count)).astype(jnp.float32)
    near = embryo.graph + jnp.diag(embryo.alive)
    links = near[:, parent] * new
    mean = near @ embryo.states / jnp.maximum(near.sum(1, keepdims=True), 1.0)
    daughters = (mean + urge[:, None])[parent]
    births = jnp.where(new[:, None] > 0, daughters, embryo.births)
    states = jnp.where(new[:, None] > 0, jnp.tanh(daughters), embryo.states)
    return Embryo(births, states, embryo.graph + links + links.T, count)


def settle(embryo: Embryo, substrate: Substrate) -> Tissue:
    """Give the cells their places: the first born are the inputs, the last born the outputs, the rest fill the hidden.

    Where there are not enough for both, the inputs come first.
    """
    inputs, outputs = substrate.input.size, substrate.output.size
    start, states, alive, where = 0, {}, {}, {}
    for p in substrate.populations:
        place = start + jnp.arange(p.size)
        start += p.size
        if p.name == substrate.input.name:
            lives = place < embryo.count
        elif p.name == substrate.output.name:
            place = embryo.count - outputs + jnp.arange(outputs)
            lives = place >= inputs
        else:
            lives = place < embryo.count - outputs
        where[p.name], alive[p.name] = jnp.maximum(place, 0), lives.astype(jnp.float32)
        states[p.name] = embryo.states[where[p.name]] * alive[p.name][:, None]
    graph = {
        p.name: embryo.graph[where[p.pre][:, None], where[p.post][None, :]] * alive[p.pre][:, None] * alive[p.post][None, :]
        for p in substrate.grown
    }
    return Tissue(states, alive, graph)


@dataclass(frozen=True)
class Growth(Cells):
    """One cell with an evolved embedding; in each cycle cells exchange messages, then those that have the urge divide.

    The tissue has at most as many cells as the substrate has neurons. Neurons that no cell came to fill are dead, and
    synapses exist only between cells that growth has linked. Divisions are hard: gradients flow through the states.

    Departs from NDP: (1) a fixed number of messages in place of the graph's diameter; (2) messages run over the links alone
    and are averaged, as a synapse's weight is the wiring's affair; (3) a cell remembers the state it was born with, and (4)
    a daughter is born with the urge that made its parent divide. Without (3) and (4) a first daughter is her mother's twin
    for life, as is any cell with a mirror image in the graph, and outputs that are twins answer alike.

    Attributes:
        embedding: numbers in a cell's state.
        hidden: width of the hidden layer of the message MLP and of the growth MLP.
        cycles: growth cycles; 0 for as many as fill the substrate if every cell always divides.
        messages: messages in a cycle.
    """

    embedding: int = 5
    hidden: int = 5
    cycles: int = 0
    messages: int = 3

    def __post_init__(self) -> None:
        for name, least in (("embedding", 1), ("hidden", 1), ("cycles", 0), ("messages", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"cells: {name} must be at least {least}, given {getattr(self, name)}")

    def widths(self, substrate: Substrate) -> dict[str, int]:
        return {p.name: self.embedding for p in substrate.populations}

    def genome_spec(self, substrate: Substrate) -> GenomeSpec:
        out = [Gene("embedding", (self.embedding,))]
        for name, outputs in (("message", self.embedding), ("growth", 1)):
            for i, (a, b) in enumerate(pairwise((self.embedding, self.hidden, outputs))):
                out.append(Gene(f"{name}/layer{i}", (a, b), scale=a**-0.5))
                # most cells of a random genome divide: where nothing grows there is nothing to select
                eager = float(name == "growth" and i == 1)
                out.append(Gene(f"{name}/offset{i}", (b,), center=eager, scale=0.5))
        return spec_of(out)

    def _seed(self, genes: Genes, substrate: Substrate) -> Embryo:
        n = sum(p.size for p in substrate.populations)
        states = jnp.zeros((n, self.embedding)).at[0].set(genes["embedding"])
        return Embryo(states, states, jnp.zeros((n, n)), jnp.asarray(1))

    def _cycle(self, genes: Genes, embryo: Embryo) -> Embryo:
        embryo, _ = jax.lax.scan(lambda e, _: (talk(genes, e), None), embryo, length=self.messages)
        return divide(embryo, _mlp(genes, "growth", embryo.states)[:, 0], genes["growth/offset1"])

    def _count(self, substrate: Substrate) -> int:
        return self.cycles or math.ceil(math.log2(sum(p.size for p in substrate.populations)))

    def express(self, genes: Genes, substrate: Substrate, *, key: Key) -> Tissue:
        seed = self._seed(genes, substrate)
        embryo, _ = jax.lax.scan(lambda e, _: (self._cycle(genes, e), None), seed, length=self._count(substrate))
        return settle(embryo, substrate)

    def stages(self, genes: Genes, substrate: Substrate, *, key: Key) -> list[Tissue]:
        seed, count = self._seed(genes, substrate), self._count(substrate)

        def cycle(embryo: Embryo, _: None) -> tuple[Embryo, Embryo]:
            after = self._cycle(genes, embryo)
            return after, after

        _, grown = jax.lax.scan(cycle, seed, length=count)
        film = jax.vmap(lambda e: settle(e, substrate))(jax.tree.map(lambda a, b: jnp.concatenate([a[None], b]), seed, grown))
        return [jax.tree.map(lambda x, i=i: x[i], film) for i in range(count + 1)]
