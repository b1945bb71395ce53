"""LNDP: a network whose nodes and edges live on, wired by what they feel (Plantec et al. 2024, arXiv 2406.09787)."""

from dataclasses import dataclass, replace
from math import log
from typing import ClassVar, NamedTuple, NoReturn

import jax
import jax.numpy as jnp
import numpy as np

from evodev.genome import Gene, GenomeSpec, branch, spec_of
from evodev.learners.base import Learner
from evodev.learners.graph import beside, blocks, bounds, legal, whole
from evodev.learners.graph_transformer import UNITS, along, attend, attention_genes, cell, cell_genes, gate_genes, mix, opens
from evodev.network import Network, matrix, synapses
from evodev.substrate import Substrate
from evodev.types import Array, Bool, Float, Genes, Inputs, Key, Matrix, Moment, Outputs, Scalar, Targets, Vector

OPEN = log(0.6 / 0.4)
"""Log-odds beyond which a synapse is pruned or added: a probability of 0.6."""
WIDTH = 4
"""Numbers that a head of attention compares and passes on."""


class LNDPState(NamedTuple):
    """The network as it is wired now; the states of all its neurons and of all pairs, populations side by side in order.

    ``edges[0]`` are the weights (pre, post); ``edges`` is zero where there is no synapse.
    """

    network: Network
    nodes: Float[Array, "n node_features"]
    edges: Float[Array, "edge_features n n"]


