"""Direct wiring: every weight is a gene; the uncompressed control."""

from dataclasses import dataclass

import jax.numpy as jnp

from evodev.decoders.base import Tissue, Wires, Wiring, biased
from evodev.genome import Gene, GenomeSpec, spec_of
from evodev.substrate import Substrate
from evodev.types import Genes, Key


@dataclass(frozen=True)
class Direct(Wiring):
    """One gene a synapse and one a bias; reads nothing of the cells."""

    def genome_spec(self, substrate: Substrate, widths: dict[str, int]) -> GenomeSpec:
        out = [Gene(f"{p.name}/weights", substrate.shape(p), scale=substrate.shape(p)[0] ** -0.5) for p in substrate.grown]
        out += [Gene(f"{name}/bias", (substrate.population(name).size,), scale=0.3) for name in biased(substrate)]
        return spec_of(out)

    def connect(self, genes: Genes, tissue: Tissue, substrate: Substrate, *, key: Key) -> Wires:
        weights = {p.name: genes[f"{p.name}/weights"] for p in substrate.grown}
        logits = {name: jnp.abs(w) for name, w in weights.items()}
        return Wires(logits, weights, {}, {name: genes[f"{name}/bias"] for name in biased(substrate)})
