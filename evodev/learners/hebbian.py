"""A local read-out: Hebbian class averages, corrected by the delta rule."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from evodev.genome import Gene, GenomeSpec, spec_of
from evodev.learners.base import Learner
from evodev.network import Network, readout_inputs, readout_projections, synapses
from evodev.substrate import Substrate
from evodev.types import Array, Float, Genes, Inputs, Key, Outputs, Scalar, Targets


class HebbianState(NamedTuple):
    """Hebbian traces (features, classes), samples of each class, and the delta rule's weights (features, classes)."""

    traces: Array
    counts: Array
    weights: Array


def toward(center: Array, amount: Scalar, x: Array) -> Array:
    """``x`` less a share of its habitual value, at unit length: what a neuron sends that adapts to its mean."""
    x = x - amount * center
    return x * jax.lax.rsqrt((x**2).sum(-1, keepdims=True) + 1e-8)


@dataclass(frozen=True)
class Hebbian(Learner):
    """Writes only on the blank slates in front of the outputs; the rest of the network never changes in life.

    Hebb: the trace of class c gathers the activity that comes with it, so that trace / count is a running class mean; an
    output answers with the cosine between the activity and its mean, times a temperature. Senders adapt: a share of
    their mean activity over all samples is subtracted first. Delta (Widrow and Hoff 1960): synapses move by
    rate * activity * (target - answer), which goes on improving where means saturate. Both are local to a synapse.

    Genes: ``log_temperature``, ``log_rate``, ``adaptation`` (through a sigmoid).
    """

    frozen: ClassVar[bool] = True

    def genome_spec(self, substrate: Substrate) -> GenomeSpec:
        readout_projections(substrate)
        return spec_of([Gene("log_temperature", (), 2.0, 0.3), Gene("log_rate", (), -1.0, 0.5), Gene("adaptation", (), 1.0, 1.0)])

    def perceive(self, network: Network, inputs: Inputs, substrate: Substrate) -> Array:
        return readout_inputs(substrate, network, inputs)

    def init(self, genes: Genes, network: Network, substrate: Substrate, *, key: Key) -> HebbianState:
        features = sum(substrate.shape(p)[0] for p in readout_projections(substrate))
        blank = jnp.zeros((features, substrate.output.size))
        return HebbianState(blank, jnp.zeros(substrate.output.size), blank)

    def step(
        self, genes: Genes, state: HebbianState, inputs: Inputs, targets: Targets, substrate: Substrate, *, key: Key
    ) -> HebbianState:
        classes = jax.nn.one_hot(targets, substrate.output.size)
        state = state._replace(traces=state.traces + inputs.T @ classes, counts=state.counts + classes.sum(0))
        activity, answer = self._answer(genes, state, inputs)
        error = classes - jax.nn.softmax(answer)
        rate = jnp.exp(jnp.clip(genes["log_rate"], -20.0, 5.0))
        return state._replace(weights=state.weights + rate * activity.T @ error / len(inputs))

    def predict(self, genes: Genes, state: HebbianState, inputs: Inputs, substrate: Substrate) -> Outputs:
        return self._answer(genes, state, inputs)[1]

    def _answer(self, genes: Genes, state: HebbianState, inputs: Inputs) -> tuple[Float[Array, "batch features"], Outputs]:
        share = jax.nn.sigmoid(genes["adaptation"])
        habit = state.traces.sum(1) / jnp.maximum(state.counts.sum(), 1.0)
        means = toward(habit, share, (state.traces / jnp.maximum(state.counts, 1.0)).T)
        activity = toward(habit, share, inputs)
        temperature = jnp.exp(jnp.clip(genes["log_temperature"], -5.0, 5.0))
        cosine = jnp.where(state.counts > 0, activity @ means.T, 0.0)
        return activity, temperature * cosine + activity @ state.weights

    def operations(self, network: Network, substrate: Substrate) -> Scalar:
        # the network once, and the traces and weights of the read-out written
        return synapses(network) + 2.0 * sum(network.masks[p.name].sum() for p in readout_projections(substrate))
