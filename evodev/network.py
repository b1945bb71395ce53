"""The network: the grown phenotype, and what it computes.

The only type that crosses from development to life.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax.custom_derivatives import SymbolicZero

from evodev.ranking import top_mask
from evodev.sparse import Sources, sparse_product
from evodev.substrate import Population, Projection, Substrate
from evodev.types import Array, Bool, Flag, Float, Inputs, Matrix, Outputs, Scalar, Vector

Forward = Callable[["Network", Inputs], Outputs]


@struct.dataclass
class KernelWeights:
    """Weights that depend on position through a fixed basis: w[(p, a), (q, b)] = sum_c basis[p, q, c] kernels[a, b, c].

    The same function as the matrix, at a fraction of the arithmetic: positions and types are mixed one after the other.
    """

    basis: Float[Array, "pre_positions post_positions coefficients"]
    kernels: Float[Array, "pre_types post_types coefficients"]

    def transmit(self, activity: Float[Array, "batch pre"]) -> Float[Array, "batch post"]:
        """``activity @ self.dense()``."""
        local = activity.reshape(len(activity), -1, self.kernels.shape[0])
        seen = jnp.einsum("npa,pqc->nqac", local, self.basis)
        return jnp.einsum("nqac,abc->nqb", seen, self.kernels).reshape(len(activity), -1)

    def dense(self) -> Matrix:
        """The matrix (pre, post)."""
        w = jnp.einsum("pqc,abc->paqb", self.basis, self.kernels)
        return w.reshape(w.shape[0] * w.shape[1], -1)


@struct.dataclass
class PoolWeights:
    """Weights between neurons of one type only: w[(p, a), (q, b)] = strengths[p, q, a] if a == b else 0."""

    strengths: Float[Array, "pre_positions post_positions types"]

    def transmit(self, activity: Float[Array, "batch pre"]) -> Float[Array, "batch post"]:
        """``activity @ self.dense()``."""
        local = activity.reshape(len(activity), -1, self.strengths.shape[-1])
        return jnp.einsum("npa,pqa->nqa", local, self.strengths).reshape(len(activity), -1)

    def dense(self) -> Matrix:
        """The matrix (pre, post)."""
        w = jnp.einsum("pqa,ab->paqb", self.strengths, jnp.eye(self.strengths.shape[-1]))
        return w.reshape(w.shape[0] * w.shape[1], -1)


Weights = Matrix | KernelWeights | PoolWeights


SMALL_BATCH = 16
"""Largest batch whose gradient in a matrix is added up sample by sample; benchmarks/speed/life_loop measures both ways."""


@jax.custom_jvp
def product(activity: Float[Array, "batch pre"], weights: Matrix) -> Float[Array, "batch post"]:
    """``activity @ weights``, whose gradient in the weights is a sum of outer products, one a sample, in small batches.

    A compiler makes one pass over the weights of that sum together with the update that follows, where the matrix product
    ``activity.T @ error`` transposes its factors and writes the gradient down (3 to 5 times as long on a CPU).
    """
    return activity @ weights


@partial(product.defjvp, symbolic_zeros=True)
def _product_jvp(primals: tuple[Array, Any], tangents: tuple[Any, Any]) -> tuple[Array, Array]:
    (activity, weights), (by_activity, by_weights) = primals, tangents
    arrives = product(activity, weights)
    change = jnp.zeros_like(arrives)
    if not isinstance(by_activity, SymbolicZero):
        change = change + by_activity @ weights
    if isinstance(by_weights, SymbolicZero):
        return arrives, change
    if len(activity) > SMALL_BATCH:
        return arrives, change + activity @ by_weights
    # what a gradient runs is the transpose of this, in which each row is one outer product
    return arrives, change + jnp.stack([(sample[:, None] * by_weights).sum(0) for sample in activity])


def transmit(
    activity: Float[Array, "batch pre"], weights: Weights | Float[Array, "inputs post"], sources: Sources | None = None
) -> Float[Array, "batch post"]:
    """What arrives through a projection, whichever form its weights have; (inputs, post) goes with ``sources``."""
    if sources is not None:
        return sparse_product(activity, matrix(weights), sources)
    return weights.transmit(activity) if isinstance(weights, KernelWeights | PoolWeights) else product(activity, weights)


def matrix(weights: Weights) -> Matrix:
    """The weights as a matrix (pre, post), whichever form they have."""
    return weights.dense() if isinstance(weights, KernelWeights | PoolWeights) else weights


@struct.dataclass
class Network:
    """Weights, masks and plasticity gains a projection; biases and living neurons a population.

    ``weights[p]`` is a matrix, or a shared form (:class:`KernelWeights`, :class:`PoolWeights`) in a network whose grown
    synapses never change in life; :func:`matrix` undoes that. It is already masked at birth; a learner keeps it so. A
    projection without gains has gain 1. ``channels`` are what development expressed for the learner beyond that, by channel
    and projection. Keys are projection names (``pre->post``) and population names.

    A projection with ``sources`` is in a sparse form (``evodev.sparse``): its weights, mask, gains and channels are
    (inputs, post), and a learner that treats every synapse alike need not know.
    """

    weights: dict[str, Any]
    masks: dict[str, Matrix]
    gains: dict[str, Matrix]
    biases: dict[str, Vector]
    alive: dict[str, Vector]
    channels: dict[str, dict[str, Matrix]] = struct.field(default_factory=dict)
    sources: dict[str, Sources] = struct.field(default_factory=dict)


def synapse_counts(network: Network) -> dict[str, Scalar]:
    """Synapses in each projection."""
    return {name: mask.sum() for name, mask in network.masks.items()}


def synapses(network: Network) -> Scalar:
    """Synapses in the whole network."""
    return jnp.stack([jnp.asarray(count) for count in synapse_counts(network).values()]).sum()


def reached(substrate: Substrate, network: Network) -> dict[str, Bool[Array, " n"]]:
    """Living neurons of each population that a path of synapses leads to from the inputs; the inputs too.

    In a modular substrate every population that nothing projects to is an input.
    """
    alive = {name: lives > 0 for name, lives in network.alive.items()}
    fed = {p.name for p in substrate.populations if substrate.modular and not substrate.into(p.name)} | {substrate.input.name}
    start = {name: lives & (name in fed) for name, lives in alive.items()}

    def sweep(found: dict[str, Array]) -> dict[str, Array]:
        found = dict(found)
        for p in (p for population in substrate.populations for p in substrate.into(population.name)):
            heard = transmit(found[p.pre][None].astype(jnp.float32), network.masks[p.name], network.sources.get(p.name))
            found[p.post] |= alive[p.post] & (heard[0] > 0)
        return found

    if not substrate.modular and not any(map(substrate.is_recurrent, substrate.projections)):
        return sweep(start)  # what sends was reached, if ever, before what receives

    def grew(pair: tuple[dict[str, Array], dict[str, Array]]) -> Array:
        before, after = pair
        return jnp.stack([(after[name] != before[name]).any() for name in after]).any()

    return jax.lax.while_loop(grew, lambda pair: (pair[1], sweep(pair[1])), (start, sweep(start)))[1]


def collapsed(substrate: Substrate, network: Network) -> Flag:
    """Whether no path of synapses leads from an input to an output, so that every question has the same answer.

    In a modular substrate, and where a network is not neuron by neuron that of its substrate (a convolution's kernels):
    whether there is no synapse at all.
    """
    own = {p.name: p.size for p in substrate.populations} == {name: lives.size for name, lives in network.alive.items()}
    return synapses(network) == 0 if substrate.modular or not own else ~reached(substrate, network)[substrate.output.name].any()


def disconnected(substrate: Substrate, network: Network) -> dict[str, np.ndarray]:
    """Living neurons that are not :func:`reached`, by index; populations without any are left out.

    An output among them answers whatever it is asked with a constant. Not inside a compiled program.
    """
    found = reached(substrate, network)
    cut = {name: np.asarray((lives > 0) & ~found[name]) for name, lives in network.alive.items()}
    return {name: np.flatnonzero(neurons) for name, neurons in cut.items() if neurons.any()}


_ACTIVATE: dict[str, Callable[[Array], Array]] = {
    "linear": lambda x: x,
    "relu": jax.nn.relu,
    "abs": jnp.abs,
    "tanh": jnp.tanh,
    "sin": jnp.sin,
    "gauss": lambda x: jnp.exp(-(x**2)),
    "softplus": jax.nn.softplus,
    "square": lambda x: jax.nn.relu(x) ** 2,
    "gelu": jax.nn.gelu,
    # kept finite: a logarithm that does not end at 0, an exponential that goes no further than e^10
    "log": lambda x: jnp.log(jnp.abs(x) + 0.1),
    "exp": lambda x: jnp.exp(jnp.minimum(x, 10.0)),
}


def _standard(x: Array) -> Array:
    return (x - x.mean(-1, keepdims=True)) * jax.lax.rsqrt(x.var(-1, keepdims=True) + 1e-6)


def _unit(x: Array) -> Array:
    return x * jax.lax.rsqrt((x**2).sum(-1, keepdims=True) + 1e-6)


def respond(population: Population, drive: Float[Array, "batch n"], bias: Vector, alive: Vector) -> Float[Array, "batch n"]:
    """Activity of a population: bias, activation, winners, normalisation, and silence of the dead."""
    activity = _ACTIVATE[population.activation](drive + bias) * alive
    if population.winners < 1:
        # neurons that tie for the last place are silent too, so that there are never more winners
        count = jnp.full(activity.shape[:-1], max(1, round(population.winners * population.size)))
        activity = activity * top_mask(jnp.abs(activity), count)
    match population.normalisation:
        case "standard":
            activity = _standard(activity) * alive
        case "unit":
            activity = _unit(activity)
        case "types":
            local = activity.reshape(*activity.shape[:-1], -1, population.types)
            local = local / (0.2 + jnp.sqrt((local**2).mean(-1, keepdims=True) + 1e-6))
            activity = local.reshape(activity.shape)
    return activity


def activities(
    substrate: Substrate, network: Network, inputs: Inputs, before: dict[str, Float[Array, "batch n"]] | None = None
) -> dict[str, Float[Array, "batch n"]]:
    """Activity of every population after ``substrate.ticks`` sweeps, the inputs clamped.

    Args:
        substrate: what the network grew in.
        network: its weights and biases.
        inputs: (batch, ...); flattened to (batch, input size).
        before: activity to start from, for a network that remembers its last input; silence if not given.

    Raises:
        ValueError: if the substrate is modular.
    """
    if substrate.modular:
        raise ValueError(
            "substrate: a modular one has no forward pass of its own; run the model itself (models.model_forward), and leave "
            "out what needs activity (refinement by activity, read-out learners)"
        )
    clamped = inputs.reshape(inputs.shape[0], -1)
    state = before or {p.name: jnp.zeros((inputs.shape[0], p.size)) for p in substrate.populations}
    state = state | {substrate.input.name: clamped}
    for _ in range(substrate.ticks):
        before = dict(state)
        for population in substrate.populations[1:]:
            drive = jnp.zeros((inputs.shape[0], population.size))
            for projection in substrate.into(population.name):
                source = before if substrate.is_recurrent(projection) else state
                name = projection.name
                drive = drive + transmit(source[projection.pre], network.weights[name], network.sources.get(name))
            state[population.name] = respond(population, drive, network.biases[population.name], network.alive[population.name])
    return state


def active_share(substrate: Substrate, network: Network, activity: dict[str, Float[Array, "batch n"]]) -> Scalar:
    """Share of the living neurons between inputs and outputs that are active (not exactly silent), mean over a batch."""
    hidden = [p.name for p in substrate.populations[1:-1]]
    active = sum(((activity[name] != 0) * network.alive[name]).sum(-1).mean() for name in hidden)
    return active / jnp.maximum(sum(network.alive[name].sum() for name in hidden), 1.0)


def traffic(substrate: Substrate, network: Network, activity: dict[str, Float[Array, "batch n"]]) -> Scalar:
    """Synaptic operations that an answer needs, mean over a batch: each active neuron times its synapses, at each tick.

    In a recurrent network the activity given, that of the last tick, stands for all ticks.
    """

    def sent(p: Projection) -> Scalar:
        awake, mask = (activity[p.pre] != 0).astype(jnp.float32), network.masks[p.name]
        if p.name in network.sources:
            return sparse_product(awake, mask, network.sources[p.name]).sum(1).mean()
        return (awake @ mask.sum(1)).mean()

    return substrate.ticks * jnp.stack([sent(p) for p in substrate.projections]).sum()


def correlations(pre: Float[Array, "batch pre"], post: Float[Array, "batch post"]) -> Matrix:
    """Correlation over a batch of each neuron of one population with each of another; 0 where one of them is constant.

    Never NaN, even where the activity is.
    """

    def standard(x: Array) -> Array:
        x = jnp.clip(jnp.nan_to_num(x), -1e15, 1e15)
        x = x - x.mean(0)
        x = x / (jnp.abs(x).max(0) + 1e-20)
        return x / jnp.sqrt((x**2).sum(0) + 1e-6)

    return standard(pre).T @ standard(post)


def forward(substrate: Substrate, network: Network, inputs: Inputs) -> Outputs:
    """Outputs of the network, shape (batch, outputs)."""
    return activities(substrate, network, inputs)[substrate.output.name]


def readout_projections(substrate: Substrate) -> tuple[Projection, ...]:
    """The blank slates in front of the outputs, in order.

    Raises:
        ValueError: if there is none, if something grown also projects to the outputs, or if the outputs send.
    """
    into = substrate.into(substrate.output.name)
    if not into or not all(p.blank for p in into) or any(p.pre == substrate.output.name for p in substrate.projections):
        raise ValueError(
            "learner: a read-out learner needs every projection into the outputs to be blank (blank: true) and none out "
            "of them; or choose the gradient learner"
        )
    return into


def readout_inputs(substrate: Substrate, network: Network, inputs: Inputs) -> Float[Array, "batch n"]:
    """Activity of all neurons that project to the outputs, side by side in the order of their projections."""
    state = activities(substrate, network, inputs)
    return jnp.concatenate([state[p.pre] for p in readout_projections(substrate)], axis=1)
