"""Random sparse networks from scratch whose projections differ in density: as the champion's do, or by a rule."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from typing import Literal

import jax
import numpy as np

from evodev.baselines.base import Setting
from evodev.baselines.random_networks import RandomNetwork, backprop_organism, density_of, distinct
from evodev.baselines.scratch import Scratch, narrowed
from evodev.network import synapse_counts
from evodev.organism import Organism
from evodev.types import Array, Genome, Key


def erdos_renyi(shapes: Mapping[str, tuple[int, ...]], count: float) -> dict[str, float]:
    """Densities in proportion to (pre + post) / (pre post), with ``count`` synapses in all and no density above 1.

    Mocanu et al. 2018 (Nature Communications 9:2383); what a full projection cannot take is shared out among the others, as
    in Evci et al. 2020 (RigL, arXiv 1911.11134). Their kernel form ERK, (sum of the sides) / (product of the sides), is the
    same rule for a shape that also has the sides of a kernel.

    Args:
        shapes: sides of each projection.
        count: synapses, no more than there is room for.
    """
    full: set[str] = set()
    while True:
        free = {name: shape for name, shape in shapes.items() if name not in full}
        if not free:
            return dict.fromkeys(shapes, 1.0)
        share = (count - sum(prod(shapes[name]) for name in full)) / sum(sum(shape) for shape in free.values())
        densities = {name: share * sum(shape) / prod(shape) for name, shape in free.items()}
        over = {name for name, density in densities.items() if density > 1}
        if not over:
            return {name: densities.get(name, 1.0) for name in shapes}
        full |= over


@partial(jax.jit, static_argnums=0)
def _counts(organism: Organism, genome: Genome, *, key: Key) -> dict[str, Array]:
    return synapse_counts(organism.develop(genome, key=key)[0])


@dataclass(frozen=True)
class LayerDensities(Scratch):
    """Random masks, drawn anew in each life, with a density for each projection; blank slates are dense as everywhere.

    Attributes:
        rule: ``champion``, those that its projections have; ``erk``, Erdos-Renyi at its number of synapses.
        lives: validation lives a grid point.
    """

    rule: Literal["champion", "erk"]
    lives: int = 8

    def applies(self, setting: Setting) -> bool:
        substrate = setting.organism.substrate
        return len(substrate.grown) > 1 and not substrate.modular and distinct(setting, "sparse")

    def organism(self, setting: Setting, *, width: float = 1.0, key: Key) -> Organism:
        organism = backprop_organism(setting, "dense")
        own = organism.substrate
        substrate = narrowed(own, width)
        shapes = {p.name: substrate.shape(p) for p in substrate.grown}
        if self.rule == "champion":
            counts = _counts(setting.organism, setting.champion, key=key)
            densities = {p.name: float(counts[p.name]) / prod(own.shape(p)) for p in own.grown}
        else:
            room = sum(prod(own.shape(p)) for p in own.grown)
            densities = erdos_renyi(shapes, min(density_of(setting, "sparse") * room, sum(map(prod, shapes.values()))))
        # a projection without any synapse has no weights to scale
        layers = tuple((name, float(np.clip(density, 1 / prod(shapes[name]), 1.0))) for name, density in densities.items())
        return replace(organism, substrate=substrate, decoder=RandomNetwork(layers=layers))

    def about(self, setting: Setting, organism: Organism) -> str:
        assert isinstance(organism.decoder, RandomNetwork)
        return f"densities {', '.join(f'{name} {density:.2g}' for name, density in organism.decoder.layers)}"
