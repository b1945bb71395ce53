"""Bilinear wiring: W = X O Y^T (GEM, Barabasi et al. 2023, Nature Communications 14:2226)."""

from dataclasses import dataclass

from evodev.decoders.base import Tissue, Wires, Wiring, biased, emit, scale_genes, scaled
from evodev.genome import Gene, GenomeSpec, spec_of
from evodev.substrate import Projection, Substrate
from evodev.types import Genes, Key


@dataclass(frozen=True)
class Bilinear(Wiring):
    """Genes attract and repel: the weight of a synapse is x_i O y_j, the wish for it the weight's size.

    With a cosine basis for cells, the rules are the coefficients of the weights' discrete cosine transform.

    Departs from GEM in that each projection has rules O of its own, unless ``shared``; that biases are expressed too
    (x_j . b); and that no step function makes the weights binary.

    Attributes:
        channels: what to express beyond the weight (see ``base.emit``), by rules of its own, as many genes again each.
        bias_scale: size of the biases that a random genome expresses.
        shared: one set of rules for all projections, as in GEM; asks for states of one length in all populations.
        scaled: the weights of each projection have an evolved scale. It begins at He's spread for states of unit size,
            sqrt(2 / inputs); without it, weights are of unit size.
    """

    channels: tuple[str, ...] = ()
    bias_scale: float = 0.3
    shared: bool = False
    scaled: bool = False

    def _rules(self, projection: Projection, channel: str) -> str:
        rules = "rules" if channel == "weight" else f"{channel}_rules"
        return rules if self.shared else f"{projection.name}/{rules}"

    def genome_spec(self, substrate: Substrate, widths: dict[str, int]) -> GenomeSpec:
        shapes = {p: (widths[p.pre], widths[p.post]) for p in substrate.grown}
        if self.shared and len({width for shape in shapes.values() for width in shape}) != 1:
            raise ValueError(
                f"wiring: shared rules need states of one length in all populations; these cells have {dict(widths)}; choose "
                "others, or shared: false"
            )
        out = {}
        for p, shape in shapes.items():
            for channel in ("weight", *self.channels):
                scale = (shape[0] * shape[1]) ** -0.5 * (1.0 if channel == "weight" else 0.3)
                out[self._rules(p, channel)] = Gene(self._rules(p, channel), shape, scale=scale)
        if self.scaled:
            out |= {gene.name: gene for gene in scale_genes(substrate)}
        biases = [
            Gene(f"{name}/bias", (widths[name],), scale=self.bias_scale * widths[name] ** -0.5) for name in biased(substrate)
        ]
        return spec_of([*out.values(), *biases])

    def connect(self, genes: Genes, tissue: Tissue, substrate: Substrate, *, key: Key) -> Wires:
        values = {
            channel: {
                p.name: tissue.states[p.pre] @ genes[self._rules(p, channel)] @ tissue.states[p.post].T for p in substrate.grown
            }
            for channel in ("weight", *self.channels)
        }
        if self.scaled:
            values["weight"] = scaled(values["weight"], genes)
        return emit(values, {name: tissue.states[name] @ genes[f"{name}/bias"] for name in biased(substrate)})
