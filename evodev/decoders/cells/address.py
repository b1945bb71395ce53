"""Binary addresses: the cells of G-net (Shuvaev et al. 2024, PNAS 121(38) e2409160121)."""

from dataclasses import dataclass
from typing import Literal

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


def plain_code(count: int) -> np.ndarray:
    """0..count-1 in plain binary, shape (count, bits), entries -1 or 1; one constant bit for a single thing."""
    code = ((np.arange(count)[:, None] >> np.arange(bits_for(count))[::-1]) & 1) * 2 - 1
    return code.astype(np.float32) if code.shape[1] else np.ones((count, 1), np.float32)


@dataclass(frozen=True)
class BinaryAddress(Cells):
    """Each neuron's binary label, fixed by the substrate; no genes.

    Attributes:
        code: ``gray`` labels every neuron by Gray codes of its row, column and type, so that neighbours differ in one
            bit; ``paper`` follows G-net, with those labels for the inputs only, the plain binary index for hidden neurons
            and one-hot labels for the outputs.
        zero: how a bit that is not set is written, 0 (G-net) or -1 (symmetric).
    """

    code: Literal["gray", "paper"] = "gray"
    zero: float = -1.0

    def __post_init__(self) -> None:
        if self.code not in ("gray", "paper") or self.zero not in (-1, 0):
            raise ValueError(f"cells: code must be gray or paper and zero -1 or 0, given {self.code!r} and {self.zero}")

    def _labels(self, substrate: Substrate) -> dict[str, np.ndarray]:
        labels = {p.name: address(p) for p in substrate.populations}
        if self.code == "paper":
            labels |= {p.name: plain_code(p.size) for p in substrate.populations[1:-1]}
            labels[substrate.output.name] = 2 * np.eye(substrate.output.size, dtype=np.float32) - 1
        return {name: np.where(label > 0, 1.0, self.zero).astype(np.float32) for name, label in labels.items()}

    def widths(self, substrate: Substrate) -> dict[str, int]:
        return {name: label.shape[1] for name, label in self._labels(substrate).items()}

    def genome_spec(self, substrate: Substrate) -> GenomeSpec:
        return spec_of(())

    def express(self, genes: Genes, substrate: Substrate, *, key: Key) -> Tissue:
        return Tissue({name: jnp.asarray(label) for name, label in self._labels(substrate).items()}, all_alive(substrate))
