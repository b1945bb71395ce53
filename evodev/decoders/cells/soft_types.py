"""Soft cell types: the cells of NDNA (Sudarshan 2026, doi 10.5281/zenodo.19230474)."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from evodev.decoders.base import Cells, Tissue, all_alive
from evodev.genome import Gene, GenomeSpec, spec_of
from evodev.substrate import Substrate
from evodev.types import Genes, Key


@dataclass(frozen=True)
class SoftTypes(Cells):
    """Each neuron is a mixture of cell types that depends on its population (its depth) and varies with its place in it.

    type = softmax(3 (base + p . slope)), p in [0, 1] along each axis. Departs from NDNA in that p has an axis for each
    dimension of the population, where the paper counts neurons in one line, and lies at the centres of the grid's cells.

    Attributes:
        types: cell types, the same in all populations.
    """

    types: int = 8

    def __post_init__(self) -> None:
        if self.types < 2:
            raise ValueError(f"cells: types must be at least 2, given {self.types}")

    def widths(self, substrate: Substrate) -> dict[str, int]:
        return {p.name: self.types for p in substrate.populations}

    def genome_spec(self, substrate: Substrate) -> GenomeSpec:
        read = {end for p in substrate.grown for end in (p.pre, p.post)}
        out = []
        for p in substrate.populations:
            # a population that only blank slates touch would have genes that nobody reads
            if p.name in read:
                out.append(Gene(f"{p.name}/base", (self.types,), scale=0.5))
                out.append(Gene(f"{p.name}/slope", (p.places.shape[1], self.types), scale=0.3))
        return spec_of(out)

    def express(self, genes: Genes, substrate: Substrate, *, key: Key) -> Tissue:
        states = {}
        for p in substrate.populations:
            if f"{p.name}/base" not in genes:
                states[p.name] = jnp.full((p.size, self.types), 1 / self.types)
                continue
            leaning = genes[f"{p.name}/base"] + (jnp.asarray(p.places) + 1) / 2 @ genes[f"{p.name}/slope"]
            states[p.name] = jax.nn.softmax(3 * leaning, axis=1)
        return Tissue(states, all_alive(substrate))
