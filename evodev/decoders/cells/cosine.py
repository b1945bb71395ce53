"""Cosine basis: the cells of compressed network search (Koutnik, Gomez, Schmidhuber 2010, GECCO)."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from evodev.decoders.base import Cells, Tissue, all_alive
from evodev.genome import GenomeSpec, spec_of
from evodev.substrate import Population, Substrate
from evodev.types import Genes, Key


def cosine_basis(population: Population, order: int) -> np.ndarray:
    """Products of cosines of total order below ``order`` over a population's axes, lowest first; shape (n, functions).

    On a grid it is the DCT-II, cos(pi k (2i + 1) / 2n); elsewhere the same waves are read at the neuron's coordinates. Each
    has a mean square of 1 over a grid, so that the basis is orthogonal there.
    """
    places = (population.places + 1) / 2
    kinds = () if population.types == 1 else (population.types,)
    # an axis of n points tells only n waves apart
    limits = [*population.grid, *kinds] if population.at is None else [order] * places.shape[1]
    waves = np.indices([min(order, n) for n in limits]).reshape(len(limits), -1).T
    waves = waves[waves.sum(1) < order]
    waves = waves[np.argsort(waves.sum(1), kind="stable")]
    norm = np.where(waves == 0, 1.0, np.sqrt(2.0))
    return (norm * np.cos(np.pi * places[:, None, :] * waves)).prod(-1).astype(np.float32)


@dataclass(frozen=True)
class CosineBasis(Cells):
    """Each neuron's values of the lowest cosines over its population, fixed by the substrate; no genes.

    With bilinear wiring the rules are the coefficients of the weight matrix's discrete cosine transform. Departs from the
    paper in which low frequencies are kept: there those whose orders add up to little over both sides, here over each.

    Attributes:
        orders: cosines of total order below this; one for all populations, or one for each in order.
    """

    orders: tuple[int, ...] = (6,)

    def __post_init__(self) -> None:
        if not self.orders or min(self.orders) < 1:
            raise ValueError(f"cells: orders must be at least 1, given {self.orders}")

    def _bases(self, substrate: Substrate) -> dict[str, np.ndarray]:
        populations = substrate.populations
        if len(self.orders) not in (1, len(populations)):
            raise ValueError(
                f"cells: orders needs 1 or {len(populations)} values, one a population; given {self.orders}; or choose cells "
                "without orders, such as coordinates"
            )
        orders = self.orders * len(populations) if len(self.orders) == 1 else self.orders
        return {p.name: cosine_basis(p, order) for p, order in zip(populations, orders, strict=True)}

    def widths(self, substrate: Substrate) -> dict[str, int]:
        return {name: basis.shape[1] for name, basis in self._bases(substrate).items()}

    def genome_spec(self, substrate: Substrate) -> GenomeSpec:
        return spec_of(())

    def express(self, genes: Genes, substrate: Substrate, *, key: Key) -> Tissue:
        return Tissue({name: jnp.asarray(basis) for name, basis in self._bases(substrate).items()}, all_alive(substrate))
