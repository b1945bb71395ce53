"""The compactness ledger: how much smaller a genome is than the network that it grows."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from evodev.genome import GenomeSpec
from evodev.network import Network
from evodev.substrate import Substrate

WEIGHT_BITS = 32
"""Bits that a synapse's weight is counted as."""
COUNTED = (
    f"every gene at its declared bits; {WEIGHT_BITS} bits a synapse of the grown projections; not which synapses exist, biases, "
    "or blank slates"
)


@dataclass(frozen=True)
class Compactness:
    """Numbers and bits of a genome against those of the weights that it grows.

    What is counted, so that the factor is rather too small than too large: every gene of the spec at its declared bits,
    and ``WEIGHT_BITS`` for each synapse that exists in a grown projection. Not counted: which synapses exist, biases,
    plasticity gains and other channels, and blank slates, which no gene shapes.

    Attributes:
        genome_numbers: numbers in the genome.
        genome_bits: bits in the genome.
        synapses: synapses in the grown projections.
    """

    genome_numbers: int
    genome_bits: int
    synapses: int

    @property
    def weight_bits(self) -> int:
        """Bits of the grown weights."""
        return WEIGHT_BITS * self.synapses

    @property
    def factor_numbers(self) -> float | None:
        """Synapses a number of the genome; None without a genome."""
        return self.synapses / self.genome_numbers if self.genome_numbers else None

    @property
    def factor_bits(self) -> float | None:
        """Bits of weights a bit of genome; None without a genome."""
        return self.weight_bits / self.genome_bits if self.genome_bits else None

    @property
    def larger(self) -> bool:
        """The flag: the genome is larger than what it grows, in numbers or in bits."""
        return any(factor is not None and factor < 1 for factor in (self.factor_numbers, self.factor_bits))

    def plain(self) -> dict[str, Any]:
        """All of it as numbers for a result file."""
        names = ("genome_numbers", "genome_bits", "synapses", "weight_bits", "factor_numbers", "factor_bits", "larger")
        return {name: getattr(self, name) for name in names}

    def lines(self) -> list[tuple[str, str]]:
        """The ledger in words: label and text."""
        out = [
            ("genome", f"{self.genome_numbers:,} numbers, {self.genome_bits:,} bits"),
            ("grown weights", f"{self.synapses:,} synapses, {self.weight_bits:,} bits"),
            ("compression", f"{times(self.factor_numbers)} in numbers, {times(self.factor_bits)} in bits"),
        ]
        return [*out, ("warning", "the genome is larger than what it grows")] if self.larger else out


def times(factor: float | None) -> str:
    """A compression factor as people read it."""
    if factor is None:
        return "no genome"
    return f"{factor:,.1f}x" if factor >= 1 else f"{factor:.2g}x"


def compactness(spec: GenomeSpec, substrate: Substrate, network: Network) -> Compactness:
    """The ledger of one network, its masks concrete.

    Args:
        spec: the genes that are paid for: a decoder's, or an organism's with its learner's among them.
        substrate: where the network grew.
        network: what grew.
    """
    grown = sum(int(np.asarray(network.masks[p.name]).sum()) for p in substrate.grown)
    return Compactness(spec.size, spec.bits, grown)
