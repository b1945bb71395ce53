"""A count of synapses: all of them, as many a neuron, or a budget for the whole network."""

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from evodev.decoders.base import Sparsity, Windows, Wires, typical, within
from evodev.genome import Gene, GenomeSpec, spec_of
from evodev.ranking import straight_through, top_and_cutoff
from evodev.substrate import Projection, Substrate
from evodev.types import Array, Genes, Key, Matrix


def _per_neuron(logits: Matrix, fan_in: Array, windows: Windows, name: str, slope: float) -> Matrix:
    """Each column's largest entries inside its window."""
    mask, least = top_and_cutoff(within(logits, windows, name, -jnp.inf).T, jnp.floor(fan_in))
    mask = within(mask.T, windows, name)
    return _trainable(mask, logits, least, windows, name, slope) if slope else mask


def _per_projection(logits: Matrix, count: Array, windows: Windows, name: str, slope: float) -> Matrix:
    """The whole projection's largest entries; only those inside the window are looked at."""
    inside = np.nonzero(windows[name]) if name in windows else (slice(None), slice(None))
    candidates = logits[inside]
    mask, least = top_and_cutoff(candidates.ravel(), jnp.floor(count))
    mask = jnp.zeros_like(logits).at[inside].set(mask.reshape(candidates.shape))
    return _trainable(mask, logits, least, windows, name, slope) if slope else mask


def _trainable(mask: Matrix, logits: Matrix, least: Array, windows: Windows, name: str, slope: float) -> Matrix:
    """The mask with the gradient of a sigmoid around what it took to be kept."""
    least = jnp.maximum(least, jnp.finfo(jnp.float32).min)
    return straight_through(mask, slope * (logits - least) / typical(logits, windows, name))


@dataclass(frozen=True)
class AllSynapses(Sparsity):
    """Every synapse that the wiring allows exists."""

    def keeps_all(self, windows: Windows, substrate: Substrate) -> bool:
        return True

    def genome_spec(self, windows: Windows, substrate: Substrate) -> GenomeSpec:
        return spec_of(())

    def select(self, genes: Genes, wires: Wires, windows: Windows, substrate: Substrate, *, key: Key) -> dict[str, Matrix]:
        return {name: within(jnp.ones_like(x), windows, name) for name, x in wires.logits.items()}


@dataclass(frozen=True)
class FanIn(Sparsity):
    """Each neuron keeps its most wanted inputs in every projection: fixed fan-in.

    Attributes:
        fan_in: inputs that a neuron keeps in one projection.
        slope: of the straight-through gradient of the masks, in units of 1 / the projection's mean size of a logit; at 0 a
            gradient passes through the weights alone.
    """

    fan_in: int = 16
    slope: float = 0.0

    def __post_init__(self) -> None:
        if self.fan_in < 1:
            raise ValueError(f"sparsity: fan_in must be at least 1, given {self.fan_in}")

    def genome_spec(self, windows: Windows, substrate: Substrate) -> GenomeSpec:
        return spec_of(())

    def most_inputs(self, projection: Projection, windows: Windows, substrate: Substrate) -> int:
        return min(self.fan_in, super().most_inputs(projection, windows, substrate))

    def select(self, genes: Genes, wires: Wires, windows: Windows, substrate: Substrate, *, key: Key) -> dict[str, Matrix]:
        return {name: _per_neuron(x, jnp.asarray(self.fan_in), windows, name, self.slope) for name, x in wires.logits.items()}


