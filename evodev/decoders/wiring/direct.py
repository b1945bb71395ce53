"""Direct wiring: every weight is a gene; the uncompressed control."""

from dataclasses import dataclass

from evodev.decoders.base import Tissue, Wires, Wiring, biased, emit
from evodev.genome import Gene, GenomeSpec, spec_of
from evodev.substrate import Substrate
from evodev.types import Genes, Key


@dataclass(frozen=True)
class Direct(Wiring):
    """One gene a synapse and one a bias; reads nothing of the cells.

    Attributes:
        channels: what to express beyond the weight (see ``base.emit``), a gene a synapse each.
    """

    channels: tuple[str, ...] = ()

    def genome_spec(self, substrate: Substrate, widths: dict[str, int]) -> GenomeSpec:
        out = []
        for p in substrate.grown:
            shape = substrate.shape(p)
            out.append(Gene(f"{p.name}/weight", shape, scale=shape[0] ** -0.5))
            out += [Gene(f"{p.name}/{channel}", shape, scale=0.3) for channel in self.channels]
        out += [Gene(f"{name}/bias", (substrate.population(name).size,), scale=0.3) for name in biased(substrate)]
        return spec_of(out)

    def connect(self, genes: Genes, tissue: Tissue, substrate: Substrate, *, key: Key) -> Wires:
        values = {c: {p.name: genes[f"{p.name}/{c}"] for p in substrate.grown} for c in ("weight", *self.channels)}
        return emit(values, {name: genes[f"{name}/bias"] for name in biased(substrate)})
