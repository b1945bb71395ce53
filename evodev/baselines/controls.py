"""Controls: the champion taken apart, piece by piece."""

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from evodev.baselines.base import Arm, Baseline, Report, Role, Setting
from evodev.network import Network
from evodev.organism import shuffle_genes
from evodev.types import Array, Genes, Key

DRAWS = 8
"""Networks that a random control draws; each life gets one of them."""


def pick(subject: Any, /, *, key: Key) -> tuple[Network, Genes]:
    """One of a stack of networks, at random, with the learner's genes."""
    networks, genes = subject
    index = jax.random.randint(key, (), 0, jax.tree.leaves(networks)[0].shape[0])
    return jax.tree.map(lambda x: x[index], networks), genes


class Control(Baseline):
    """A control keeps the champion's learner and its genes, and changes the network that they live with."""

    role: ClassVar[Role] = "control"
    note: ClassVar[str]

    def applies(self, setting: Setting) -> bool:
        return True

    @abstractmethod
    def draw(self, setting: Setting, *, key: Key) -> Network:
        """One changed network, every projection a matrix; runs once a draw, outside of any compiled program."""

    def build(self, name: str, setting: Setting, *, key: Key, say: Report) -> Arm:
        organism = setting.organism
        networks = [self.draw(setting, key=k) for k in jax.random.split(key, DRAWS)]
        return Arm(
            name=name,
            role=self.role,
            subject=(jax.tree.map(lambda *x: jnp.stack(x), *networks), organism.split(setting.champion)[1]),
            develop=pick,
            learner=organism.learner,
            substrate=organism.substrate,
            stochastic=True,
            genome_size=organism.genome_spec.size,
            note=f"{self.note}; {DRAWS} draws",
        )


def grown(setting: Setting, *, key: Key) -> Network:
    """The champion's network."""
    return jax.jit(lambda genome, k: setting.organism.develop(genome, key=k)[0])(setting.champion, key)


@dataclass(frozen=True)
class InitialGenome(Baseline):
    """The genome that the search started from."""

    role: ClassVar[Role] = "control"

    def applies(self, setting: Setting) -> bool:
        return True

    def build(self, name: str, setting: Setting, *, key: Key, say: Report) -> Arm:
        organism = setting.organism
        return Arm(
            name=name,
            role=self.role,
            subject=setting.initial,
            develop=organism.hatch,
            learner=organism.learner,
            substrate=organism.substrate,
            stochastic=organism.decoder.stochastic,
            genome_size=organism.genome_spec.size,
            note="before any selection, its own learner genes",
        )


@dataclass(frozen=True)
class ShuffledGenome(Control):
    """The champion's decoder genes, the numbers of each gene in random order; learner genes kept."""

    note: ClassVar[str] = "numbers of each decoder gene permuted"

    def draw(self, setting: Setting, *, key: Key) -> Network:
        organism = setting.organism
        key_shuffle, key_grow = jax.random.split(key)
        spec = organism.decoder.genome_spec(organism.substrate)
        shuffled = shuffle_genes(spec, setting.champion[: spec.size], key=key_shuffle)
        return grown(replace(setting, champion=setting.champion.at[: spec.size].set(shuffled)), key=key_grow)


def _moments(weights: Array, mask: Array) -> tuple[Array, Array]:
    count = jnp.maximum(mask.sum(), 1.0)
    mean = (weights * mask).sum() / count
    return mean, jnp.sqrt((((weights - mean) ** 2) * mask).sum() / count)


@dataclass(frozen=True)
class FreshWeights(Control):
    """The champion's masks with Gaussian weights of the same mean and variance a projection."""

    note: ClassVar[str] = "topology kept, weights redrawn with the same moments"

    def draw(self, setting: Setting, *, key: Key) -> Network:
        key_grow, key_weights = jax.random.split(key)
        network, weights = grown(setting, key=key_grow), {}
        for i, (name, w) in enumerate(network.weights.items()):
            mean, spread = _moments(w, network.masks[name])
            noise = jax.random.normal(jax.random.fold_in(key_weights, i), w.shape)
            weights[name] = network.masks[name] * (mean + spread * noise)
        return replace(network, weights=weights)


@dataclass(frozen=True)
class ShuffledWeights(Control):
    """The champion's weights dealt out anew among the synapses of each projection."""

    note: ClassVar[str] = "topology kept, weights permuted within each projection"

    def draw(self, setting: Setting, *, key: Key) -> Network:
        key_grow, key_deal = jax.random.split(key)
        network, weights = grown(setting, key=key_grow), {}
        rng = np.random.default_rng(np.asarray(jax.random.key_data(key_deal)))
        for name, w in network.weights.items():
            dealt, exists = np.array(w), np.asarray(network.masks[name]) > 0
            dealt[exists] = rng.permutation(dealt[exists])
            weights[name] = jnp.asarray(dealt)
        return replace(network, weights=weights)
