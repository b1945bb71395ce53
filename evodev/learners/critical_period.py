"""A critical period: early experience decides not only what synapses weigh but which there are."""

import math
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax.numpy as jnp

from evodev.genome import Gene, GenomeSpec, branch
from evodev.learners.base import Learner
from evodev.learners.gradient import Gradient
from evodev.learners.rewiring import exchange, reach
from evodev.network import Network, activities, synapses
from evodev.substrate import Substrate
from evodev.types import Array, Float, Genes, Inputs, Key, Moment, Outputs, Scalar, Targets


class CriticalState(NamedTuple):
    """State of the inner learner; steps lived; and a projection: mean product of activities, synapses grown in life, and
    exchanges due, of which a fraction is put off until it is a whole synapse.
    """

    inner: Any
    age: Array
    together: dict[str, Array]
    young: dict[str, Array]
    due: dict[str, Array]

    @property
    def network(self) -> Network:
        """The network as learned and rewired so far."""
        return self.inner.network


@dataclass(frozen=True)
class CriticalPeriod(Learner):
    """Wraps a learner; while a window is open the grown synapses are rewired by use, and after that only weights change.

    In every step the inner learner learns first. Then, in each grown projection, the synapses of least use, |weight| times
    co-activity, are pruned, and as many grow, with weight zero, where pre and post are most co-active. Co-activity is the
    magnitude of the mean product of the two activities over the life so far: local to a pair of neurons. The share of
    synapses exchanged in a step is evolved and falls linearly to zero as the window closes, after an evolved number of
    steps.

    Synapses grow only between neurons that have one in the projection, where there is an axon or a dendrite to sprout
    from. One that has grown in life is not pruned, as it has had no time to prove its use.

    Genes: ``log_window`` (steps), ``log_turnover``, and the inner learner's as ``learner/...``.

    Attributes:
        learner: any that changes the weights of a network which its state holds.
        window: steps until it is closed, in a genome of zeros.
        turnover: share of the synapses exchanged in the first step, in a genome of zeros.

    Raises:
        ValueError: if the inner learner's network does not change in life, or is not the substrate's own.
    """

    learner: Learner = Gradient()
    window: float = 10.0
    turnover: float = 0.1

    def __post_init__(self) -> None:
        if self.learner.frozen:
            raise ValueError(
                f"learner: critical_period.learner is {type(self.learner).__name__}, under which no grown synapse changes in "
                "life; use gradient or hebbian_rule"
            )
        if getattr(self.learner, "forward", None) is not None:
            raise ValueError("learner: critical_period reads activity off the substrate; leave its learner's forward out")
        if self.window <= 0 or not 0 < self.turnover <= 1:
            raise ValueError(
                "learner: critical_period needs a positive window and a turnover in (0, 1], given "
                f"{self.window} and {self.turnover}"
            )

    @property
    def loss(self) -> str | None:
        """The inner learner's."""
        return getattr(self.learner, "loss", None)

    @property
    def asks(self) -> tuple[str, ...]:
        return self.learner.asks

    @property
    def needs(self) -> tuple[str, ...]:
        return self.learner.needs

    @property
    def rhythm(self) -> int:
        return self.learner.rhythm

    def genome_spec(self, substrate: Substrate) -> GenomeSpec:
        own = [Gene("log_window", (), math.log(self.window), 0.5), Gene("log_turnover", (), math.log(self.turnover), 0.5)]
        return GenomeSpec((*own, *GenomeSpec.join({"learner": self.learner.genome_spec(substrate)}).genes))

    def perceive(self, network: Network, inputs: Inputs, substrate: Substrate) -> Array:
        return self.learner.perceive(network, inputs, substrate)

    def init(self, genes: Genes, network: Network, substrate: Substrate, *, key: Key) -> CriticalState:
        inner = self.learner.init(branch(genes, "learner"), network, substrate, key=key)
        if not isinstance(getattr(inner, "network", None), Network):
            raise ValueError(
                f"learner: critical_period rewires a network while it learns, but the state of {type(self.learner).__name__} "
                "holds none; use gradient or hebbian_rule"
            )
        blank = {p.name: jnp.zeros(substrate.shape(p)) for p in substrate.grown}
        return CriticalState(inner, jnp.zeros(()), blank, dict(blank), {name: jnp.zeros(()) for name in blank})

    def step(
        self, genes: Genes, state: CriticalState, inputs: Inputs, targets: Targets, substrate: Substrate, *, key: Key
    ) -> CriticalState:
        inner = self.learner.step(branch(genes, "learner"), state.inner, inputs, targets, substrate, key=key)
        return self._older(genes, state, inner, inputs, substrate)

    def act(
        self, genes: Genes, state: CriticalState, observation: Float[Array, " inputs"], substrate: Substrate, *,
        discrete: bool, key: Key,
    ) -> tuple[Float[Array, " outputs"], CriticalState]:  # fmt: skip
        outputs, inner = self.learner.act(
            branch(genes, "learner"), state.inner, observation, substrate, discrete=discrete, key=key
        )
        return outputs, state._replace(inner=inner)

    def experience(
        self, genes: Genes, state: CriticalState, moment: Moment, substrate: Substrate, *, discrete: bool, key: Key
    ) -> CriticalState:
        inner = self.learner.experience(branch(genes, "learner"), state.inner, moment, substrate, discrete=discrete, key=key)
        return self._older(genes, state, inner, moment.observation[None], substrate)

    def _older(self, genes: Genes, state: CriticalState, inner: Any, inputs: Inputs, substrate: Substrate) -> CriticalState:
        """State after a step in which the inner learner has learned already."""
        network = inner.network
        active = activities(substrate, network, inputs)
        # clipped so that no genome makes either infinite
        window = jnp.exp(jnp.clip(genes["log_window"], -5.0, 20.0))
        turnover = jnp.exp(jnp.clip(genes["log_turnover"], -20.0, 0.0))
        share = turnover * jnp.clip(1.0 - state.age / window, 0.0, 1.0)
        together, young, due, masks, weights = {}, {}, {}, dict(network.masks), dict(network.weights)
        for p in substrate.grown:
            name, before = p.name, state.together[p.name]
            seen = active[p.pre].T @ active[p.post] / len(inputs)
            together[name] = before + (seen - before) / (state.age + 1.0)
            owed = jnp.where(share > 0, state.due[name] + share * masks[name].sum(), 0.0)
            promise, old = jnp.abs(together[name]), masks[name] * (1.0 - state.young[name]) > 0
            use = jnp.abs(weights[name]) * promise
            pruned, born = exchange(use, promise, old, reach(masks[name]) & (masks[name] == 0), jnp.floor(owed))
            due[name] = owed - jnp.floor(owed)
            masks[name] = masks[name] - pruned + born
            weights[name] = weights[name] * (1.0 - pruned)
            young[name] = state.young[name] + born
        rewired = replace(network, masks=masks, weights=weights)
        inner = inner._replace(network=rewired) if hasattr(inner, "_replace") else replace(inner, network=rewired)
        return CriticalState(inner, state.age + 1.0, together, young, due)

    def predict(self, genes: Genes, state: CriticalState, inputs: Inputs, substrate: Substrate) -> Outputs:
        return self.learner.predict(branch(genes, "learner"), state.inner, inputs, substrate)

    def operations(self, network: Network, substrate: Substrate) -> Scalar:
        # the network once more for its activity, and co-activity wherever a synapse could be
        pairs = float(sum(pre * post for pre, post in (substrate.shape(p) for p in substrate.grown)))
        return self.learner.operations(network, substrate) + synapses(network) + pairs

    def memory(self, substrate: Substrate) -> int:
        return self.learner.memory(substrate)
