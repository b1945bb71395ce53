"""Synapses that go and synapses that come: what every learner shares that changes which there are."""

from abc import abstractmethod
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from evodev.genome import Gene, GenomeSpec, branch
from evodev.learners.base import Learner
from evodev.learners.gradient import Gradient
from evodev.network import Network
from evodev.ranking import top_exactly
from evodev.substrate import Substrate
from evodev.types import Array, Float, Genes, Inputs, Key, Matrix, Moment, Outputs, Scalar, Shaped, Targets


def reach(mask: Matrix) -> Array:
    """Where a synapse can be at all, booleans: between two neurons that have one in the projection, an axon or dendrite to
    sprout from.
    """
    return (mask.sum(1) > 0)[:, None] & (mask.sum(0) > 0)[None, :]


def exchange(worth: Matrix, promise: Shaped[Array, "pre post"], old: Array, room: Array, count: Scalar) -> tuple[Matrix, Matrix]:
    """Masks of the synapses that go and of those that come; equally many, at most ``count``.

    Args:
        worth: those of least worth go.
        promise: those of most promise come; floats, or uint32 that are not zero.
        old: which may go, booleans.
        room: where some may come, booleans.
        count: how many, a whole number.
    """
    count = jnp.minimum(count, jnp.minimum(_count(old), _count(room)))

    def best(score: Array, among: Array) -> Matrix:
        least = jnp.asarray(0 if score.dtype == jnp.uint32 else -jnp.inf, score.dtype)
        return top_exactly(jnp.where(among, score, least).ravel(), count).reshape(score.shape)

    return best(-worth, old), best(promise, room)


def _count(among: Array) -> Scalar:
    # by rows first, which on a CPU is faster
    return among.astype(jnp.float32).sum(0).sum()


class RewiredState(NamedTuple):
    """State of the inner learner, steps lived, and what the rewiring itself remembers."""

    inner: Any
    age: Array
    notes: Any

    @property
    def network(self) -> Network:
        """The network as learned and rewired so far."""
        return self.inner.network


