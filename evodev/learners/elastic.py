"""Elastic weight consolidation: synapses that earlier phases of a life needed are held where they were."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp

from evodev.genome import Gene, GenomeSpec, branch, spec_of
from evodev.learners.base import Learner
from evodev.learners.gradient import Gradient, GradientState, Params
from evodev.network import Network, synapses
from evodev.substrate import Substrate
from evodev.types import Array, Genes, Inputs, Key, Outputs, Scalar, Targets


class ElasticState(NamedTuple):
    """Network, the optimiser's memory, steps lived; what is held and how firmly, and what the phase under way has needed."""

    network: Network
    memory: Any
    age: Array
    anchor: Params
    importance: Params
    needed: Params


@dataclass(frozen=True)
class Elastic(Learner):
    """Gradient descent on the loss + strength / 2 * sum_i F_i (w_i - a_i)^2.

    Elastic weight consolidation (Kirkpatrick et al. 2017, arXiv 1612.00796, eq. 3).

    Here a is where the last phase ended, F the Fisher information of all phases that have ended, added up: one anchor in place of
    one a phase (Huszar 2018, arXiv 1712.03847). F is empirical, the mean over the phase's samples of the squared gradient of
    each, gathered while they are learned (as Chaudhry et al. 2018, arXiv 1801.10112), so that nothing is seen twice. When a
    phase ends it is told, as all learners of this kind are.

    Genes: ``log_strength``, and the inner learner's as ``learner/...``.

    Attributes:
        learner: how it descends; its rates, gates and optimiser are kept, replay and accumulation are not for it.
        period: steps of a phase.
        strength: in a genome of zeros.

    Raises:
        ValueError: for another learner, one that replays or accumulates, or settings that make no sense.
    """

    learner: Learner = Gradient()
    period: int = 4
    strength: float = 1.0

    def __post_init__(self) -> None:
        if not isinstance(self.learner, Gradient) or self.learner.replay or self.learner.accumulate > 1:
            raise ValueError("learner: elastic.learner must be gradient, without replay and accumulate")
        if self.period < 1 or not self.strength > 0:
            raise ValueError(f"learner: elastic needs period >= 1 and strength > 0, given {self.period} and {self.strength}")

    @property
    def inner(self) -> Gradient:
        """The learner, known to be gradient descent."""
        return cast(Gradient, self.learner)

    @property
    def loss(self) -> str:
        """The inner learner's."""
        return self.inner.loss

    @property
    def asks(self) -> tuple[str, ...]:
        return self.inner.asks

    @property
    def rhythm(self) -> int:
        return self.period

    def genome_spec(self, substrate: Substrate) -> GenomeSpec:
        own = spec_of([Gene("log_strength", (), math.log(self.strength))])
        return GenomeSpec((*own.genes, *GenomeSpec.join({"learner": self.inner.genome_spec(substrate)}).genes))

    def init(self, genes: Genes, network: Network, substrate: Substrate, *, key: Key) -> ElasticState:
        here = {"weights": network.weights, "biases": network.biases}
        nothing = jax.tree.map(jnp.zeros_like, here)
        memory = self.inner.unmoved(branch(genes, "learner"), network)
        return ElasticState(network, memory, jnp.zeros((), jnp.int32), here, nothing, nothing)

    def step(
        self, genes: Genes, state: ElasticState, inputs: Inputs, targets: Targets, substrate: Substrate, *, key: Key
    ) -> ElasticState:
        own, network = branch(genes, "learner"), state.network
        each = jax.vmap(lambda x, y: self.inner.gradient(network, x[None], y[None], substrate))(inputs, targets)
        needed = jax.tree.map(lambda sum_, g: sum_ + (g**2).mean(0) / self.period, state.needed, each)
        strength = jnp.exp(jnp.clip(genes["log_strength"], -20.0, 20.0))
        here = {"weights": network.weights, "biases": network.biases}
        gradient = jax.tree.map(lambda g, w, a, f: g.mean(0) + strength * f * (w - a), each, here, state.anchor, state.importance)
        network, memory = self.inner.move(own, network, state.memory, gradient, substrate)
        age = state.age + 1
        ended = age % self.period == 0
        moved = {"weights": network.weights, "biases": network.biases}
        anchor = jax.tree.map(lambda new, old: jnp.where(ended, new, old), moved, state.anchor)
        importance = jax.tree.map(lambda f, new: jnp.where(ended, f + new, f), state.importance, needed)
        needed = jax.tree.map(lambda x: jnp.where(ended, 0.0, x), needed)
        return ElasticState(network, memory, age, anchor, importance, needed)

    def predict(self, genes: Genes, state: ElasticState, inputs: Inputs, substrate: Substrate) -> Outputs:
        return self.inner.predict(branch(genes, "learner"), GradientState(state.network, state.memory), inputs, substrate)

    def operations(self, network: Network, substrate: Substrate) -> Scalar:
        # each synapse once more to be held, and once to note what it was needed for
        return self.inner.operations(network, substrate) + 2.0 * synapses(network)
