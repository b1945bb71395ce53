"""Which of the proposed synapses exist."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from evodev.decoders.base import Sparsity, Wires
from evodev.genome import Gene, GenomeSpec, spec_of
from evodev.substrate import Substrate
from evodev.types import Array, Float, Genes, Key, Matrix

Windows = dict[str, np.ndarray]


def _code(logits: Array) -> Array:
    """Order-preserving unsigned integer code of float32 numbers."""
    bits = jax.lax.bitcast_convert_type(jax.lax.stop_gradient(logits).astype(jnp.float32), jnp.uint32)
    return jnp.where(bits >> 31 == 1, ~bits, bits | jnp.uint32(0x80000000))


def cutoff(logits: Float[Array, "*shape n"], count: Array) -> Array:
    """Code of the largest number that more than ``count`` entries of the last axis reach; 0 if there are not as many.

    Exact: bisects on the integer code of a float, one vectorised pass over the data a bit, which on a CPU is many times
    faster than a sort. ``count`` may be traced.
    """
    code = _code(logits)

    def halve(i: Array, low: Array) -> Array:
        trial = low | (jnp.uint32(1) << (31 - i).astype(jnp.uint32))
        return jnp.where((code >= trial[..., None]).sum(-1) > count, trial, low)

    return jax.lax.fori_loop(0, 32, halve, jnp.zeros(logits.shape[:-1], jnp.uint32))


def top_mask(logits: Float[Array, "*shape n"], count: Array) -> Float[Array, "*shape n"]:
    """Mask of the ``count`` largest entries along the last axis.

    Never more than ``count``: entries that tie across the boundary are all dropped, so that synapses which share a
    weight live or die together.
    """
    return (_code(logits) > cutoff(logits, count)[..., None]).astype(jnp.float32)


def _within(values: Matrix, windows: Windows, name: str, outside: float = 0.0) -> Matrix:
    return jnp.where(windows[name], values, outside) if name in windows else values


def _per_neuron(logits: Matrix, fan_in: Array, windows: Windows, name: str) -> Matrix:
    """Each column's largest entries inside its window."""
    mask = top_mask(_within(logits, windows, name, -jnp.inf).T, jnp.floor(fan_in)).T
    return _within(mask, windows, name)


def _per_projection(logits: Matrix, count: Array, windows: Windows, name: str) -> Matrix:
    """The whole projection's largest entries; only those inside the window are looked at."""
    candidates = logits[np.nonzero(windows[name])] if name in windows else logits.ravel()
    mask = (_code(logits) > cutoff(candidates, jnp.floor(count))).astype(jnp.float32)
    return _within(mask, windows, name)


@dataclass(frozen=True)
class AllSynapses(Sparsity):
    """Every synapse that the wiring allows exists."""

    def keeps_all(self, windows: Windows, substrate: Substrate) -> bool:
        return True

    def genome_spec(self, windows: Windows, substrate: Substrate) -> GenomeSpec:
        return spec_of(())

    def select(self, genes: Genes, wires: Wires, windows: Windows, substrate: Substrate, *, key: Key) -> dict[str, Matrix]:
        return {name: _within(jnp.ones_like(x), windows, name) for name, x in wires.logits.items()}


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

    def genome_spec(self, windows: Windows, substrate: Substrate) -> GenomeSpec:
        return spec_of(())

    def select(self, genes: Genes, wires: Wires, windows: Windows, substrate: Substrate, *, key: Key) -> dict[str, Matrix]:
        return {name: _per_neuron(x, jnp.asarray(self.fan_in), windows, name) for name, x in wires.logits.items()}


@dataclass(frozen=True)
class Budget(Sparsity):
    """A global synapse budget that the genome allocates among projections.

    Blank slates are paid for first. The genome splits the rest: a softmax, in proportion to each projection's possible
    synapses when the genes are zero; what a projection cannot hold goes to the others.

    Attributes:
        fraction: of the substrate's possible synapses.
        per_neuron: share a projection's synapses equally among its receiving neurons (fixed fan-in, decided by the
            genome) instead of keeping the most wanted of the whole projection.
    """

    fraction: float = 0.2
    per_neuron: bool = False

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
            return {name: _within(jnp.ones_like(x), windows, name) for name, x in wires.logits.items()}
        counts = self.counts(genes, windows, substrate)
        if self.per_neuron:
            return {n: _per_neuron(x, counts[n] / x.shape[1], windows, n) for n, x in wires.logits.items()}
        return {n: _per_projection(x, counts[n], windows, n) for n, x in wires.logits.items()}
