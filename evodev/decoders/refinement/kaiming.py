"""Weights at the size that training by gradient starts from."""

from dataclasses import dataclass, replace

from evodev.decoders.base import Refinement
from evodev.genome import GenomeSpec, spec_of
from evodev.network import Network, matrix
from evodev.substrate import Substrate
from evodev.types import Genes, Key


@dataclass(frozen=True)
class FanInGain(Refinement):
    """Grown weights times sqrt(gain / fan-in), the fan-in counted over all projections into a population; no genes.

    Weights of unit size become those of He et al. 2015 (gain 2, for rectified neurons), so that activity neither dies nor
    explodes, and one step of an optimiser in search units means the same in every projection.
    """

    gain: float = 2.0

    def __post_init__(self) -> None:
        if not self.gain > 0:
            raise ValueError(f"refinement: gain must be positive, given {self.gain}")

    def genome_spec(self, substrate: Substrate) -> GenomeSpec:
        return spec_of(())

    def refine(self, genes: Genes, network: Network, substrate: Substrate, *, key: Key) -> Network:
        weights = dict(network.weights)
        for p in substrate.grown:
            fan_in = sum(substrate.shape(other)[0] for other in substrate.into(p.post))
            weights[p.name] = matrix(weights[p.name]) * (self.gain / fan_in) ** 0.5
        return replace(network, weights=weights)
