"""Raw coordinates: the cells of HyperNEAT (Stanley, D'Ambrosio, Gauci 2009, Artificial Life 15(2))."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from evodev.decoders.base import Cells, Tissue, all_alive
from evodev.genome import GenomeSpec, spec_of
from evodev.substrate import Substrate
from evodev.types import Genes, Key


@dataclass(frozen=True)
class Coordinates(Cells):
    """Each neuron's depth and place, fixed by the substrate; no genes.

    Depth comes first and runs from -1 in the inputs to 1 in the outputs, so that one wiring can serve all projections and
    still tell layers apart.
    """

    def widths(self, substrate: Substrate) -> dict[str, int]:
        return {p.name: 1 + p.places.shape[1] for p in substrate.populations}

    def genome_spec(self, substrate: Substrate) -> GenomeSpec:
        return spec_of(())

    def express(self, genes: Genes, substrate: Substrate, *, key: Key) -> Tissue:
        depths = np.linspace(-1, 1, len(substrate.populations), dtype=np.float32)
        states = {
            p.name: jnp.asarray(np.insert(p.places, 0, depth, axis=1))
            for p, depth in zip(substrate.populations, depths, strict=True)
        }
        return Tissue(states, all_alive(substrate))
