"""Pruning by spontaneous activity: what fires together before experience stays wired together."""

from dataclasses import dataclass, replace
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from evodev.decoders.base import Refinement
from evodev.decoders.refinement.base import spontaneous_waves
from evodev.genome import Gene, GenomeSpec, spec_of
from evodev.network import Network, activities, correlations
from evodev.ranking import top_exactly
from evodev.substrate import Substrate
from evodev.types import Genes, Key, Matrix


@dataclass(frozen=True)
class SpontaneousActivity(Refinement):
    """Waves over the sensors run through the newborn network; an evolved share of each projection is pruned.

    The synapses that stay are those whose two neurons are most co-active: largest magnitude of their correlation over the
    waves, so that a synapse which silences its target counts as well as one which excites it; the larger weight, where
    that is equal. Local to a synapse. Spontaneous activity on the sensors before experience: as in Plantec et al. 2024,
    arXiv 2406.09787, with waves over the coordinates in place of their Ornstein-Uhlenbeck noise.

    Attributes:
        share: of a projection's synapses that is pruned in a genome of zeros; the gene is its log-odds.
        moments: patterns of activity.
        length: of the waves, see ``spontaneous_waves``.
    """

    stochastic: ClassVar[bool] = True
    share: float = 0.3
    moments: int = 32
    length: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ValueError(f"refinement: share must be in (0, 1), given {self.share}")
        if self.moments < 2 or self.length <= 0:
            raise ValueError(
                f"refinement: needs two or more moments and a positive length, given {self.moments} and {self.length}"
            )

    def genome_spec(self, substrate: Substrate) -> GenomeSpec:
        return spec_of([Gene("log_odds", (len(substrate.grown),), float(np.log(self.share / (1 - self.share))), 0.5)])

    def refine(self, genes: Genes, network: Network, substrate: Substrate, *, key: Key) -> Network:
        waves = spontaneous_waves(substrate.input, self.moments, length=self.length, key=key)
        state = activities(substrate, jax.lax.stop_gradient(network), waves)
        kept = {}
        for i, p in enumerate(substrate.grown):
            together = jnp.abs(correlations(state[p.pre], state[p.post]))
            remaining = jax.nn.sigmoid(-genes["log_odds"][i]) * network.masks[p.name].sum()
            kept[p.name] = _most(together, network.weights[p.name], network.masks[p.name], jnp.maximum(jnp.round(remaining), 1.0))
        masks = network.masks | kept
        weights = network.weights | {name: network.weights[name] * mask for name, mask in kept.items()}
        return replace(network, masks=masks, weights=weights)


def _most(together: Matrix, weights: Matrix, mask: Matrix, count: jax.Array) -> Matrix:
    """Mask of the synapses with most co-activity among those that exist."""
    size = jnp.abs(jax.lax.stop_gradient(weights))
    score = together + 1e-4 * size / (size.max() + 1e-20)
    best = top_exactly(jnp.where(mask > 0, score, -jnp.inf).ravel(), count).reshape(mask.shape)
    return mask * best
