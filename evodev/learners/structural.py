"""Structural plasticity all life long: sparse networks whose synapses move (SET: Mocanu et al. 2018; RigL: Evci et al. 2020)."""

import math
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp

from evodev.genome import Gene, GenomeSpec, branch
from evodev.learners.base import Learner
from evodev.learners.gradient import Gradient
from evodev.learners.rewiring import exchange, reach
from evodev.network import Network
from evodev.substrate import Substrate
from evodev.types import Array, Float, Genes, Inputs, Key, Moment, Outputs, Scalar, Targets


class StructuralState(NamedTuple):
    """State of the inner learner, steps lived, and where synapses can be, booleans (pre, post) by grown projection."""

    inner: Any
    age: Array
    reach: dict[str, Array]

    @property
    def network(self) -> Network:
        """The network as learned and rewired so far."""
        return self.inner.network


@dataclass(frozen=True)
class Structural(Learner):
    """Wraps a learner; every ``period`` steps, in each grown projection, the synapses of least magnitude go and as many come.

    They come at random (SET, arXiv 1707.04780), or where the magnitude of the loss's gradient would be largest (RigL, arXiv
    1911.11134), with weight zero; how many synapses there are never changes. The share exchanged is evolved, and falls as
    half a cosine to zero at step ``end`` (RigL) or stays (SET's, and the default).

    Departs from both: synapses grow only between neurons that were born with one in the projection, what has just gone does
    not come back at once, and the learner learns from the batch of a rewiring step too. The optimiser's memory is left as it is.

    Genes: ``log_share``, and the inner learner's as ``learner/...``.

    Attributes:
        learner: any that changes the weights of a network which its state holds; ``gradient`` where synapses come by it.
        regrow: ``random`` or ``gradient``.
        period: steps from one exchange to the next.
        share: of the synapses of a projection exchanged at a time, in a genome of zeros.
        end: step at which the share has fallen to zero, if it falls.

    Raises:
        ValueError: for a learner that cannot be rewired, or settings that make no sense.
    """

    learner: Learner = Gradient()
    regrow: Literal["random", "gradient"] = "random"
    period: int = 5
    share: float = 0.3
    end: int | None = None

    def __post_init__(self) -> None:
        kind = type(self.learner).__name__
        if self.learner.frozen:
            raise ValueError(
                f"learner: structural.learner is {kind}, under which no grown synapse changes in life; use gradient or "
                "hebbian_rule"
            )
        if self.regrow not in ("random", "gradient"):
            raise ValueError(f"learner: regrow is {self.regrow!r}; one of random, gradient")
        if self.regrow == "gradient" and not isinstance(self.learner, Gradient):
            raise ValueError(f"learner: {kind} knows no gradient to regrow by; use regrow: random, or the learner gradient")
        if self.period < 1 or not 0 < self.share < 1:
            raise ValueError(
                f"learner: structural needs a period of 1 or more and a share in (0, 1), given {self.period} and {self.share}"
            )
        if self.end is not None and self.end <= self.period:
            raise ValueError(f"learner: end {self.end} must be later than the first exchange, at step {self.period}")

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
        return max(self.period, self.learner.rhythm)

    def genome_spec(self, substrate: Substrate) -> GenomeSpec:
        inner = GenomeSpec.join({"learner": self.learner.genome_spec(substrate)}).genes
        return GenomeSpec((Gene("log_share", (), math.log(self.share), 0.5), *inner))

    def init(self, genes: Genes, network: Network, substrate: Substrate, *, key: Key) -> StructuralState:
        inner = self.learner.init(branch(genes, "learner"), network, substrate, key=key)
        if not isinstance(getattr(inner, "network", None), Network) or not hasattr(inner, "_replace"):
            raise ValueError(
                f"learner: structural rewires a network while it learns, but the state of {type(self.learner).__name__} "
                "holds none; use gradient or hebbian_rule"
            )
        return StructuralState(inner, jnp.zeros((), jnp.int32), {p.name: reach(network.masks[p.name]) for p in substrate.grown})

    def step(
        self, genes: Genes, state: StructuralState, inputs: Inputs, targets: Targets, substrate: Substrate, *, key: Key
    ) -> StructuralState:
        key_learn, key_grow = jax.random.split(key)
        inner = self.learner.step(branch(genes, "learner"), state.inner, inputs, targets, substrate, key=key_learn)
        return self._older(genes, state, inner, inputs, targets, substrate, key=key_grow)

    def act(
        self, genes: Genes, state: StructuralState, observation: Float[Array, " inputs"], substrate: Substrate, *,
        discrete: bool, key: Key,
    ) -> tuple[Float[Array, " outputs"], StructuralState]:  # fmt: skip
        outputs, inner = self.learner.act(
            branch(genes, "learner"), state.inner, observation, substrate, discrete=discrete, key=key
        )
        return outputs, state._replace(inner=inner)

    def experience(
        self, genes: Genes, state: StructuralState, moment: Moment, substrate: Substrate, *, discrete: bool, key: Key
    ) -> StructuralState:
        key_learn, key_grow = jax.random.split(key)
        inner = self.learner.experience(
            branch(genes, "learner"), state.inner, moment, substrate, discrete=discrete, key=key_learn
        )
        seen, done = moment.observation[None], moment.action[None]
        return self._older(genes, state, inner, seen, done, substrate, key=key_grow)

    def _older(
        self,
        genes: Genes,
        state: StructuralState,
        inner: Any,
        inputs: Inputs,
        targets: Targets,
        substrate: Substrate,
        *,
        key: Key,
    ) -> StructuralState:
        """State after a step in which the inner learner has learned already."""
        age = state.age + 1

        def rewire(network: Network) -> Network:
            promise = self._promise(network, inputs, targets, substrate, key=key)
            # clipped so that no genome makes it infinite
            share = jnp.exp(jnp.clip(genes["log_share"], -20.0, 0.0))
            if self.end is not None:
                share = share * (1.0 + jnp.cos(jnp.pi * jnp.minimum(age / self.end, 1.0))) / 2
            masks, weights = dict(network.masks), dict(network.weights)
            for name, hope in promise.items():
                mask, size = masks[name], jnp.abs(weights[name])
                room = state.reach[name] & (mask == 0)
                gone, come = exchange(size, hope, mask > 0, room, jnp.floor(share * mask.sum()))
                masks[name], weights[name] = mask - gone + come, weights[name] * (1.0 - gone)
            return replace(network, masks=masks, weights=weights)

        # all lives are of one age, so that under vmap this stays a branch: nothing to do, no cost
        network = jax.lax.cond(age % self.period == 0, rewire, lambda network: network, inner.network)
        return StructuralState(inner._replace(network=network), age, state.reach)

    def _promise(self, network: Network, inputs: Inputs, targets: Targets, substrate: Substrate, *, key: Key) -> dict[str, Array]:
        """What a synapse promises wherever one could be, by grown projection."""
        if self.regrow == "gradient" and isinstance(self.learner, Gradient):
            slopes = self.learner.gradient(network, inputs, targets, substrate)["weights"]
            return {p.name: jnp.abs(slopes[p.name]) for p in substrate.grown}
        keys = jax.random.split(key, len(substrate.grown))
        return {p.name: jax.random.uniform(k, substrate.shape(p)) for p, k in zip(substrate.grown, keys, strict=True)}

    def predict(self, genes: Genes, state: StructuralState, inputs: Inputs, substrate: Substrate) -> Outputs:
        return self.learner.predict(branch(genes, "learner"), state.inner, inputs, substrate)

    def operations(self, network: Network, substrate: Substrate) -> Scalar:
        # wherever a synapse could be: ranked, and by gradient also visited forward and backward
        pairs = float(sum(pre * post for pre, post in (substrate.shape(p) for p in substrate.grown)))
        visits = 3.0 if self.regrow == "gradient" else 1.0
        return self.learner.operations(network, substrate) + visits * pairs / self.period

    def memory(self, substrate: Substrate) -> int:
        return self.learner.memory(substrate)
