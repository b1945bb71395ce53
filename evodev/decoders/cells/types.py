"""Cell types: a neuron is its type and its place."""

from dataclasses import dataclass

import jax.numpy as jnp

from evodev.decoders.base import Cells, Tissue, all_alive
from evodev.genome import GenomeSpec, spec_of
from evodev.substrate import Substrate
from evodev.types import Genes, Key


@dataclass(frozen=True)
class CellTypes(Cells):
    """One-hot cell type, as laid out by the substrate (``types`` neurons at each position); no genes."""

    def widths(self, substrate: Substrate) -> dict[str, int]:
        return {p.name: p.types for p in substrate.populations}

    def genome_spec(self, substrate: Substrate) -> GenomeSpec:
        return spec_of(())

    def express(self, genes: Genes, substrate: Substrate, *, key: Key) -> Tissue:
        states = {p.name: jnp.tile(jnp.eye(p.types), (p.size // p.types, 1)) for p in substrate.populations}
        return Tissue(states, all_alive(substrate), by_type=True)
