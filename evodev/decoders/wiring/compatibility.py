"""Type compatibility: the wiring of NDNA (Sudarshan 2026, doi 10.5281/zenodo.19230474)."""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp

from evodev.decoders.base import Tissue, Wires, Wiring, emit
from evodev.genome import Gene, GenomeSpec, spec_of
from evodev.substrate import Substrate
from evodev.types import Genes, Key


@dataclass(frozen=True)
class TypeCompatibility(Wiring):
    """Whether two neurons connect depends on whether their types like each other: it wires, and leaves weights to learning.

    With types t, affinity vectors A (types, affinity) and compatibilities C (types, types), shared by all projections,
    logit = softplus(scale) t_i (A A^T / sqrt(affinity) + C) t_j - softplus(depth) d, where d is the difference in depth as a
    share of the populations. C begins around -1: nothing is connected (logits below 0) until compatibility has grown.

    The weights at birth are drawn from the key, N(0, 4 / (inputs + outputs)), times one evolved number; there are no
    biases. Departs from NDNA in that number, which gives development a say in the weights. In states of another length than
    the longest, the missing types are none.

    Attributes:
        affinity: length of an affinity vector.
    """

    stochastic: ClassVar[bool] = True
    affinity: int = 8

    def __post_init__(self) -> None:
        if self.affinity < 1:
            raise ValueError(f"wiring: affinity must be at least 1, given {self.affinity}")

    def genome_spec(self, substrate: Substrate, widths: dict[str, int]) -> GenomeSpec:
        pre, post = (max(widths[getattr(p, side)] for p in substrate.grown) for side in ("pre", "post"))
        return spec_of(
            [
                Gene("affinities", (max(pre, post), self.affinity), scale=0.1),
                Gene("compatibility", (pre, post), center=-1.0, scale=0.3),
                Gene("scale", (), center=3.0, scale=0.3),
                Gene("depth", (), center=2.0, scale=0.3),
                Gene("log_weight", (), scale=0.3),
            ]
        )

    def connect(self, genes: Genes, tissue: Tissue, substrate: Substrate, *, key: Key) -> Wires:
        likes, affinities = genes["compatibility"], genes["affinities"]
        alike = affinities @ affinities.T / self.affinity**0.5
        rules = jax.nn.softplus(genes["scale"]) * (alike[: likes.shape[0], : likes.shape[1]] + likes)
        names = [p.name for p in substrate.populations]
        # clipped so that no genome makes a weight infinite
        size = jnp.exp(jnp.clip(genes["log_weight"], -5.0, 5.0))
        logits, weights = {}, {}
        for i, p in enumerate(substrate.grown):
            pre, post = tissue.states[p.pre], tissue.states[p.post]
            far = abs(names.index(p.post) - names.index(p.pre)) / len(names)
            attraction = pre @ rules[: pre.shape[1], : post.shape[1]] @ post.T
            logits[p.name] = attraction - jax.nn.softplus(genes["depth"]) * far
            drawn = jax.random.normal(jax.random.fold_in(key, i), logits[p.name].shape)
            weights[p.name] = size * 2 / sum(substrate.shape(p)) ** 0.5 * drawn
        return emit({"weight": weights, "logit": logits}, {})
