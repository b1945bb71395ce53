"""Bilinear wiring: W = X O Y^T (GEM, Barabasi et al. 2023, Nature Communications 14:2226)."""

from dataclasses import dataclass

import jax.numpy as jnp

from evodev.decoders.base import Tissue, Wires, Wiring, biased
from evodev.genome import Gene, GenomeSpec, spec_of
from evodev.substrate import Substrate
from evodev.types import Genes, Key


@dataclass(frozen=True)
class Bilinear(Wiring):
    """Genes attract and repel: the weight of a synapse is x_i O y_j, the wish for it the weight's size.

    Departs from GEM in that each projection has rules O of its own and that biases are expressed too (x_j . b).

    Attributes:
        gain: also express a plasticity gain exp(x_i G y_j), at the price of as many genes again.
        bias_scale: size of the biases that a random genome expresses.
    """

    gain: bool = False
    bias_scale: float = 0.3

    def genome_spec(self, substrate: Substrate, widths: dict[str, int]) -> GenomeSpec:
        out = []
        for p in substrate.grown:
            shape = (widths[p.pre], widths[p.post])
            out.append(Gene(f"{p.name}/rules", shape, scale=(shape[0] * shape[1]) ** -0.5))
            if self.gain:
                out.append(Gene(f"{p.name}/gain_rules", shape, scale=0.3 * (shape[0] * shape[1]) ** -0.5))
        out += [Gene(f"{name}/bias", (widths[name],), scale=self.bias_scale * widths[name] ** -0.5) for name in biased(substrate)]
        return spec_of(out)

    def connect(self, genes: Genes, tissue: Tissue, substrate: Substrate, *, key: Key) -> Wires:
        weights, gains = {}, {}
        for p in substrate.grown:
            pre, post = tissue.states[p.pre], tissue.states[p.post]
            weights[p.name] = pre @ genes[f"{p.name}/rules"] @ post.T
            if self.gain:
                gains[p.name] = jnp.exp(jnp.clip(pre @ genes[f"{p.name}/gain_rules"] @ post.T, -5.0, 5.0))
        logits = {name: jnp.abs(w) for name, w in weights.items()}
        biases = {name: tissue.states[name] @ genes[f"{name}/bias"] for name in biased(substrate)}
        return Wires(logits, weights, gains, biases)
