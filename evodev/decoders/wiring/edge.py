"""Edge wiring: one small network for every synapse of the tissue, the MLP_w of NDP (Najarro et al. 2023, arXiv 2307.08197)."""

from dataclasses import dataclass
from itertools import pairwise

import jax.numpy as jnp

from evodev.decoders.base import Tissue, Wires, Wiring, emit
from evodev.genome import Gene, GenomeSpec, spec_of
from evodev.substrate import Substrate
from evodev.types import Genes, Key, Matrix


@dataclass(frozen=True)
class EdgeMLP(Wiring):
    """weight = MLP([state_i, state_j]), the same MLP in all projections; no biases.

    Where populations have states of different length, the shorter are filled up with zeros.

    Attributes:
        hidden: widths of the MLP's tanh layers.
        channels: what to express beyond the weight (see ``base.emit``), an output of the same MLP each.
    """

    hidden: tuple[int, ...] = (5,)
    channels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.hidden or min(self.hidden) < 1:
            raise ValueError(f"wiring: hidden needs one or more positive widths, given {self.hidden}")

    def genome_spec(self, substrate: Substrate, widths: dict[str, int]) -> GenomeSpec:
        pre, post = (max(widths[getattr(p, side)] for p in substrate.grown) for side in ("pre", "post"))
        out = [Gene("pre", (pre, self.hidden[0]), scale=(pre + post) ** -0.5)]
        out += [Gene("post", (post, self.hidden[0]), scale=(pre + post) ** -0.5), Gene("offset0", self.hidden[:1], scale=0.5)]
        for i, (a, b) in enumerate(pairwise((*self.hidden, 1 + len(self.channels))), 1):
            out += [Gene(f"layer{i}", (a, b), scale=a**-0.5), Gene(f"offset{i}", (b,), scale=0.5)]
        return spec_of(out)

    def connect(self, genes: Genes, tissue: Tissue, substrate: Substrate, *, key: Key) -> Wires:
        values: dict[str, dict[str, Matrix]] = {channel: {} for channel in ("weight", *self.channels)}
        for p in substrate.grown:
            pre, post = tissue.states[p.pre], tissue.states[p.post]
            # the first layer is applied to the two sides apart: the table of pairs is never wider than a hidden layer
            x = (pre @ genes["pre"][: pre.shape[1]])[:, None] + (post @ genes["post"][: post.shape[1]])[None]
            x = x + genes["offset0"]
            for i in range(1, len(self.hidden) + 1):
                x = jnp.tanh(x) @ genes[f"layer{i}"] + genes[f"offset{i}"]
            for i, channel in enumerate(values):
                values[channel][p.name] = x[..., i]
        return emit(values, {})
