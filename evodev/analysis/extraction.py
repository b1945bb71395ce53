"""What is kept of trained weights within so many bits, as the weights that a student is born with.

Each way of keeping answers the same question with the same number of bits: which entries are large (``magnitude``), which
directions the matrix uses (``directions``), or a genome, or a teacher's answers. :func:`seeded` makes a student's weights at
birth of any of them, all scaled alike, so that the scale of a kernel need not be written down by anybody.

How bits are counted. A number takes ``precision`` bits and is really rounded to them. Saying which ``k`` of ``n`` synapses are
kept takes log2 of their possible choices (Cover 1973, IEEE Trans. Inf. Theory 19). How many entries or directions there are
follows from the budget. Whatever a reader can draw from a seed (random directions, random places) is free.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy.special import gammaln

from evodev.baselines.distilled import mismatch
from evodev.compress import descend, fit
from evodev.decoders import Decoder
from evodev.genome import GenomeSpec
from evodev.models import kernels_of
from evodev.network import matrix
from evodev.substrate import Substrate
from evodev.types import Genome, Inputs, Key, Matrix, Outputs, Scalar

SCALE_BITS = 32
"""Of a number that scales others, where kernels or genes have to keep their sizes relative to each other."""


@dataclass(frozen=True)
class Kept:
    """What was kept of some kernels.

    Attributes:
        kernels: as matrices (pre, post), by name; zero where nothing could be afforded.
        bits: what writing it down takes, by what is written: ``numbers``, ``places``, ``signs``, ``scales``.
    """

    kernels: dict[str, Matrix]
    bits: dict[str, int]

    @property
    def total(self) -> int:
        """All bits."""
        return sum(self.bits.values())


Extractor = Callable[[np.ndarray, int, int, np.random.Generator], tuple[np.ndarray, dict[str, int]]]
"""(kernel, bits, precision, rng) -> what is kept of it, and the bits that took."""


def extract(of: Any, way: str, bits: int, *, precision: int = 8, seed: int = 0) -> Kept:
    """What one of ``WAYS`` keeps of a network, a parameter pytree or matrices by name; bits are divided by kernels' sizes.

    Args:
        of: what ``models.kernels_of`` reads.
        way: one of ``WAYS``.
        bits: that may be spent on all kernels together.
        precision: bits of a number, at least 2.
        seed: of what is drawn.

    Raises:
        ValueError: for an unknown way, a precision that has no room for a sign and a size, or weights that are not finite.
    """
    if way not in WAYS:
        raise ValueError(f"extract: no way {way!r}; one of {', '.join(WAYS)}")
    kernels = {name: np.asarray(kernel, np.float64) for name, kernel in kernels_of(of).items()}
    for name, kernel in kernels.items():
        if not np.isfinite(kernel).all():
            raise ValueError(f"extract: kernel {name} has NaN or infinite weights; take a network that did not fail")
    every, rng = sum(kernel.size for kernel in kernels.values()), np.random.default_rng(seed)
    kept: dict[str, Matrix] = {}
    spent: dict[str, int] = {}
    for name, kernel in kernels.items():
        value, cost = WAYS[way](kernel, bits * kernel.size // every, _checked(precision), rng)
        kept[name] = jnp.asarray(value, jnp.float32)
        spent = {item: spent.get(item, 0) + cost[item] for item in cost}
    return Kept(kept, spent)


def seeded(kernels: Mapping[str, Matrix], *, share: float | Scalar = 1.0, key: Key) -> dict[str, Matrix]:
    """Weights at birth: what was kept, and fresh noise, together of He's size (root mean square sqrt(2 / fan-in)).

    Args:
        kernels: of :class:`Kept`; one that is all zeros is born of noise alone.
        share: of the squared size that is what was kept; the rest is noise.
        key: of the noise.
    """
    out = {}
    for i, (name, kernel) in enumerate(kernels.items()):
        size = jnp.sqrt((kernel**2).mean())
        part = jnp.where(size > 0, share, 0.0)
        noise = jax.random.normal(jax.random.fold_in(key, i), kernel.shape)
        whole = jnp.sqrt(part) * kernel / jnp.maximum(size, 1e-30) + jnp.sqrt(1 - part) * noise
        out[name] = jnp.sqrt(2 / len(kernel)) * whole
    return out


def rounded_about_zero(values: np.ndarray, precision: int) -> np.ndarray:
    """Symmetric quantisation: to an even grid of 2^precision - 1 levels around 0, from minus to plus the largest size.

    What is 0 stays 0; ``information.rounded`` reaches from the least to the largest value instead.
    """
    values = np.asarray(values)
    step = np.abs(values).max(initial=0.0) / (2 ** (_checked(precision) - 1) - 1)
    return np.round(values / step) * step if step else values


def _checked(precision: int) -> int:
    if precision < 2:
        raise ValueError(f"precision: a number needs at least 2 bits, given {precision}")
    return precision


# ---- entry by entry


def place_bits(n: int, k: int | np.ndarray) -> Any:
    """Bits that say which ``k`` of ``n`` places: log2 of the possible choices, rounded up."""
    return np.ceil((gammaln(n + 1) - gammaln(np.add(k, 1)) - gammaln(n - np.asarray(k) + 1)) / np.log(2) - 1e-6).astype(int)


def _largest(kernel: np.ndarray, bits: int, each: int) -> tuple[np.ndarray, dict[str, int]]:
    """The mask of as many of the largest entries as bits allow, if each takes ``each`` bits beside its place."""
    # without a price of their own, all places cost as little as none
    counts = np.arange(1, (kernel.size if each else kernel.size // 2) + 1)
    places = place_bits(kernel.size, counts)
    k = int((np.maximum.accumulate(places + each * counts) <= bits).sum())
    order = np.argsort(-np.abs(kernel), axis=None, kind="stable")[:k]
    mask = np.zeros(kernel.size)
    mask[order] = 1.0
    return mask.reshape(kernel.shape), {"numbers": each * k, "places": int(places[k - 1]) if k else 0}


def _magnitude(kernel: np.ndarray, bits: int, precision: int, rng: np.random.Generator) -> tuple[np.ndarray, dict[str, int]]:
    mask, spent = _largest(kernel, bits, precision)
    return rounded_about_zero(mask * kernel, precision), spent


def _signs(kernel: np.ndarray, bits: int, precision: int, rng: np.random.Generator) -> tuple[np.ndarray, dict[str, int]]:
    mask, spent = _largest(kernel, bits, 1)
    return mask * np.sign(kernel), {"signs": spent["numbers"], "places": spent["places"]}


def _mask(kernel: np.ndarray, bits: int, precision: int, rng: np.random.Generator) -> tuple[np.ndarray, dict[str, int]]:
    mask, spent = _largest(kernel, bits, 0)
    return mask * rng.normal(size=kernel.shape), {"places": spent["places"]}


# ---- direction by direction


def _affordable(kernel: np.ndarray, bits: int, precision: int, values: int) -> int:
    """How many directions, each with ``values`` numbers beside its two ends."""
    return min(min(kernel.shape), bits // ((sum(kernel.shape) + values) * precision))


def _random_directions(shape: tuple[int, int], k: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    left, right = (np.linalg.qr(rng.normal(size=(n, k)))[0] for n in shape)
    return left, right


def _directions(kernel: np.ndarray, bits: int, precision: int, rng: np.random.Generator) -> tuple[np.ndarray, dict[str, int]]:
    k = min(_affordable(kernel, bits, precision, 0), int(np.linalg.matrix_rank(kernel)))
    return _rounded_directions(kernel, k, np.ones(k), precision), {"numbers": k * sum(kernel.shape) * precision}


def _low_rank(kernel: np.ndarray, bits: int, precision: int, rng: np.random.Generator) -> tuple[np.ndarray, dict[str, int]]:
    k = _affordable(kernel, bits, precision, 1)
    values = rounded_about_zero(np.linalg.svd(kernel, compute_uv=False)[:k], precision)
    return _rounded_directions(kernel, k, values, precision), {"numbers": k * (sum(kernel.shape) + 1) * precision}


def _rounded_directions(kernel: np.ndarray, k: int, values: np.ndarray, precision: int) -> np.ndarray:
    left, _, right = np.linalg.svd(kernel, full_matrices=False)
    ends = [np.stack([rounded_about_zero(column, precision) for column in end[:k]]) if k else end[:0] for end in (left.T, right)]
    # each is of unit length, whatever rounding did to it
    ends = [end / np.maximum(np.linalg.norm(end, axis=1, keepdims=True), 1e-30) for end in ends]
    return ends[0].T @ (values[:, None] * ends[1])


def _random(kernel: np.ndarray, bits: int, precision: int, rng: np.random.Generator) -> tuple[np.ndarray, dict[str, int]]:
    left, right = _random_directions(kernel.shape, _affordable(kernel, bits, precision, 0), rng)
    return left @ right.T, {}


def _spectrum(kernel: np.ndarray, bits: int, precision: int, rng: np.random.Generator) -> tuple[np.ndarray, dict[str, int]]:
    k = min(min(kernel.shape), bits // precision)
    left, right = _random_directions(kernel.shape, k, rng)
    values = rounded_about_zero(np.linalg.svd(kernel, compute_uv=False)[:k], precision)
    return (left * values) @ right.T, {"numbers": k * precision}


WAYS: dict[str, Extractor] = {
    "magnitude": _magnitude,
    "signs": _signs,
    "mask": _mask,
    "directions": _directions,
    "low rank": _low_rank,
    "random directions": _random,
    "spectrum": _spectrum,
}
"""The largest entries; only their signs; only their places, with fresh values; the first singular directions, all of the same
strength; the same with their values; as many random directions; all singular values that can be paid for on random directions."""


# ---- by training


def genome_bits(spec: GenomeSpec, precision: int) -> dict[str, int]:
    """Bits of a genome whose numbers are rounded, with a scale for each gene; a single number is its own scale, and no more."""
    return {
        "numbers": _checked(precision) * sum(gene.size for gene in spec.genes if gene.size > 1),
        "scales": SCALE_BITS * len(spec.genes),
    }


def rounded_genome(genome: Genome, spec: GenomeSpec, precision: int) -> Genome:
    """A genome with the numbers of every gene :func:`rounded_about_zero`, which leaves a gene of a single number as it is."""
    values = np.asarray(genome)
    return jnp.concatenate([jnp.asarray(rounded_about_zero(values[part], precision)) for part in spec.slices.values()])


def fitted_genome(
    decoder: Decoder,
    substrate: Substrate,
    of: Any,
    bits: int,
    *,
    precision: int = 8,
    steps: int,
    key: Key,
    optimiser: optax.GradientTransformation | None = None,
) -> Kept:
    """The genome whose network is nearest to the kernels, every gene rounded (``compress.fit``), and what it grows.

    Args:
        decoder: of the genome.
        substrate: where it grows; its grown projections are what is kept.
        of: matrices by projection, or a network.
        bits: that the genome may take.
        precision: bits of each of its numbers.
        steps: of the fit.
        key: of what is drawn.
        optimiser: as in ``compress.descend``.

    Raises:
        ValueError: if the genome takes more bits than there are.
    """
    spec = decoder.genome_spec(substrate)
    spent = genome_bits(spec, precision)
    if sum(spent.values()) > bits:
        raise ValueError(f"fitted_genome: the genome takes {sum(spent.values())} bits of {bits}; choose a decoder of fewer genes")
    kernels = kernels_of(of)
    target = {p.name: kernels[p.name] for p in substrate.grown}
    found = fit(decoder, substrate, target, steps=steps, key=key, optimiser=optimiser).genome
    network = decoder.at(1.0).grow(rounded_genome(found, spec, precision), substrate, key=key)
    return Kept({name: matrix(network.weights[name]) for name in target}, spent)


Apply = Callable[[dict[str, Matrix], Inputs], Outputs]
"""What a network of these kernels answers."""


def distilled(
    teacher: Mapping[str, Matrix],
    apply: Apply,
    inputs: Inputs,
    bits: int,
    *,
    names: Sequence[str],
    problem: str = "classification",
    precision: int = 8,
    steps: int,
    batch: int = 64,
    key: Key,
    optimiser: optax.GradientTransformation | None = None,
) -> Kept:
    """Weights in random places, as many as can be paid for, trained until the network answers as the teacher does.

    Places are drawn from a seed, and so are free. The teacher's answers to the inputs are soft labels (Hinton et al. 2015,
    arXiv 1503.02531). Kernels that are not kept, a read-out say, begin as the teacher's and learn along.

    Args:
        teacher: all kernels by name.
        apply: what they answer, ``apply(kernels, inputs)``; the same function again, and nothing is compiled again.
        inputs: that the teacher is asked, without labels.
        bits: that may be spent on the kernels kept.
        names: of those kernels.
        problem: ``classification`` or ``regression``.
        precision: bits of a weight.
        steps: of training.
        batch: inputs in a step.
        key: of places, first weights and batches.
        optimiser: as in ``compress.descend``.
    """
    every = sum(teacher[name].size for name in names)
    key_start, key_train, *key_places = jax.random.split(key, 2 + len(names))
    masks = {}
    for name, key_own in zip(names, key_places, strict=True):
        k = min(teacher[name].size, bits * teacher[name].size // every // _checked(precision))
        places = jax.random.permutation(key_own, teacher[name].size) < k
        masks[name] = places.reshape(teacher[name].shape).astype(jnp.float32)
    noise = {name: jax.random.normal(jax.random.fold_in(key_start, i), masks[name].shape) for i, name in enumerate(names)}
    start = seeded({name: masks[name] * noise[name] for name in names}, key=key_start)
    trained = _taught(dict(teacher), start, masks, inputs, key_train, apply, problem, steps, batch, optimiser)
    kept = {name: jnp.asarray(rounded_about_zero(np.asarray(trained[name]), precision)) for name in names}
    return Kept(kept, {"numbers": precision * sum(int(mask.sum()) for mask in masks.values())})


@partial(jax.jit, static_argnums=(5, 6, 7, 8, 9))
def _taught(
    teacher: dict[str, Matrix],
    start: dict[str, Matrix],
    masks: dict[str, Matrix],
    inputs: Inputs,
    key: Key,
    apply: Apply,
    problem: str,
    steps: int,
    batch: int,
    optimiser: optax.GradientTransformation | None,
) -> dict[str, Matrix]:
    """The masked kernels after training; compiled once for a kind of network."""

    def masked(kernels: dict[str, Matrix]) -> dict[str, Matrix]:
        return kernels | {name: kernels[name] * mask for name, mask in masks.items()}

    def loss(kernels: dict[str, Matrix], progress: Scalar, *, key: Key) -> Scalar:
        asked = inputs[jax.random.randint(key, (batch,), 0, len(inputs))]
        return mismatch(problem, apply(masked(kernels), asked), apply(teacher, asked))

    return masked(descend(loss, teacher | start, steps=steps, key=key, optimiser=optimiser)[0])
