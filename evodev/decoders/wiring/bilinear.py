"""Bilinear wiring: W = X O Y^T (GEM, Barabasi et al. 2023, Nature Communications 14:2226)."""

from dataclasses import dataclass

from evodev.decoders.base import Tissue, Wires, Wiring, biased, emit
from evodev.genome import Gene, GenomeSpec, spec_of
from evodev.substrate import Substrate
from evodev.types import Genes, Key


@dataclass(frozen=True)
class Bilinear(Wiring):
    """Genes attract and repel: the weight of a synapse is x_i O y_j, the wish for it the weight's size.

    Departs from GEM in that each projection has rules O of its own and that biases are expressed too (x_j . b).

    Attributes:
        channels: what to express beyond the weight (see ``base.emit``), by rules of its own, as many genes again each.
        bias_scale: size of the biases that a random genome expresses.
    """

    channels: tuple[str, ...] = ()
    bias_scale: float = 0.3

    def genome_spec(self, substrate: Substrate, widths: dict[str, int]) -> GenomeSpec:
        out = []
        for p in substrate.grown:
            shape = (widths[p.pre], widths[p.post])
            scale = (shape[0] * shape[1]) ** -0.5
            out.append(Gene(f"{p.name}/rules", shape, scale=scale))
            out += [Gene(f"{p.name}/{channel}_rules", shape, scale=0.3 * scale) for channel in self.channels]
        out += [Gene(f"{name}/bias", (widths[name],), scale=self.bias_scale * widths[name] ** -0.5) for name in biased(substrate)]
        return spec_of(out)

    def connect(self, genes: Genes, tissue: Tissue, substrate: Substrate, *, key: Key) -> Wires:
        rules = {"weight": "rules"} | {channel: f"{channel}_rules" for channel in self.channels}
        values = {
            channel: {p.name: tissue.states[p.pre] @ genes[f"{p.name}/{rule}"] @ tissue.states[p.post].T for p in substrate.grown}
            for channel, rule in rules.items()
        }
        return emit(values, {name: tissue.states[name] @ genes[f"{name}/bias"] for name in biased(substrate)})
