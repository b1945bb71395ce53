"""Spatial Gaussians: the cells of spatial GEM (Barabasi et al. 2023, Nature Communications 14:2226)."""

import math
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from evodev.decoders.base import Cells, Tissue, all_alive
from evodev.genome import Gene, GenomeSpec, spec_of
from evodev.substrate import Substrate
from evodev.types import Genes, Key


def spread(count: int, dimensions: int) -> np.ndarray:
    """Points that tile [-1, 1]^dimensions evenly (an additive recurrence on the generalised golden ratio)."""
    ratio = 2.0
    for _ in range(32):
        ratio = (1 + ratio) ** (1 / (dimensions + 1))
    steps = (1 / ratio) ** np.arange(1, dimensions + 1)
    return (((0.5 + np.arange(1, count + 1)[:, None] * steps) % 1.0) * 2 - 1).astype(np.float32)


@dataclass(frozen=True)
class SpatialGaussians(Cells):
    """Expression of a gene falls off around a centre: X_ia = exp(-|p_i - mu_a|^2 / 2 sigma_a^2).

    In a genome of zeros the centres tile the tissue and neighbouring genes overlap.
    Space has a further axis where a position holds several types.

    Attributes:
        genes: expressed genes in each population.
    """

    genes: int = 16

    def __post_init__(self) -> None:
        if self.genes < 1:
            raise ValueError(f"cells: genes must be at least 1, given {self.genes}")

    def widths(self, substrate: Substrate) -> dict[str, int]:
        return {p.name: self.genes for p in substrate.populations}

    def genome_spec(self, substrate: Substrate) -> GenomeSpec:
        out = []
        for p in substrate.populations:
            width = 3 * self.genes ** (-1 / p.places.shape[1])
            out.append(Gene(f"{p.name}/centers", (self.genes, p.places.shape[1]), scale=0.3))
            out.append(Gene(f"{p.name}/log_widths", (self.genes,), center=math.log(min(width, 1.0)), scale=0.5))
        return spec_of(out)

    def express(self, genes: Genes, substrate: Substrate, *, key: Key) -> Tissue:
        states = {}
        for p in substrate.populations:
            places = jnp.asarray(p.places)
            centers = spread(self.genes, places.shape[1]) + genes[f"{p.name}/centers"]
            distance = ((places[:, None, :] - centers[None]) ** 2).sum(-1)
            # clipping keeps an extreme genome from a width of zero or infinity
            width = jnp.exp(jnp.clip(genes[f"{p.name}/log_widths"], -4.0, 4.0))
            states[p.name] = jnp.exp(-distance / (2 * width**2))
        return Tissue(states, all_alive(substrate))


@dataclass(frozen=True)
class Gradients(Cells):
    """Fourier morphogen gradients: each gene is a wave over the tissue, cos(f . p + phase), with evolved direction.

    Space has a further axis where a position holds several types.

    Attributes:
        genes: expressed genes in each population.
        frequency: standard deviation of the wave vectors at birth, in radians a half-width of the tissue.
    """

    genes: int = 16
    frequency: float = 3.0

    def __post_init__(self) -> None:
        if self.genes < 1:
            raise ValueError(f"cells: genes must be at least 1, given {self.genes}")

    def widths(self, substrate: Substrate) -> dict[str, int]:
        return {p.name: self.genes for p in substrate.populations}

    def genome_spec(self, substrate: Substrate) -> GenomeSpec:
        out = []
        for p in substrate.populations:
            out.append(Gene(f"{p.name}/waves", (self.genes, p.places.shape[1]), scale=self.frequency))
            out.append(Gene(f"{p.name}/phases", (self.genes,), scale=1.5))
        return spec_of(out)

    def express(self, genes: Genes, substrate: Substrate, *, key: Key) -> Tissue:
        states = {}
        for p in substrate.populations:
            places = jnp.asarray(p.places)
            states[p.name] = jnp.cos(places @ genes[f"{p.name}/waves"].T + genes[f"{p.name}/phases"])
        return Tissue(states, all_alive(substrate))
