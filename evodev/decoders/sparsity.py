"""Which of the proposed synapses exist."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from evodev.decoders.base import Sparsity, Wires
from evodev.genome import Gene, GenomeSpec, spec_of
from evodev.substrate import Substrate
from evodev.types import Array, Float, Genes, Key, Matrix

NEVER = -1e30
"""Logit of a synapse that cannot exist (outside a window, say); no rule of this module keeps one."""


def top_mask(logits: Float[Array, "*shape n"], count: Array) -> Float[Array, "*shape n"]:
    """Mask of the ``count`` largest entries along the last axis.

    Never more than ``count``: entries that tie across the boundary are all dropped, so that synapses which share a
    weight live or die together. ``count`` may be traced. Exact: bisects on the order-preserving integer code of a
    float, one vectorised pass over the data a bit, which on a CPU is many times faster than a sort.
    """
    bits = jax.lax.bitcast_convert_type(jax.lax.stop_gradient(logits).astype(jnp.float32), jnp.uint32)
    code = jnp.where(bits >> 31 == 1, ~bits, bits | jnp.uint32(0x80000000))

    def halve(i: Array, low: Array) -> Array:
        # `low` is the largest value seen so far that more than `count` entries reach
        trial = low | (jnp.uint32(1) << (31 - i).astype(jnp.uint32))
        too_many = (code >= trial[..., None]).sum(-1) > count
        return jnp.where(too_many, trial, low)

    start = jnp.zeros(logits.shape[:-1], jnp.uint32)
    threshold = jax.lax.fori_loop(0, 32, halve, start)
    everything = logits.shape[-1] <= count
    keep = (code > threshold[..., None]) | jnp.asarray(everything)[..., None]
    return (keep & (logits > NEVER)).astype(jnp.float32)


@dataclass(frozen=True)
class AllSynapses(Sparsity):
    """Every synapse that the wiring allows exists."""

    def genome_spec(self, substrate: Substrate) -> GenomeSpec:
        return spec_of(())

    def select(self, genes: Genes, wires: Wires, substrate: Substrate, *, key: Key) -> dict[str, Matrix]:
        return {name: (logits > NEVER).astype(jnp.float32) for name, logits in wires.logits.items()}


@dataclass(frozen=True)
class FanIn(Sparsity):
    """Each neuron keeps its most wanted inputs in every projection: fixed fan-in.

    Attributes:
        fan_in: inputs that a neuron keeps in one projection.
    """

    fan_in: int = 16

    def __post_init__(self) -> None:
        if self.fan_in < 1:
            raise ValueError(f"sparsity: fan_in must be at least 1, given {self.fan_in}")

    def genome_spec(self, substrate: Substrate) -> GenomeSpec:
        return spec_of(())

    def select(self, genes: Genes, wires: Wires, substrate: Substrate, *, key: Key) -> dict[str, Matrix]:
        return {name: top_mask(logits.T, jnp.asarray(self.fan_in)).T for name, logits in wires.logits.items()}


@dataclass(frozen=True)
class Budget(Sparsity):
    """A global synapse budget that the genome allocates among projections.

    Blank slates are paid for first. The genome splits the rest (a softmax, in proportion to each projection's possible
    synapses when the genes are zero); what a small projection cannot hold goes to the others.

    Attributes:
        fraction: of the substrate's possible synapses.
        per_neuron: share a projection's synapses equally among its receiving neurons (fixed fan-in, decided by the
            genome) instead of keeping the most wanted of the whole projection.
    """

    fraction: float = 0.2
    per_neuron: bool = False

    def genome_spec(self, substrate: Substrate) -> GenomeSpec:
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
        return spec_of([Gene("shares", (len(substrate.grown),), scale=0.3)])

    def counts(self, genes: Genes, substrate: Substrate) -> dict[str, Array]:
        """Synapses granted to each grown projection (float, not yet rounded down)."""
        sizes = jnp.array([a * b for a, b in (substrate.shape(p) for p in substrate.grown)], jnp.float32)
        blank = sum(a * b for a, b in (substrate.shape(p) for p in substrate.projections if p.blank))
        budget = self.fraction * substrate.synapses - blank
        floor = jnp.array([float(substrate.shape(p)[1]) for p in substrate.grown])
        want = jax.nn.softmax(genes["shares"] + jnp.log(sizes)) * (budget - floor.sum()) + floor
        granted = jnp.minimum(want, sizes)
        # each round hands what did not fit to those with room; as many rounds as projections always settle it
        for _ in range(len(substrate.grown)):
            room = sizes - granted
            granted = granted + jnp.minimum((budget - granted.sum()) * room / jnp.maximum(room.sum(), 1.0), room)
        return {p.name: granted[i] for i, p in enumerate(substrate.grown)}

    def select(self, genes: Genes, wires: Wires, substrate: Substrate, *, key: Key) -> dict[str, Matrix]:
        counts = self.counts(genes, substrate)
        if self.per_neuron:
            return {n: top_mask(x.T, jnp.floor(counts[n] / x.shape[1])).T for n, x in wires.logits.items()}
        return {n: top_mask(x.ravel(), jnp.floor(counts[n])).reshape(x.shape) for n, x in wires.logits.items()}
