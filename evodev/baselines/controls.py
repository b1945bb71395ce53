"""Controls: the champion taken apart, piece by piece."""

from abc import abstractmethod
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, Literal

import jax
import jax.numpy as jnp
import numpy as np

from evodev.baselines.base import Arm, Baseline, Report, Role, Setting, arm_of
from evodev.baselines.masks import same_degrees, same_density, same_layers
from evodev.genome import GenomeSpec
from evodev.network import Network
from evodev.organism import Organism, shuffle_genes
from evodev.substrate import Substrate
from evodev.types import Array, Genes, Genome, Key

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

    @property
    @abstractmethod
    def note(self) -> str:
        """What is changed, in one phrase."""

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


@partial(jax.jit, static_argnums=0)
def _develop(organism: Organism, genome: Genome, *, key: Key) -> Network:
    return organism.develop(genome, key=key)[0]


def grown(setting: Setting, *, key: Key) -> Network:
    """The champion's network."""
    return _develop(setting.organism, setting.champion, key=key)


@dataclass(frozen=True)
class InitialGenome(Baseline):
    """The genome that the search started from."""

    role: ClassVar[Role] = "control"

    def applies(self, setting: Setting) -> bool:
        return setting.grows

    def build(self, name: str, setting: Setting, *, key: Key, say: Report) -> Arm:
        note = "before any selection, its own learner genes"
        return arm_of(name, setting.organism, setting.initial, role=self.role, evolved=True, note=note)


class OtherGenome(Control):
    """A control that grows from other decoder genes than the champion's; learner genes kept."""

    def applies(self, setting: Setting) -> bool:
        return setting.grows

    @abstractmethod
    def genes(self, setting: Setting, spec: GenomeSpec, *, key: Key) -> Genome:
        """The decoder's genes, of its own ``spec``."""

    def draw(self, setting: Setting, *, key: Key) -> Network:
        organism = setting.organism
        key_genes, key_grow = jax.random.split(key)
        spec = organism.decoder.genome_spec(organism.substrate)
        other = self.genes(setting, spec, key=key_genes)
        return grown(replace(setting, champion=setting.champion.at[: spec.size].set(other)), key=key_grow)


@dataclass(frozen=True)
class ShuffledGenome(OtherGenome):
    """The champion's decoder genes, the numbers of each gene in random order; learner genes kept."""

    @property
    def note(self) -> str:
        return "numbers of each decoder gene permuted"

    def genes(self, setting: Setting, spec: GenomeSpec, *, key: Key) -> Genome:
        return shuffle_genes(spec, setting.champion[: spec.size], key=key)


@dataclass(frozen=True)
class RandomGenome(OtherGenome):
    """Decoder genes drawn anew, as a search draws them; the champion's learner genes."""

    routine: ClassVar[bool] = False

    @property
    def note(self) -> str:
        return "decoder genes redrawn, the champion's learner genes"

    def genes(self, setting: Setting, spec: GenomeSpec, *, key: Key) -> Genome:
        return spec.init(key=key)


@dataclass(frozen=True)
class NeutralDrift(OtherGenome):
    """The initial decoder genes moved as far as the champion's are from them, in a random direction: change, no selection.

    What a lineage without selection arrives at after as long a way; the way itself is not walked. The champion's learner genes.
    """

    routine: ClassVar[bool] = False

    @property
    def note(self) -> str:
        return "as far from the initial genome as the champion, in a random direction; the champion's learner genes"

    def genes(self, setting: Setting, spec: GenomeSpec, *, key: Key) -> Genome:
        start = setting.initial[: spec.size]
        way = jax.random.normal(key, start.shape)
        distance = jnp.linalg.norm(setting.champion[: spec.size] - start)
        return start + distance * way / jnp.maximum(jnp.linalg.norm(way), 1e-12)


def _moments(weights: Array, mask: Array) -> tuple[Array, Array]:
    count = jnp.maximum(mask.sum(), 1.0)
    mean = (weights * mask).sum() / count
    return mean, jnp.sqrt((((weights - mean) ** 2) * mask).sum() / count)


def redrawn(network: Network, masks: dict[str, Array], *, key: Key) -> Network:
    """Gaussian weights at these masks, with the mean and variance that each projection of the network has at its own."""
    weights = {}
    for i, (name, w) in enumerate(network.weights.items()):
        mean, spread = _moments(w, network.masks[name])
        weights[name] = masks[name] * (mean + spread * jax.random.normal(jax.random.fold_in(key, i), w.shape))
    return replace(network, weights=weights, masks=masks)


