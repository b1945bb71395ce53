"""Locally connected from scratch: receptive fields made by hand on the champion's substrate, no weights shared."""

from dataclasses import dataclass, replace
from math import prod

import jax
import jax.numpy as jnp
import numpy as np

from evodev.baselines.base import Setting
from evodev.baselines.random_networks import backprop_organism
from evodev.baselines.scratch import Scratch, narrowed, scales, spatial, uniform
from evodev.genome import GenomeSpec
from evodev.network import Network
from evodev.organism import Organism
from evodev.substrate import Projection, Substrate
from evodev.types import Genome, Key


def distances(substrate: Substrate, projection: Projection) -> np.ndarray | None:
    """Largest difference along any axis between positions (pre, post); None where the two do not lie in one space.

    Outputs lie in none, nor does a population of a single position; blank slates are dense everywhere.
    """
    pre, post = substrate.population(projection.pre), substrate.population(projection.post)
    dimensions = {p.positions.shape[1] for p in (substrate.input, pre, post)}
    if projection.blank or post == substrate.output or len(pre.positions) == 1 or len(dimensions) > 1:
        return None
    return np.abs(pre.positions[:, None] - post.positions[None]).max(-1)


def near(far: np.ndarray, radius: float) -> np.ndarray:
    """Which positions (pre, post) are no further apart than the radius; of each that receives at least the nearest."""
    # the grids of two populations seldom coincide to the last bit
    return far <= np.maximum(radius, far.min(0)) + 1e-5


def field(substrate: Substrate, projection: Projection, radius: float) -> np.ndarray:
    """Mask (pre, post) of the synapses between positions that are near; of all where there is no nearness."""
    far = distances(substrate, projection)
    if far is None:
        return np.ones(substrate.shape(projection), np.float32)
    types = tuple(substrate.population(name).types for name in (projection.pre, projection.post))
    return np.kron(near(far, radius), np.ones(types)).astype(np.float32)


def radii(substrate: Substrate) -> dict[float, int]:
    """Synapses in all at each radius that makes a difference, from the smallest."""
    lengths = {p: far for p in substrate.projections if (far := distances(substrate, p)) is not None}
    if not lengths:
        return {}
    each = np.unique(np.concatenate([far.ravel() for far in lengths.values()]).round(4)).tolist()
    whole = sum(prod(substrate.shape(p)) for p in substrate.projections if p not in lengths)
    room = {p: prod(substrate.shape(p)) for p in lengths}
    return {radius: whole + round(sum(near(far, radius).mean() * room[p] for p, far in lengths.items())) for radius in each}


@dataclass(frozen=True)
class LocalNetwork:
    """Grows nothing: uniform weights, drawn afresh in each life, on square receptive fields around each neuron's place.

    Attributes:
        radius: reach along every axis, in the units of the populations' coordinates.
    """

    radius: float

    @property
    def stochastic(self) -> bool:
        return True

    def genome_spec(self, substrate: Substrate) -> GenomeSpec:
        return scales(substrate)

    def grow(self, genome: Genome, substrate: Substrate, *, key: Key, shared: bool = False) -> Network:
        genes = self.genome_spec(substrate).unpack(genome)
        masks = {p.name: jnp.asarray(field(substrate, p, self.radius)) for p in substrate.projections}
        weights = {
            name: mask * uniform(mask.shape, mask.sum(0), genes[f"{name}/log_scale"], key=jax.random.fold_in(key, i))
            for i, (name, mask) in enumerate(masks.items())
        }
        biases = {p.name: jnp.zeros(p.size) for p in substrate.populations}
        return Network(weights, masks, {}, biases, {name: jnp.ones_like(bias) for name, bias in biases.items()})


@dataclass(frozen=True)
class LocallyConnected(Scratch):
    """Receptive fields of one radius in the whole substrate, the largest with no more synapses than the champion has.

    Where populations lie in the space of the inputs; between others, and on blank slates, every synapse is there.
    """

    lives: int = 8

    def applies(self, setting: Setting) -> bool:
        substrate = setting.organism.substrate
        if substrate.modular or not spatial(setting.task) or substrate.input.grid != setting.task.grid:
            return False
        counts = radii(substrate).values()
        return bool(counts) and min(counts) <= setting.synapses < max(counts)

    def organism(self, setting: Setting, *, width: float = 1.0, key: Key) -> Organism:
        organism = backprop_organism(setting, "dense")
        substrate = narrowed(organism.substrate, width)
        room = setting.synapses - organism.learner.memory(substrate)
        counts = radii(substrate)
        radius = max((r for r, count in counts.items() if count <= room), default=min(counts))
        return replace(organism, substrate=substrate, decoder=LocalNetwork(radius))

    def about(self, setting: Setting, organism: Organism) -> str:
        assert isinstance(organism.decoder, LocalNetwork)
        return f"receptive fields of radius {organism.decoder.radius:.2g}, the whole field from -1 to 1"
