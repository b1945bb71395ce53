"""The genome: a short vector, and the specification that names its genes."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from evodev.types import Array, Genes, Genome, Key


@dataclass(frozen=True)
class Gene:
    """A named block of a genome.

    A genome is stored in *search units*: the value that a decoder sees is ``center + scale * genome``. One mutation
    strength then suits every gene, whatever its natural scale.

    Attributes:
        name: unique in its spec; nested specs are joined with ``/``.
        shape: shape of the gene's value.
        center: value of the gene in a genome of zeros.
        scale: size of one search unit, in the gene's natural units.
        bits: bits that one number of this gene is counted as.
    """

    name: str
    shape: tuple[int, ...]
    center: float = 0.0
    scale: float = 1.0
    bits: int = 32

    @property
    def size(self) -> int:
        """How many numbers the gene takes."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class GenomeSpec:
    """Names the genes of a genome: vector <-> named values, sizes, bits and slices.

    Raises:
        ValueError: if two genes share a name.
    """

    genes: tuple[Gene, ...] = ()

    def __post_init__(self) -> None:
        names = [gene.name for gene in self.genes]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"genome: gene names must be unique; repeated: {', '.join(repeated)}")

    @classmethod
    def join(cls, parts: Mapping[str, "GenomeSpec"]) -> "GenomeSpec":
        """Concatenate specs in order; every gene is renamed ``part/gene``."""
        return cls(tuple(replace(g, name=f"{part}/{g.name}") for part, spec in parts.items() for g in spec.genes))

    @property
    def size(self) -> int:
        """Numbers in a genome."""
        return sum(gene.size for gene in self.genes)

    @property
    def bits(self) -> int:
        """Bits in a genome at the declared precision of each gene."""
        return sum(gene.size * gene.bits for gene in self.genes)

    @property
    def slices(self) -> dict[str, slice]:
        """Where each gene lies in the vector (for editing, duplication and knock-out)."""
        out, start = {}, 0
        for gene in self.genes:
            out[gene.name] = slice(start, start + gene.size)
            start += gene.size
        return out

    def unpack(self, genome: Genome) -> Genes:
        """Vector in search units -> named gene values in natural units.

        Raises:
            ValueError: if the genome has another length than this spec, or numbers that are not finite (which a traced
                genome cannot be asked).
        """
        if genome.shape != (self.size,):
            raise ValueError(f"genome: expected {self.size} numbers, given shape {genome.shape}")
        slices = self.slices
        if not isinstance(genome, Tracer):
            wrong = np.flatnonzero(~np.isfinite(genome))
            if wrong.size:
                names = [name for name, where in slices.items() if ((wrong >= where.start) & (wrong < where.stop)).any()]
                raise ValueError(f"genome: {wrong.size} numbers are not finite, in {', '.join(names)}")
        return {g.name: g.center + g.scale * genome[slices[g.name]].reshape(g.shape) for g in self.genes}

    def pack(self, values: Mapping[str, Array]) -> Genome:
        """Inverse of :meth:`unpack`.

        Raises:
            ValueError: if a gene is missing, unknown or of another shape.
        """
        names = [gene.name for gene in self.genes]
        if set(values) != set(names):
            missing, extra = sorted(set(names) - set(values)), sorted(set(values) - set(names))
            raise ValueError(f"genome: missing genes {missing}, unknown genes {extra}")
        parts: list[Array] = []
        for gene in self.genes:
            value = jnp.asarray(values[gene.name])
            if value.shape != gene.shape:
                raise ValueError(f"genome: gene {gene.name} has shape {gene.shape}, given {value.shape}")
            parts.append(((value - gene.center) / gene.scale).ravel())
        return jnp.concatenate(parts) if parts else jnp.zeros((0,))

    def init(self, *, key: Key) -> Genome:
        """A random genome: standard normal in search units."""
        return jax.random.normal(key, (self.size,))


def branch(genes: Genes, name: str) -> Genes:
    """The genes of one part of a joined spec, with the part's name taken off."""
    prefix = name + "/"
    return {key.removeprefix(prefix): value for key, value in genes.items() if key.startswith(prefix)}


def spec_of(genes: Iterable[Gene]) -> GenomeSpec:
    """A spec of the given genes, in order."""
    return GenomeSpec(tuple(genes))