@dataclass(frozen=True)
class Budget(Sparsity):
    """A global synapse budget that the genome allocates among projections.

    Blank slates are paid for first. The genome splits the rest: a softmax, in proportion to each projection's possible
    synapses when the genes are zero; what a projection cannot hold goes to the others.

    Attributes:
        fraction: of the substrate's possible synapses.
        per_neuron: share a projection's synapses equally among its receiving neurons (fixed fan-in, decided by the
            genome) instead of keeping the most wanted of the whole projection.
        slope: of the straight-through gradient of the masks, as in :class:`FanIn`; the shares have none.
    """

    fraction: float = 0.2
    per_neuron: bool = False
    slope: float = 0.0

    def genome_spec(self, windows: Windows, substrate: Substrate) -> GenomeSpec:
        if not 0 < self.fraction <= 1:
            raise ValueError(f"sparsity: fraction must be in (0, 1], given {self.fraction}")
        blank = sum(a * b for a, b in (substrate.shape(p) for p in substrate.projections if p.blank))
        needed = blank + sum(substrate.shape(p)[1] for p in substrate.grown)
        if self.fraction * substrate.synapses < needed:
            raise ValueError(
                f"sparsity: fraction {self.fraction} of {substrate.synapses} possible synapses disconnects the outputs; "
                f"one synapse a neuron and the blank slates take {needed}: use at least "
                f"{-(-needed * 10_000 // substrate.synapses) / 10_000}"
            )
        # a single grown projection has nobody to share with
        idle = self.keeps_all(windows, substrate) or len(substrate.grown) == 1
        return spec_of([] if idle else [Gene("shares", (len(substrate.grown),), scale=0.3)])

    def keeps_all(self, windows: Windows, substrate: Substrate) -> bool:
        wanted = sum(
            int(windows[p.name].sum()) if p.name in windows else int(np.prod(substrate.shape(p))) for p in substrate.projections
        )
        return wanted <= self.fraction * substrate.synapses

    def most_inputs(self, projection: Projection, windows: Windows, substrate: Substrate) -> int:
        most = super().most_inputs(projection, windows, substrate)
        if not self.per_neuron:
            return most
        # the budget, but for the blank slates and the synapse a neuron that every other projection gets first
        spent = 0
        for p in substrate.projections:
            if p != projection:
                held = int(windows[p.name].sum()) if p.name in windows else math.prod(substrate.shape(p))
                spent += held if p.blank else min(substrate.shape(p)[1], held)
        # and a little, so that a count which float32 rounds up is within
        return min(most, int((self.fraction * substrate.synapses - spent) / substrate.shape(projection)[1] + 1e-3))

    def counts(self, genes: Genes, windows: Windows, substrate: Substrate) -> dict[str, Array]:
        """Synapses granted to each grown projection (float, not yet rounded down)."""
        sizes = jnp.array(
            [windows[p.name].sum() if p.name in windows else np.prod(substrate.shape(p)) for p in substrate.grown],
            jnp.float32,
        )
        blank = sum(a * b for a, b in (substrate.shape(p) for p in substrate.projections if p.blank))
        budget = self.fraction * substrate.synapses - blank
        floor = jnp.array([float(substrate.shape(p)[1]) for p in substrate.grown])
        shares = genes.get("shares", jnp.zeros(len(substrate.grown)))
        want = jax.nn.softmax(shares + jnp.log(sizes)) * (budget - floor.sum()) + floor
        granted = jnp.minimum(want, sizes)
        # each round hands what did not fit to those with room; as many rounds as projections always settle it
        for _ in range(len(substrate.grown)):
            room = sizes - granted
            granted = granted + jnp.minimum((budget - granted.sum()) * room / jnp.maximum(room.sum(), 1.0), room)
        return {p.name: granted[i] for i, p in enumerate(substrate.grown)}

    def select(self, genes: Genes, wires: Wires, windows: Windows, substrate: Substrate, *, key: Key) -> dict[str, Matrix]:
        if self.keeps_all(windows, substrate):
            return {name: within(jnp.ones_like(x), windows, name) for name, x in wires.logits.items()}
        counts = self.counts(genes, windows, substrate)
        if self.per_neuron:
            return {n: _per_neuron(x, counts[n] / x.shape[1], windows, n, self.slope) for n, x in wires.logits.items()}
        return {n: _per_projection(x, counts[n], windows, n, self.slope) for n, x in wires.logits.items()}
