"""Binary addresses: the cells of G-net (Shuvaev et al. 2024, PNAS 121(38) e2409160121)."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from evodev.decoders.base import Cells, Tissue, all_alive
from evodev.genome import GenomeSpec, spec_of
from evodev.substrate import Population, Substrate
from evodev.types import Genes, Key


def bits_for(count: int) -> int:
    """Bits that tell ``count`` things apart; none for a single thing."""
    return (count - 1).bit_length()


def gray_code(count: int) -> np.ndarray:
    """Reflected Gray code of 0..count-1, shape (count, bits), entries -1 or 1: neighbours differ in one bit."""
    index = np.arange(count)
    code = index ^ (index >> 1)
    return (((code[:, None] >> np.arange(bits_for(count))[::-1]) & 1) * 2 - 1).astype(np.float32)


def address(population: Population) -> np.ndarray:
    """Label of every neuron: a Gray code for each grid axis, then one for the type; shape (n, bits).

    A population of one neuron has a single constant bit.
    """
    axes = [gray_code(n) for n in (*population.grid, population.types)]
    index = np.indices((*population.grid, population.types)).reshape(len(axes), -1)
    label = np.concatenate([code[i] for code, i in zip(axes, index, strict=True)], axis=1)
    return label if label.shape[1] else np.ones((population.size, 1), np.float32)


@dataclass(frozen=True)
class BinaryAddress(Cells):
    """Each neuron's binary label, fixed by the substrate; no genes.

    Departs from the paper in that hidden neurons and outputs are Gray-coded like the inputs, where the paper has plain
    binary and one-hot labels; bits are -1/1, not 0/1.
    """

    def widths(self, substrate: Substrate) -> dict[str, int]:
        return {p.name: address(p).shape[1] for p in substrate.populations}

    def genome_spec(self, substrate: Substrate) -> GenomeSpec:
        return spec_of(())

    def express(self, genes: Genes, substrate: Substrate, *, key: Key) -> Tissue:
        return Tissue({p.name: jnp.asarray(address(p)) for p in substrate.populations}, all_alive(substrate))