@dataclass(frozen=True)
class Rewiring(Learner):
    """Wraps a learner, which learns first in every step; every ``period`` steps some synapses go and as many come.

    A leaf says what it remembers (``blank``), what it sees in every step (``watch``) and what it exchanges (``rewire``).
    All that is not about that is the inner learner's. Genes: its own, and the inner learner's as ``learner/...``.

    Attributes:
        learner: any that changes the weights of a network which its state holds.
        period: steps from one exchange to the next.

    Raises:
        ValueError: for a learner that cannot be rewired, or a period of no steps.
    """

    called: ClassVar[str]
    """Its name in messages."""

    learner: Learner = Gradient()
    period: int = field(default=5, kw_only=True)

    def __post_init__(self) -> None:
        if self.learner.frozen:
            raise ValueError(
                f"learner: {self.called}.learner is {type(self.learner).__name__}, under which no grown synapse changes in "
                "life; use gradient or hebbian_rule"
            )
        if self.period < 1:
            raise ValueError(f"learner: {self.called} needs a period of 1 or more, given {self.period}")

    @abstractmethod
    def genes(self) -> list[Gene]:
        """Its own genes."""

    @abstractmethod
    def blank(self, network: Network, substrate: Substrate) -> Any:
        """What it remembers at birth."""

    def watch(self, genes: Genes, notes: Any, network: Network, inputs: Inputs, substrate: Substrate, *, age: Array) -> Any:
        """What it remembers after the step ``age``, in which the network has learned already; nothing new unless overridden."""
        return notes

    @abstractmethod
    def rewire(
        self,
        genes: Genes,
        notes: Any,
        network: Network,
        inputs: Inputs,
        targets: Targets,
        substrate: Substrate,
        *,
        age: Array,
        key: Key,
    ) -> tuple[dict[str, Array], dict[str, Array], Any]:
        """Masks and weights of the grown projections after an exchange, and what it remembers."""

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
        return GenomeSpec((*self.genes(), *GenomeSpec.join({"learner": self.learner.genome_spec(substrate)}).genes))

    def init(self, genes: Genes, network: Network, substrate: Substrate, *, key: Key) -> RewiredState:
        inner = self.learner.init(branch(genes, "learner"), network, substrate, key=key)
        if not isinstance(getattr(inner, "network", None), Network) or not hasattr(inner, "_replace"):
            raise ValueError(
                f"learner: {self.called} rewires a network while it learns, but the state of {type(self.learner).__name__} "
                "holds none; use gradient or hebbian_rule"
            )
        return RewiredState(inner, jnp.zeros((), jnp.int32), self.blank(network, substrate))

    def step(
        self, genes: Genes, state: RewiredState, inputs: Inputs, targets: Targets, substrate: Substrate, *, key: Key
    ) -> RewiredState:
        key_learn, key_rewire = jax.random.split(key)
        inner = self.learner.step(branch(genes, "learner"), state.inner, inputs, targets, substrate, key=key_learn)
        return self._older(genes, state, inner, inputs, targets, substrate, key=key_rewire)

    def act(
        self, genes: Genes, state: RewiredState, observation: Float[Array, " inputs"], substrate: Substrate, *,
        discrete: bool, key: Key,
    ) -> tuple[Float[Array, " outputs"], RewiredState]:  # fmt: skip
        own = branch(genes, "learner")
        outputs, inner = self.learner.act(own, state.inner, observation, substrate, discrete=discrete, key=key)
        return outputs, state._replace(inner=inner)

    def experience(
        self, genes: Genes, state: RewiredState, moment: Moment, substrate: Substrate, *, discrete: bool, key: Key
    ) -> RewiredState:
        key_learn, key_rewire = jax.random.split(key)
        own = branch(genes, "learner")
        inner = self.learner.experience(own, state.inner, moment, substrate, discrete=discrete, key=key_learn)
        seen, done = moment.observation[None], moment.action[None]
        return self._older(genes, state, inner, seen, done, substrate, key=key_rewire)

    def _older(
        self, genes: Genes, state: RewiredState, inner: Any, inputs: Inputs, targets: Targets, substrate: Substrate, *, key: Key
    ) -> RewiredState:
        """State after a step in which the inner learner has learned already."""
        network, age = inner.network, state.age + 1
        notes = self.watch(genes, state.notes, network, inputs, substrate, age=age)

        def rewire(masks: dict[str, Array], weights: dict[str, Array], notes: Any) -> Any:
            before = replace(network, masks=network.masks | masks, weights=network.weights | weights)
            return self.rewire(genes, notes, before, inputs, targets, substrate, age=age, key=key)

        grown = [p.name for p in substrate.grown]
        masks, weights = ({name: of[name] for name in grown} for of in (network.masks, network.weights))
        # all lives are of one age, so that under vmap this stays a branch: nothing to do, no cost
        now = jax.lax.cond(age % self.period == 0, rewire, lambda *kept: kept, masks, weights, notes)
        network = replace(network, masks=network.masks | now[0], weights=network.weights | now[1])
        return RewiredState(inner._replace(network=network), age, now[2])

    def predict(self, genes: Genes, state: RewiredState, inputs: Inputs, substrate: Substrate) -> Outputs:
        return self.learner.predict(branch(genes, "learner"), state.inner, inputs, substrate)

    def activity(self, genes: Genes, state: RewiredState, inputs: Inputs, substrate: Substrate) -> dict[str, Array] | None:
        return self.learner.activity(branch(genes, "learner"), state.inner, inputs, substrate)

    def memory(self, substrate: Substrate) -> int:
        return self.learner.memory(substrate)


def pairs(substrate: Substrate) -> float:
    """Places in the grown projections where a synapse could be."""
    return float(sum(pre * post for pre, post in (substrate.shape(p) for p in substrate.grown)))
