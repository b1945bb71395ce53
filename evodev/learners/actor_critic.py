"""Policy gradient in life: online actor-critic with eligibility traces (Sutton & Barto 2018, ch. 13.6)."""

import math
from dataclasses import dataclass, replace
from typing import NamedTuple, NoReturn

import jax
import jax.numpy as jnp

from evodev.genome import Gene, GenomeSpec, branch
from evodev.learners.base import Learner, explored, inner_populations, surprise
from evodev.learners.gradient import Gradient, Params
from evodev.network import Network, activities, forward, synapses
from evodev.substrate import Substrate
from evodev.types import Array, Float, Genes, Inputs, Key, Moment, Outputs, Scalar, Targets


class ActorCriticState(NamedTuple):
    """The network as learned so far and the optimiser's memory; weights of the critic's read-out; traces of both."""

    network: Network
    memory: tuple
    critic: Float[Array, " features"]
    traces: Params
    critic_trace: Float[Array, " features"]


@dataclass(frozen=True)
class ActorCritic(Learner):
    """The error of a prediction of reward tells how far an action was better than expected; the network moves by it.

    error = reward + discount value' - value, in which a state after the world's end is worth nothing. The value is a linear
    read-out of the hidden activity (of the inputs where nothing is hidden) and a constant, zero at birth and learned in
    life: critic += rate error trace / (1 + |activity|^2), so that the rate is the share of an error that one step mends.
    The network is moved as by the learner ``gradient``, -error times the trace taking the gradient's place. Both traces
    fade by discount times decay, and end with the episode: what was done in one is not to blame for the next.

    Actions are drawn from the softmax of the outputs, or around their values.

    Departs from the book: no discount by the time since the start, one decay for both traces, the critic's normalised rate.

    Genes: ``critic/log_rate``, ``discount`` and ``decay`` (through a sigmoid), and those of ``gradient`` as ``learner/...``.

    Attributes:
        learner: ``gradient``, with its optimiser, rates, gates and momentum.
        discount: in a genome of zeros, between 0 and 1.
        decay: of the traces in a genome of zeros, between 0 and 1.
        log_rate: natural logarithm of the critic's rate in a genome of zeros; never above 0.
        noise: spread of what is done around the outputs, in a life that acts by values.

    Raises:
        ValueError: for another learner, or settings that make no sense.
    """

    learner: Learner = Gradient(log_rate=-4.0)
    discount: float = 0.95
    decay: float = 0.8
    log_rate: float = -2.0
    noise: float = 0.3

    def __post_init__(self) -> None:
        if not isinstance(self.learner, Gradient):
            raise ValueError(f"learner: actor_critic moves a network as gradient does, not {type(self.learner).__name__}")
        if self.learner.forward is not None or self.learner.replay or self.learner.heads > 1:
            raise ValueError("learner: actor_critic has no use for forward, replay and heads; leave them out of its learner")
        for name in ("discount", "decay"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"learner: {name} must lie between 0 and 1, given {getattr(self, name)}")
        if self.noise <= 0:
            raise ValueError(f"learner: noise must be positive, given {self.noise}")

    @property
    def _mover(self) -> Gradient:
        assert isinstance(self.learner, Gradient)
        return self.learner

    @property
    def asks(self) -> tuple[str, ...]:
        return self.learner.asks

    @property
    def synapsewise(self) -> bool:
        return self.learner.synapsewise

    @property
    def needs(self) -> tuple[str, ...]:
        return ("reward",)

    @property
    def rhythm(self) -> int:
        return self.learner.rhythm

    def genome_spec(self, substrate: Substrate) -> GenomeSpec:
        own = [
            Gene("critic/log_rate", (), self.log_rate, 0.5),
            Gene("discount", (), math.log(self.discount / (1 - self.discount))),
            Gene("decay", (), math.log(self.decay / (1 - self.decay))),
        ]
        return GenomeSpec((*own, *GenomeSpec.join({"learner": self.learner.genome_spec(substrate)}).genes))

    def init(self, genes: Genes, network: Network, substrate: Substrate, *, key: Key) -> ActorCriticState:
        critic = jnp.zeros(self.memory(substrate))
        traces = jax.tree.map(jnp.zeros_like, {"weights": network.weights, "biases": network.biases})
        return ActorCriticState(network, self._mover.unmoved(branch(genes, "learner"), network), critic, traces, critic)

    def step(
        self, genes: Genes, state: ActorCriticState, inputs: Inputs, targets: Targets, substrate: Substrate, *, key: Key
    ) -> NoReturn:
        raise TypeError("learner: actor_critic learns from reward, not from targets")

    def act(
        self, genes: Genes, state: ActorCriticState, observation: Float[Array, " inputs"], substrate: Substrate, *,
        discrete: bool, key: Key,
    ) -> tuple[Float[Array, " outputs"], ActorCriticState]:  # fmt: skip
        outputs = self.predict(genes, state, observation[None], substrate)[0]
        return explored(outputs, self.noise, discrete=discrete, key=key), state

    def experience(
        self, genes: Genes, state: ActorCriticState, moment: Moment, substrate: Substrate, *, discrete: bool, key: Key
    ) -> ActorCriticState:
        network = state.network

        def likelihood(params: Params) -> tuple[Scalar, Array]:
            active = activities(substrate, replace(network, **params), moment.observation[None])
            outputs = active[substrate.output.name][0]
            felt = jax.lax.stop_gradient(surprise(outputs, moment.action, discrete=discrete))
            return (outputs * felt).sum(), _features(active, substrate)

        slope, now = jax.grad(likelihood, has_aux=True)({"weights": network.weights, "biases": network.biases})
        after = _features(activities(substrate, network, moment.following[None]), substrate)
        # clipped so that no genome makes a trace that never fades, or corrects more than the whole error
        discount, decay = (jax.nn.sigmoid(jnp.clip(genes[name], -10.0, 7.0)) for name in ("discount", "decay"))
        rate = jnp.exp(jnp.clip(genes["critic/log_rate"], -20.0, 0.0))
        later = jnp.where(moment.over, 0.0, after @ state.critic)
        error = moment.reward + discount * later - now @ state.critic
        fade = discount * decay
        traces = jax.tree.map(lambda trace, g: fade * trace + g, state.traces, slope)
        critic_trace = fade * state.critic_trace + now
        critic = state.critic + rate * error * critic_trace / (now @ now)
        gradient = jax.tree.map(lambda trace: -error * trace, traces)
        network, memory = self._mover.move(branch(genes, "learner"), network, state.memory, gradient, substrate)
        traces, critic_trace = jax.tree.map(lambda trace: jnp.where(moment.last, 0.0, trace), (traces, critic_trace))
        return ActorCriticState(network, memory, critic, traces, critic_trace)

    def predict(self, genes: Genes, state: ActorCriticState, inputs: Inputs, substrate: Substrate) -> Outputs:
        return forward(substrate, state.network, inputs)

    def operations(self, network: Network, substrate: Substrate) -> Scalar:
        # what was seen before and after, errors backward, traces and the update itself; of the critic two answers, trace, update
        return 5.0 * synapses(network) + 4.0 * self.memory(substrate)

    def memory(self, substrate: Substrate) -> int:
        # the critic's read-out
        return sum(p.size for p in inner_populations(substrate)) + 1


def _features(active: dict[str, Float[Array, "batch n"]], substrate: Substrate) -> Float[Array, " features"]:
    """What the critic reads: hidden activity and a constant, whose square is the 1 in its rate."""
    return jnp.concatenate([*(active[p.name][0] for p in inner_populations(substrate)), jnp.ones(1)])