@dataclass(frozen=True)
class LNDP(Learner):
    """Each step of life nodes look at their neighbourhood, edges at their two nodes and the reward; edges come and go.

    In order: x = affine(in- and out-degree, role, activity at each tick, h); x = graph transformer(x, e); h <- GRU(x, h) for
    every neuron; e <- GRU([h_pre, h_post, a_pre, a_post, reward], e) for every synapse; one is pruned where MLP(e) > 0.6, one
    added where MLP(h_pre, h_post) > 0.6 and the substrate has a projection. It answers by ``ticks`` sweeps of a <- tanh(a w),
    from silence, the inputs clamped, all neurons at once, whatever the substrate's activations and ticks are.

    A synapse that is pruned has weight and state 0 at once, and so conducts no more (in the authors' code it does once more).
    Only a synapse that was there and has lived this step is asked whether it goes, so that one just added, whose state is 0,
    is not taken away by the bias of the pruning gate, whatever that is. One comes with weight 0 and gets its own in the step
    after.

    Departs from the paper: starts from the grown network (masks, weights, biases, which stay), where it draws one; leaves
    out the total degree, the sum of two others; degrees are shares of the network; one read-out of an edge multiplies each
    head's score as there, but heads pass on 4 numbers, not 8; gates that keep a state start almost shut (a bias of 3), so
    that a network of a random genome does not forget itself in a few steps; neurons may project to themselves where the
    substrate lets them; spontaneous activity of the sensors is independent noise; nothing is told of an episode's end.

    Genes: named ``perceive/``, ``attention/``, ``node/``, ``edge/``, ``prune/``, ``add/``, ``spontaneous/``. There are
    easily more of them than synapses.

    Attributes:
        node_features: numbers in the state of a neuron, born uniform in [-1, 1], anew in each life.
        edge_features: in the state of a synapse, likewise but for the weight.
        heads: of attention.
        ticks: sweeps an answer.
        spontaneous: steps that are lived before any experience, the sensors driven by an Ornstein-Uhlenbeck process of
            which each has its own ``mean``, ``log_rate`` and ``log_spread``; 0 for none.
        structural: whether synapses come and go; otherwise only their states change.
        plastic: whether anything changes after birth; otherwise only spontaneous activity forms the network.
    """

    node_features: int = 8
    edge_features: int = 4
    heads: int = 3
    ticks: int = 3
    spontaneous: int = 0
    structural: bool = True
    plastic: bool = True
    learns: ClassVar[bool] = False
    """Nothing before its genome has evolved."""

    def __post_init__(self) -> None:
        for name in ("node_features", "edge_features", "heads", "ticks"):
            if getattr(self, name) < 1:
                raise ValueError(f"learner: {name} must be at least 1, given {getattr(self, name)}")
        if self.spontaneous < 0 or not (self.plastic or self.spontaneous):
            raise ValueError(
                f"learner: lndp changes nothing with plastic={self.plastic} and spontaneous={self.spontaneous}; give it "
                "spontaneous steps, or choose innate"
            )

    @property
    def needs(self) -> tuple[str, ...]:
        return ("reward",)

    def genome_spec(self, substrate: Substrate) -> GenomeSpec:
        if substrate.modular:
            raise ValueError("learner: lndp passes activity on by itself, which a modular substrate leaves to its model")
        nodes, edges, seen = self.node_features, self.edge_features, self.node_features + self.ticks
        parts = {
            "perceive": [
                Gene("weights", (4 + self.ticks + nodes, nodes), scale=(4 + self.ticks + nodes) ** -0.5),
                Gene("bias", (nodes,), scale=0.5),
            ],
            "attention": attention_genes(nodes, edges + 3, self.heads, WIDTH),
            "node": [Gene("input", (nodes, 3 * nodes), scale=nodes**-0.5), *cell_genes(nodes)],
            "edge": [Gene(side, (seen, 3 * edges), scale=(2 * seen) ** -0.5) for side in ("pre", "post")]
            # before birth there is no reward to be felt
            + ([Gene("reward", (3 * edges,))] if self.plastic else [])
            + cell_genes(edges),
        }
        if self.structural:
            parts["prune"] = [Gene("state", (edges, UNITS), scale=edges**-0.5), *gate_genes()]
            # born close enough to the threshold that a random genome finds it open for some pairs
            parts["add"] = [Gene(side, (nodes, UNITS), scale=(2 * nodes) ** -0.5) for side in ("pre", "post")] + gate_genes()
        if self.spontaneous:
            sensors = (substrate.input.size,)
            parts["spontaneous"] = [
                Gene("mean", sensors), Gene("log_rate", sensors, -1.0), Gene("log_spread", sensors, -1.0, 0.5)
            ]  # fmt: skip
        return GenomeSpec.join({name: spec_of(genes) for name, genes in parts.items()})

    def init(self, genes: Genes, network: Network, substrate: Substrate, *, key: Key) -> LNDPState:
        key_nodes, key_edges, key_drive = jax.random.split(key, 3)
        count = sum(p.size for p in substrate.populations)
        network = replace(network, weights={name: matrix(w) for name, w in network.weights.items()})
        nodes = jax.random.uniform(key_nodes, (count, self.node_features), minval=-1.0)
        edges = jax.random.uniform(key_edges, (self.edge_features, count, count), minval=-1.0)
        edges = edges.at[0].set(whole(network.weights, substrate)) * whole(network.masks, substrate)
        state = LNDPState(network, nodes, edges)
        if not self.spontaneous:
            return state
        # clipped so that no genome makes the process leap or explode
        own = branch(genes, "spontaneous")
        rate = jnp.exp(jnp.clip(own["log_rate"], -10.0, 0.0))
        spread = jnp.exp(jnp.clip(own["log_spread"], -10.0, 3.0))
        noise = jax.random.normal(key_drive, (self.spontaneous + 1, substrate.input.size)) * spread

        def dream(now: tuple[LNDPState, Array], noise: Array) -> tuple[tuple[LNDPState, Array], None]:
            state, drive = now
            drive = drive + rate * (own["mean"] - drive) + jnp.sqrt(rate) * noise
            return (self._lived(genes, state, drive, jnp.zeros(()), substrate), drive), None

        return jax.lax.scan(dream, (state, noise[0]), noise[1:])[0][0]

    def step(
        self, genes: Genes, state: LNDPState, inputs: Inputs, targets: Targets, substrate: Substrate, *, key: Key
    ) -> NoReturn:
        raise TypeError("learner: lndp learns from the reward of what it does, not from targets")

    def predict(self, genes: Genes, state: LNDPState, inputs: Inputs, substrate: Substrate) -> Outputs:
        return self._trail(state, inputs, substrate)[-1][:, -substrate.output.size :]

    def experience(
        self, genes: Genes, state: LNDPState, moment: Moment, substrate: Substrate, *, discrete: bool, key: Key
    ) -> LNDPState:
        if not self.plastic:
            return state
        return self._lived(genes, state, moment.observation, moment.reward, substrate)

    def activity(
        self, genes: Genes, state: LNDPState, inputs: Inputs, substrate: Substrate
    ) -> dict[str, Float[Array, "batch n"]]:
        parts = jnp.split(self._trail(state, inputs, substrate)[-1], bounds(substrate)[1:-1], axis=1)
        return {p.name: part for p, part in zip(substrate.populations, parts, strict=True)}

    def operations(self, network: Network, substrate: Substrate) -> Scalar:
        # every sweep, every edge written, every pair attended to, and every place asked for a synapse
        pairs = self.heads * bounds(substrate)[-1] ** 2 + (substrate.synapses if self.structural else 0)
        return (self.ticks + 1.0) * synapses(network) + (float(pairs) if self.plastic else 0.0)

    def _trail(self, state: LNDPState, inputs: Inputs, substrate: Substrate) -> Float[Array, "ticks batch n"]:
        """Activity of all neurons after each tick."""
        clamped = inputs.reshape(len(inputs), -1)
        sensors, bias, alive = clamped.shape[1], beside(state.network.biases, substrate), beside(state.network.alive, substrate)
        # no projection ends in the inputs
        active = jnp.zeros((len(inputs), len(alive))).at[:, :sensors].set(clamped)
        trail = []
        for _ in range(self.ticks):
            active = (jnp.tanh(active @ state.edges[0] + bias) * alive).at[:, :sensors].set(clamped)
            trail.append(active)
        return jnp.stack(trail)

    def _lived(
        self, genes: Genes, state: LNDPState, observation: Float[Array, " inputs"], reward: Scalar, substrate: Substrate
    ) -> LNDPState:
        """State after one step of life."""
        network, nodes, edges = state
        there, alive = whole(network.masks, substrate), beside(network.alive, substrate)
        active = self._trail(state, observation[None], substrate)[:, 0].T
        nodes = self._felt(genes, nodes, edges, active, there, alive, substrate)

        own, (pre, post) = branch(genes, "edge"), (genes["edge/pre"], genes["edge/post"])
        seen = jnp.concatenate([nodes, active], axis=1)
        # an affine map of both ends side by side is a sum of one of each: n products rather than n * n
        drive = (seen @ pre).T[:, :, None] + (seen @ post).T[:, None, :]
        drive = drive + along(reward * own["reward"], drive) if self.plastic else drive
        edges = cell(own, drive, edges) * there
        if self.structural:
            room = jnp.asarray(legal(substrate)) & (alive[:, None] * alive > 0)
            gone, come = self._rewired(genes, nodes, edges, there > 0, room)
            there, edges = jnp.where(gone, 0.0, jnp.where(come, 1.0, there)), jnp.where(gone, 0.0, edges)
            network = replace(network, masks=blocks(there, substrate))
        return LNDPState(replace(network, weights=blocks(edges[0], substrate)), nodes, edges)

    def _felt(
        self,
        genes: Genes,
        nodes: Float[Array, "n node_features"],
        edges: Float[Array, "edge_features n n"],
        active: Float[Array, "n ticks"],
        there: Matrix,
        alive: Vector,
        substrate: Substrate,
    ) -> Float[Array, "n node_features"]:
        """States of the nodes after they have looked around."""
        count, roles = len(nodes), np.zeros((len(nodes), 2), np.float32)
        roles[: substrate.input.size, 0] = roles[-substrate.output.size :, 1] = 1.0
        degrees = jnp.stack([there.sum(0), there.sum(1)], axis=1) / count
        x = jnp.concatenate([degrees, roles, active, nodes], axis=1) @ genes["perceive/weights"] + genes["perceive/bias"]
        links = jnp.concatenate([edges, there[None], there.T[None], jnp.eye(count)[None]])
        x = attend(branch(genes, "attention"), x, links, alive)
        return cell(branch(genes, "node"), (x @ genes["node/input"]).T, nodes.T).T

    def _rewired(
        self,
        genes: Genes,
        nodes: Float[Array, "n node_features"],
        edges: Float[Array, "edge_features n n"],
        there: Bool[Array, "n n"],
        room: Bool[Array, "n n"],
    ) -> tuple[Bool[Array, "n n"], Bool[Array, "n n"]]:
        """Where synapses go and where they come."""
        gone = there & (opens(branch(genes, "prune"), mix(genes["prune/state"], edges)) > OPEN)
        drive = (nodes @ genes["add/pre"]).T[:, :, None] + (nodes @ genes["add/post"]).T[:, None, :]
        return gone, room & ~there & (opens(branch(genes, "add"), drive) > OPEN)
