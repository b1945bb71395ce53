"""Controls: the champion taken apart, piece by piece."""

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from evodev.baselines.base import Arm, Baseline, Report, Role, Setting
from evodev.network import Network
from evodev.organism import Organism, shuffle_genes
from evodev.types import Array, Genes, Genome, Key


class Control(Baseline):
    """A control keeps the champion's learner, and changes its genome or its network."""

    role: ClassVar[Role] = "control"
    note: ClassVar[str]
    stochastic: ClassVar[bool] = True

    def applies(self, setting: Setting) -> bool:
        return True

    def genome(self, setting: Setting) -> Genome:
        """The genome to grow; the champion's unless overridden."""
        return setting.champion

    @abstractmethod
    def change(self, organism: Organism, genome: Genome, network: Network, *, key: Key) -> Network:
        """What becomes of the grown network."""

    def build(self, name: str, setting: Setting, *, key: Key, say: Report) -> Arm:
        organism = setting.organism
        return Arm(
            name=name,
            role=self.role,
            subject=self.genome(setting),
            develop=Changed(organism, self) if self.stochastic else organism.hatch,
            learner=organism.learner,
            substrate=organism.substrate,
            stochastic=self.stochastic or organism.decoder.stochastic,
            genome_size=organism.genome_spec.size,
            note=self.note,
        )


@dataclass(frozen=True)
class Changed:
    """Development followed by a control's change."""

    organism: Organism
    control: Control

    def __call__(self, subject: Any, /, *, key: Key) -> tuple[Network, Genes]:
        key_grow, key_change = jax.random.split(key)
        network, genes = self.organism.develop(subject, key=key_grow)
        return self.control.change(self.organism, subject, network, key=key_change), genes


@dataclass(frozen=True)
class InitialGenome(Control):
    """The genome that the search started from."""

    note: ClassVar[str] = "before any selection"
    stochastic: ClassVar[bool] = False

    def genome(self, setting: Setting) -> Genome:
        return setting.initial

    def change(self, organism: Organism, genome: Genome, network: Network, *, key: Key) -> Network:
        return network


@dataclass(frozen=True)
class ShuffledGenome(Control):
    """The champion's decoder genes, the numbers of each gene in random order anew in each life; learner genes kept."""

    note: ClassVar[str] = "numbers of each decoder gene permuted in each life"

    def change(self, organism: Organism, genome: Genome, network: Network, *, key: Key) -> Network:
        key_shuffle, key_grow = jax.random.split(key)
        spec = organism.decoder.genome_spec(organism.substrate)
        shuffled = shuffle_genes(spec, genome[: spec.size], key=key_shuffle)
        return organism.decoder.grow(shuffled, organism.substrate, key=key_grow)


def _moments(weights: Array, mask: Array) -> tuple[Array, Array]:
    count = jnp.maximum(mask.sum(), 1.0)
    mean = (weights * mask).sum() / count
    return mean, jnp.sqrt((((weights - mean) ** 2) * mask).sum() / count)


@dataclass(frozen=True)
class FreshWeights(Control):
    """The champion's masks with Gaussian weights of the same mean and variance a projection."""

    note: ClassVar[str] = "topology kept; weights redrawn with the same moments in each life"

    def change(self, organism: Organism, genome: Genome, network: Network, *, key: Key) -> Network:
        weights = {}
        for i, (name, w) in enumerate(network.weights.items()):
            mean, spread = _moments(w, network.masks[name])
            noise = jax.random.normal(jax.random.fold_in(key, i), w.shape)
            weights[name] = network.masks[name] * (mean + spread * noise)
        return replace(network, weights=weights)


@dataclass(frozen=True)
class ShuffledWeights(Control):
    """The champion's weights dealt out anew among the synapses of each projection."""

    note: ClassVar[str] = "topology kept; weights permuted within each projection in each life"

    def change(self, organism: Organism, genome: Genome, network: Network, *, key: Key) -> Network:
        weights = {}
        for i, (name, w) in enumerate(network.weights.items()):
            mask = network.masks[name].ravel()
            # existing synapses first, in their own order and in a random order: deal the one onto the other
            order = jnp.argsort(-mask, stable=True)
            draw = jax.random.uniform(jax.random.fold_in(key, i), mask.shape)
            shuffled = jnp.argsort(jnp.where(mask > 0, draw, 2.0))
            weights[name] = jnp.zeros_like(mask).at[order].set(w.ravel()[shuffled]).reshape(w.shape)
        return replace(network, weights=weights)
