"""A local read-out that keeps what it saw: one memory cell a sample, answering by similarity."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from evodev.genome import Gene, GenomeSpec, spec_of
from evodev.learners.base import Learner
from evodev.learners.hebbian import toward
from evodev.network import Network, readout_inputs, readout_projections, synapses
from evodev.substrate import Substrate
from evodev.types import Array, Genes, Inputs, Key, Outputs, Scalar, Targets


class EpisodicState(NamedTuple):
    """Synapses onto the memory cells (capacity, features), from them to the classes (capacity, classes), and samples seen."""

    keys: Array
    labels: Array
    count: Array


@dataclass(frozen=True)
class Episodic(Learner):
    """One-shot Hebbian storage: each sample recruits a memory cell that learns its activity and its class.

    A memory cell answers exp(sharpness * cosine) to what resembles its sample; a class sums its cells, so that the
    read-out is a kernel estimate of the class densities, which goes on improving where class means saturate (attention
    over episodes: Vinyals et al. 2016, arXiv 1606.04080, without its trained context). Senders adapt as in
    :class:`Hebbian`: a share of their mean activity over all samples is subtracted first. Sharpness and confidence may
    grow with the samples of a life, both by evolved powers. When the cells are used up the oldest are recruited again.

    The synapses of the memory count: ``capacity`` times (features + classes).

    Genes: ``log_sharpness``, ``sharpness_growth``, ``log_confidence``, ``confidence_growth``, ``adaptation``.

    Attributes:
        capacity: memory cells.
    """

    capacity: int = 100

    def __post_init__(self) -> None:
        if self.capacity < 1:
            raise ValueError(f"learner: capacity must be at least 1, given {self.capacity}")

    frozen: ClassVar[bool] = True

    def genome_spec(self, substrate: Substrate) -> GenomeSpec:
        readout_projections(substrate)
        return spec_of(
            [
                Gene("log_sharpness", (), 2.5, 0.5),
                Gene("sharpness_growth", (), 0.0, 0.2),
                Gene("log_confidence", (), 0.0, 0.5),
                Gene("confidence_growth", (), 0.0, 0.2),
                Gene("adaptation", (), 3.0, 1.0),
            ]
        )

    def perceive(self, network: Network, inputs: Inputs, substrate: Substrate) -> Array:
        return readout_inputs(substrate, network, inputs)

    def init(self, genes: Genes, network: Network, substrate: Substrate, *, key: Key) -> EpisodicState:
        features = sum(substrate.shape(p)[0] for p in readout_projections(substrate))
        keys, labels = jnp.zeros((self.capacity, features)), jnp.zeros((self.capacity, substrate.output.size))
        return EpisodicState(keys, labels, jnp.zeros((), jnp.int32))

    def step(
        self, genes: Genes, state: EpisodicState, inputs: Inputs, targets: Targets, substrate: Substrate, *, key: Key
    ) -> EpisodicState:
        cells = (state.count + jnp.arange(len(inputs))) % self.capacity
        labels = jax.nn.one_hot(targets, substrate.output.size)
        return EpisodicState(state.keys.at[cells].set(inputs), state.labels.at[cells].set(labels), state.count + len(inputs))

    def predict(self, genes: Genes, state: EpisodicState, inputs: Inputs, substrate: Substrate) -> Outputs:
        stored = jnp.minimum(state.count, self.capacity)
        share = jax.nn.sigmoid(genes["adaptation"])
        habit = state.keys.sum(0) / jnp.maximum(stored, 1)
        cosine = toward(habit, share, inputs) @ toward(habit, share, state.keys).T
        # samples a class, were all classes equally frequent; its logarithm is 0 after the first of each
        experience = jnp.log(jnp.maximum(stored / substrate.output.size, 1.0))
        sharpness = jnp.exp(jnp.clip(genes["log_sharpness"] + genes["sharpness_growth"] * experience, -5.0, 5.0))
        confidence = jnp.exp(jnp.clip(genes["log_confidence"] + genes["confidence_growth"] * experience, -5.0, 3.0))
        answers = jnp.exp(sharpness * (cosine - 1.0)) @ state.labels
        per_class = state.labels.sum(0)
        density = jnp.log(answers / jnp.maximum(per_class, 1.0) + 1e-30)
        # a class of which nothing is known is as likely as the mean of the known ones
        known = per_class > 0
        mean = jnp.where(known, density, 0.0).sum(-1, keepdims=True) / jnp.maximum(known.sum(), 1)
        return confidence * jnp.where(known, density, mean)

    def operations(self, network: Network, substrate: Substrate) -> Scalar:
        # the network once, and one memory cell written
        features = sum(substrate.shape(p)[0] for p in readout_projections(substrate))
        return synapses(network) + float(features + substrate.output.size)

    def memory(self, substrate: Substrate) -> int:
        features = sum(substrate.shape(p)[0] for p in readout_projections(substrate))
        blank = sum(substrate.shape(p)[0] * substrate.shape(p)[1] for p in readout_projections(substrate))
        return self.capacity * (features + substrate.output.size) - blank
