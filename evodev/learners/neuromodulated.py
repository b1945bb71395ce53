"""Three-factor learning: activity marks a synapse, a modulator changes it (Fremaux & Gerstner 2016; Bellec et al. 2020)."""

import math
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp

from evodev.genome import Gene, GenomeSpec, spec_of
from evodev.learners.base import Learner, explored, inner_populations, missed, surprise
from evodev.network import Network, activities, forward, synapses
from evodev.substrate import Substrate
from evodev.types import Array, Float, Genes, Inputs, Key, Moment, Outputs, Scalar, Targets


class NeuromodulatedState(NamedTuple):
    """The network as learned so far; eligibility traces by projection; fixed weights (outputs, neurons) that send errors back,
    by population; mean reward so far and steps lived.
    """

    network: Network
    traces: dict[str, Array]
    feedback: dict[str, Array]
    expected: Array
    age: Array


@dataclass(frozen=True)
class Neuromodulated(Learner):
    """trace <- decay trace + pre_i (A post_j + B); dw_ij = rate modulator_j trace_ij, sample after sample.

    The samples of a batch are lived in order, answered by the network as it was before the batch; dw is divided by the
    batch. Biases stay. Third factors:

    - ``error``: target less answer (class probabilities, or values). Each output is modulated by its own, each other
      neuron by all of them through weights drawn at birth that never change (broadcast feedback: Lillicrap et al. 2016).
      With A = 0, B = 1 and no trace it is the delta rule: a genome of zeros learns so at the outputs.
    - ``reward``: reward less its mean so far, one number for the whole network, in a life that acts (or from a stream that
      gives rewards in place of targets).
    - ``own``: the network's own, one number a sample: tanh of an evolved linear read-out of its hidden activity (as in
      Miconi et al. 2019, arXiv 2002.10585). Targets enter as in ``hebbian_rule``: the outputs are as active as target less
      answer while the network learns.

    In a life that acts, actions are drawn from the softmax of the outputs, or around their values; the outputs are as active
    as action less what was expected of it while the network learns, so that with reward as the factor the read-out follows
    the gradient of reward (REINFORCE: Williams 1992). Traces end with the episode; the network's own modulator judges by
    what is seen next.

    Genes: ``log_rate``, ``decay`` (through a sigmoid), ``A`` and ``B`` of each projection; with ``own`` also
    ``modulator/<population>`` and ``modulator/bias``.

    Attributes:
        factor: the third factor.
        log_rate: natural logarithm of the rate at which a neuron's drive moves, in a genome of zeros; that of a synapse is
            divided by the size of the population that sends, so that networks of all sizes are stable.
        limit: largest magnitude of a weight that changes.
        noise: spread of what is done around the outputs, in a life that acts by values.
    """

    factor: Literal["error", "reward", "own"] = "error"
    log_rate: float = 0.0
    limit: float = 5.0
    noise: float = 0.3

    def __post_init__(self) -> None:
        if self.factor not in ("error", "reward", "own"):
            raise ValueError(f"learner: factor is {self.factor!r}; one of error, reward, own")
        if self.limit <= 0:
            raise ValueError(f"learner: limit must be positive, given {self.limit}")

    @property
    def needs(self) -> tuple[str, ...]:
        return {"error": ("targets",), "reward": ("reward",), "own": ()}[self.factor]

    def genome_spec(self, substrate: Substrate) -> GenomeSpec:
        genes = []
        for p in substrate.projections:
            taught = p.post == substrate.output.name
            alone = taught and self.factor == "error"
            per_synapse = self.log_rate - math.log(substrate.shape(p)[0])
            genes += [Gene(f"{p.name}/log_rate", (), per_synapse, 0.5), Gene(f"{p.name}/decay", (), -2.0)]
            # what a factor that is the same for all neurons makes grow, nothing holds back but the limit
            weak = 0.1 if self.factor == "error" else 0.01
            scale = 0.3 if taught else 0.1
            genes += [Gene(f"{p.name}/A", (), 0.0 if alone else 1.0 if taught else weak, scale)]
            genes += [Gene(f"{p.name}/B", (), 1.0 if alone else 0.0, scale)]
        if self.factor == "own":
            genes += [Gene(f"modulator/{p.name}", (p.size,), scale=p.size**-0.5) for p in inner_populations(substrate)]
            genes.append(Gene("modulator/bias", (), 1.0, 0.5))
        return spec_of(genes)

    def init(self, genes: Genes, network: Network, substrate: Substrate, *, key: Key) -> NeuromodulatedState:
        traces = {p.name: jnp.zeros(substrate.shape(p)) for p in substrate.projections}
        feedback = {}
        if self.factor == "error":
            outputs = substrate.output.size
            for i, p in enumerate(substrate.populations[1:-1]):
                drawn = jax.random.normal(jax.random.fold_in(key, i), (outputs, p.size))
                feedback[p.name] = drawn * outputs**-0.5
        return NeuromodulatedState(network, traces, feedback, jnp.zeros(()), jnp.zeros(()))

    def step(
        self, genes: Genes, state: NeuromodulatedState, inputs: Inputs, targets: Targets, substrate: Substrate, *, key: Key
    ) -> NeuromodulatedState:
        network, output, count = state.network, substrate.output.name, len(inputs)
        active, expected = activities(substrate, network, inputs), state.expected
        factors: dict[str, Array] = {}
        common = jnp.zeros(count)
        if self.factor == "reward":
            reward = targets.reshape(count).astype(jnp.float32)
            common, expected = reward - expected, expected + (reward.mean() - expected) / (state.age + 1.0)
        elif self.factor == "error":
            error = missed(active[output], targets)
            factors = {name: error @ back for name, back in state.feedback.items()} | {output: error}
        else:
            active[output] = missed(active[output], targets)
            common = self._own(genes, active, substrate)
        return self._changed(genes, state, active, factors, common, substrate)._replace(expected=expected, age=state.age + 1.0)

    def act(
        self,
        genes: Genes,
        state: NeuromodulatedState,
        observation: Float[Array, " inputs"],
        substrate: Substrate,
        *,
        discrete: bool,
        key: Key,
    ) -> tuple[Float[Array, " outputs"], NeuromodulatedState]:
        outputs = self.predict(genes, state, observation[None], substrate)[0]
        return explored(outputs, self.noise, discrete=discrete, key=key), state

    def experience(
        self, genes: Genes, state: NeuromodulatedState, moment: Moment, substrate: Substrate, *, discrete: bool, key: Key
    ) -> NeuromodulatedState:
        active, output = activities(substrate, state.network, moment.observation[None]), substrate.output.name
        active[output] = surprise(active[output][0], moment.action, discrete=discrete)[None]
        # the network's own modulator judges by what it sees next
        common = moment.reward[None]
        if self.factor == "own":
            common = self._own(genes, activities(substrate, state.network, moment.following[None]), substrate)
        state = self._changed(genes, state, active, {}, common, substrate)
        # what was done in one episode is not to blame for what happens in the next
        return state._replace(traces=jax.tree.map(lambda trace: jnp.where(moment.last, 0.0, trace), state.traces))

    def _own(self, genes: Genes, active: dict[str, Array], substrate: Substrate) -> Float[Array, " batch"]:
        """The network's own modulator."""
        read = sum(active[p.name] @ genes[f"modulator/{p.name}"] for p in inner_populations(substrate))
        return jnp.tanh(read + genes["modulator/bias"])

    def _changed(
        self,
        genes: Genes,
        state: NeuromodulatedState,
        active: dict[str, Float[Array, "batch n"]],
        factors: dict[str, Array],
        common: Float[Array, " batch"],
        substrate: Substrate,
    ) -> NeuromodulatedState:
        """State after activity (that of the outputs as taught), under third factors by population, or one for all others."""
        network, count = state.network, len(common)
        weights, traces = dict(network.weights), {}
        for p in substrate.projections:
            name, w = p.name, weights[p.name]
            # clipped so that no genome makes a rate infinite, or a trace that never fades
            rate = jnp.exp(jnp.clip(genes[f"{name}/log_rate"], -20.0, 5.0))
            decay = jax.nn.sigmoid(jnp.clip(genes[f"{name}/decay"], -10.0, 10.0))
            post = genes[f"{name}/A"] * active[p.post] + genes[f"{name}/B"]
            change, traces[name] = _lived(state.traces[name], active[p.pre], post, factors.get(p.post, common[:, None]), decay)
            # a weight that was born beyond the limit may stay there
            limit = jnp.maximum(self.limit, jnp.abs(w))
            moved = w + rate * network.gains.get(name, 1.0) * change / count
            weights[name] = network.masks[name] * jnp.clip(moved, -limit, limit)
        return state._replace(network=replace(network, weights=weights), traces=traces)

    def predict(self, genes: Genes, state: NeuromodulatedState, inputs: Inputs, substrate: Substrate) -> Outputs:
        return forward(substrate, state.network, inputs)

    def operations(self, network: Network, substrate: Substrate) -> Scalar:
        # the network once, every trace and every synapse written
        return 3.0 * synapses(network)


def _lived(
    trace: Float[Array, "pre post"],
    pre: Float[Array, "batch pre"],
    post: Float[Array, "batch post"],
    factor: Float[Array, "batch _"],
    decay: Scalar,
) -> tuple[Float[Array, "pre post"], Float[Array, "pre post"]]:
    """Sum of factor times trace over the samples in order, and the trace after the last.

    As a loop over the samples would give, in three products: what a sample leaves in the trace meets the factors of all
    samples from its own on, faded.
    """
    count = len(pre)
    lag = jnp.arange(count)[None, :] - jnp.arange(count)[:, None]
    faded = jnp.where(lag >= 0, decay ** jnp.maximum(lag, 0).astype(jnp.float32), 0.0)
    later = faded @ factor
    change = decay * trace * later[0] + pre.T @ (post * later)
    return change, decay**count * trace + pre.T @ (post * faded[:, -1:])