@dataclass(frozen=True)
class FreshWeights(Control):
    """The champion's masks with moment-matched Gaussian weights: the same mean and variance a projection."""

    @property
    def note(self) -> str:
        return "topology kept, moment-matched Gaussian weights: each projection's mean and variance"

    def draw(self, setting: Setting, *, key: Key) -> Network:
        key_grow, key_weights = jax.random.split(key)
        network = grown(setting, key=key_grow)
        return redrawn(network, network.masks, key=key_weights)


def rewired(
    network: Network, substrate: Substrate, keeps: Literal["degrees", "layers", "density"], *, key: Key
) -> dict[str, Array]:
    """Random masks that share the network's degrees, layers or density; see :class:`Rewired`."""
    rewire = {"degrees": same_degrees, "layers": same_layers, "density": same_density}[keeps]
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    where = living(network, substrate)
    masks = dict(network.masks)
    for name, part in rewire({n: np.asarray(masks[n])[of] for n, of in where.items()}, rng).items():
        mask = np.zeros(masks[name].shape, np.float32)
        mask[where[name]] = part
        masks[name] = jnp.asarray(mask)
    return masks


def living(network: Network, substrate: Substrate) -> dict[str, Any]:
    """Index of the part of each grown matrix that lies between neurons that live."""
    alive = {name: np.flatnonzero(np.asarray(lives) > 0) for name, lives in network.alive.items()}
    return {p.name: np.ix_(alive[p.pre], alive[p.post]) for p in substrate.grown}


@dataclass(frozen=True)
class Rewired(Control):
    """Fresh weights as in :class:`FreshWeights`, on a random mask that shares the champion's degrees, layers or density.

    Against the champion's mask with fresh weights it tells what the topology is worth beyond what is kept of it. Blank
    slates stay whole, and synapses join only neurons that live.

    Attributes:
        keeps: ``degrees``, of every neuron in each projection; ``layers``, the synapses of each projection; ``density``,
            the synapses in all.
    """

    keeps: Literal["degrees", "layers", "density"] = "degrees"
    routine: ClassVar[bool] = False

    @property
    def note(self) -> str:
        kept = {"degrees": "fan-ins and fan-outs", "layers": "synapses a projection", "density": "synapses in all"}
        return f"random mask that keeps the champion's {kept[self.keeps]}, weights redrawn with the same moments"

    def draw(self, setting: Setting, *, key: Key) -> Network:
        key_grow, key_weights, key_mask = jax.random.split(key, 3)
        network = grown(setting, key=key_grow)
        masks = rewired(network, setting.organism.substrate, self.keeps, key=key_mask)
        return redrawn(network, masks, key=key_weights)


@dataclass(frozen=True)
class SpectrumMatched(Control):
    """Every grown matrix with the champion's singular values and random singular vectors.

    Random vectors mix all synapses between neurons that live: no mask survives that.
    """

    routine: ClassVar[bool] = False

    @property
    def note(self) -> str:
        return "singular values of each projection kept, singular vectors random (spectrum-matched); dense"

    def draw(self, setting: Setting, *, key: Key) -> Network:
        key_grow, key_vectors = jax.random.split(key)
        network = grown(setting, key=key_grow)
        weights, masks = dict(network.weights), dict(network.masks)
        rng = np.random.default_rng(np.asarray(jax.random.key_data(key_vectors)))
        for name, where in living(network, setting.organism.substrate).items():
            matrix, mask = np.zeros(weights[name].shape, np.float32), np.zeros(weights[name].shape, np.float32)
            part = np.asarray(weights[name])[where]
            if part.size:
                values = np.linalg.svd(part, compute_uv=False)
                left, right = (np.linalg.qr(rng.normal(size=(side, len(values))))[0] for side in part.shape)
                matrix[where], mask[where] = (left * values * rng.choice([-1.0, 1.0], len(values))) @ right.T, 1.0
            weights[name], masks[name] = jnp.asarray(matrix), jnp.asarray(mask)
        return replace(network, weights=weights, masks=masks)


@dataclass(frozen=True)
class ShuffledWeights(Control):
    """The champion's weights dealt out anew among the synapses of each projection."""

    @property
    def note(self) -> str:
        return "topology kept, weights permuted within each projection"

    def draw(self, setting: Setting, *, key: Key) -> Network:
        key_grow, key_deal = jax.random.split(key)
        network, weights = grown(setting, key=key_grow), {}
        rng = np.random.default_rng(np.asarray(jax.random.key_data(key_deal)))
        for name, w in network.weights.items():
            dealt, exists = np.array(w), np.asarray(network.masks[name]) > 0
            dealt[exists] = rng.permutation(dealt[exists])
            weights[name] = jnp.asarray(dealt)
        return replace(network, weights=weights)
