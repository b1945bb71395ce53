"""Expression table: the cells of GEM (Barabasi et al. 2023, Nature Communications 14:2226)."""

from dataclasses import dataclass

import jax.numpy as jnp

from evodev.decoders.base import Cells, Tissue, all_alive
from evodev.genome import Gene, GenomeSpec, spec_of
from evodev.substrate import Substrate
from evodev.types import Genes, Key


@dataclass(frozen=True)
class ExpressionTable(Cells):
    """What each neuron expresses is itself in the genome: X (n, genes), every entry a number of it.

    Departs from GEM in the size of X at birth: there N(0, 1) / sqrt(3 genes), with one learned scalar that brings the
    weights to He's spread; here N(0, 1), a size that every wiring reads, and the scalar is the wiring's
    (``Bilinear.scaled``).

    Attributes:
        genes: expressed genes, the same in all populations, so that they can share their rules.
    """

    genes: int = 9

    def __post_init__(self) -> None:
        if self.genes < 1:
            raise ValueError(f"cells: genes must be at least 1, given {self.genes}")

    def widths(self, substrate: Substrate) -> dict[str, int]:
        return {p.name: self.genes for p in substrate.populations}

    def genome_spec(self, substrate: Substrate) -> GenomeSpec:
        # a population that only blank slates touch would have genes that nobody reads
        read = {end for p in substrate.grown for end in (p.pre, p.post)}
        return spec_of([Gene(f"{p.name}/expression", (p.size, self.genes)) for p in substrate.populations if p.name in read])

    def express(self, genes: Genes, substrate: Substrate, *, key: Key) -> Tissue:
        states = {p.name: genes.get(f"{p.name}/expression", jnp.zeros((p.size, self.genes))) for p in substrate.populations}
        return Tissue(states, all_alive(substrate))
