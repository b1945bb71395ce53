"""A threshold on the logit: hard, drawn with a probability, or trained straight through."""

from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp

from evodev.decoders.base import NEVER, Sparsity, Windows, Wires, typical, within
from evodev.genome import Gene, GenomeSpec, spec_of
from evodev.ranking import straight_through
from evodev.substrate import Substrate
from evodev.types import Genes, Key, Matrix, Scalar


@dataclass(frozen=True)
class Threshold(Sparsity):
    """A synapse exists if its logit is above a threshold; how many do follows from the genome.

    Attributes:
        threshold: on the logit; in a genome of zeros, if it is evolved.
        evolved: one threshold a grown projection is a gene; otherwise all are the one above.
        relative: the threshold is a multiple of the projection's mean size of a logit, so that a genome with all weights
            doubled grows the same synapses; otherwise it is the logit itself that must be larger.
    """

    threshold: float = 1.5
    evolved: bool = True
    relative: bool = True

    def genome_spec(self, windows: Windows, substrate: Substrate) -> GenomeSpec:
        return spec_of([Gene("thresholds", (len(substrate.grown),), self.threshold, 0.3)] if self.evolved else [])

    def select(self, genes: Genes, wires: Wires, windows: Windows, substrate: Substrate, *, key: Key) -> dict[str, Matrix]:
        return {
            p.name: within(self._mask(x, jax.random.fold_in(key, i)), windows, p.name)
            for i, (p, x) in enumerate(self._excesses(genes, wires, windows, substrate))
        }

    def _excesses(self, genes: Genes, wires: Wires, windows: Windows, substrate: Substrate) -> list:
        """How far each logit of a grown projection is above its threshold."""
        out = []
        for i, p in enumerate(substrate.grown):
            x = wires.logits[p.name]
            unit = typical(x, windows, p.name) if self.relative else 1.0
            threshold = genes["thresholds"][i] if self.evolved else self.threshold
            # what cannot be stays so, whatever the genome makes of the threshold
            out.append((p, jnp.where(x > NEVER / 2, x / unit - threshold, NEVER)))
        return out

    def _mask(self, excess: Matrix, key: Key) -> Matrix:
        return (excess > 0).astype(jnp.float32)


@dataclass(frozen=True)
class StraightThrough(Threshold):
    """A threshold that gradients train: forward the hard mask, backward sigmoid(temperature * (logit - threshold)).

    As NDNA selects its synapses, the temperature rising over the training (:meth:`at`). A search without gradients sees a
    plain :class:`Threshold`.

    Attributes:
        temperature: at the start and the end of a training, and linear between; the end's outside of one.
    """

    temperature: tuple[float, float] = (1.0, 10.0)

    def __post_init__(self) -> None:
        if len(self.temperature) != 2 or min(self.temperature) <= 0:
            raise ValueError(f"sparsity: temperature needs a positive start and end, given {self.temperature}")

    def at(self, progress: Scalar | float) -> "StraightThrough":
        return _Annealed(self.threshold, self.evolved, self.relative, self.temperature, progress)

    def _now(self) -> Scalar | float:
        return self.temperature[1]

    def _mask(self, excess: Matrix, key: Key) -> Matrix:
        return straight_through(super()._mask(excess, key), self._now() * excess)


@dataclass(frozen=True)
class _Annealed(StraightThrough):
    """In the middle of a training; ``progress`` may be traced, so it is no part of the configuration."""

    progress: Scalar | float = 1.0

    def _now(self) -> Scalar | float:
        start, end = self.temperature
        return start + (end - start) * jnp.clip(self.progress, 0.0, 1.0)


@dataclass(frozen=True)
class Bernoulli(Threshold):
    """Each synapse is drawn, with probability sigmoid(sharpness * (logit - threshold)); gradients pass straight through it.

    Attributes:
        sharpness: how fast the probability rises around the threshold.
    """

    stochastic: ClassVar[bool] = True
    sharpness: float = 4.0

    def __post_init__(self) -> None:
        if self.sharpness <= 0:
            raise ValueError(f"sparsity: sharpness must be positive, given {self.sharpness}")

    def _mask(self, excess: Matrix, key: Key) -> Matrix:
        rise = self.sharpness * excess
        drawn = jax.random.uniform(key, excess.shape) < jax.nn.sigmoid(rise)
        return straight_through(drawn.astype(jnp.float32), rise)
