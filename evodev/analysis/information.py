"""Information: how far selection has moved a search distribution from neutral drift, and how many bits describe a vector.

*Selection accumulates information in the genome*, measured as the Kullback-Leibler divergence of the evolved distribution
from the one that drift alone would have made (Hledik, Barton and Tkacik 2022, PNAS 119:e2123152119). The neutral ensemble
here is the same strategy told random scores, many times over. A single neutral search lies some bits from its own ensemble
too, since it is one of many places that drift may reach: what selection has put in is what a search has beyond that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from evodev.strategies import Strategy, strong
from evodev.types import Array, Float, Genome, Genomes, Key

SPHERICAL = frozenset(["Open_ES", "ARS", "PGPE", "SNES", "SimpleES", "NoiseReuseES", "PersistentES", "LES", "DES", "EvoTF_ES"])
"""Strategies that sample mean + std * normal, by their evosax names."""
SHAPED = frozenset(["CMA_ES", "Sep_CMA_ES", "iAMaLGaM_Full", "iAMaLGaM_Univariate"])
"""Strategies that sample around their mean with covariance std^2 C."""


@dataclass(frozen=True)
class Gaussian:
    """A normal distribution over genomes, in float64.

    Attributes:
        mean: (genes,).
        covariance: (genes, genes), or (genes,) where the numbers are independent.

    Raises:
        ValueError: if the shapes do not fit.
    """

    mean: np.ndarray
    covariance: np.ndarray

    def __post_init__(self) -> None:
        size = self.mean.size
        if self.mean.shape != (size,) or self.covariance.shape not in ((size,), (size, size)):
            raise ValueError(f"gaussian: mean {self.mean.shape} and covariance {self.covariance.shape} do not fit")

    @property
    def variances(self) -> np.ndarray:
        """Of each number (genes,)."""
        return self.covariance if self.covariance.ndim == 1 else np.diag(self.covariance)

    @property
    def logdet(self) -> float:
        """Natural logarithm of the covariance's determinant."""
        if self.covariance.ndim == 1:
            return float(np.log(self.covariance).sum())
        return float(np.linalg.slogdet(self.covariance)[1])

    @property
    def entropy(self) -> float:
        """Differential entropy in bits; of genomes, what variation is left for selection to work on."""
        return 0.5 * (self.mean.size * np.log(2 * np.pi * np.e) + self.logdet) / np.log(2)


def kl_bits(own: Gaussian, other: Gaussian) -> float:
    """Kullback-Leibler divergence KL(own || other) of two normal distributions, in bits; 0 only where they are the same."""
    offset = own.mean - other.mean
    if other.covariance.ndim == 1:
        spread = (own.variances / other.covariance).sum()
        distance = (offset**2 / other.covariance).sum()
    else:
        full = np.diag(own.covariance) if own.covariance.ndim == 1 else own.covariance
        solved = np.linalg.solve(other.covariance, np.column_stack([full, offset]))
        spread, distance = np.trace(solved[:, :-1]), offset @ solved[:, -1]
    return float(0.5 * (spread + distance - own.mean.size + other.logdet - own.logdet) / np.log(2))


def fitted_gaussian(genomes: Genomes) -> Gaussian:
    """The independent normal distribution of a population's means and variances.

    Raises:
        ValueError: for a population of one, or one in which a number does not vary.
    """
    rows = np.asarray(genomes, np.float64)
    if len(rows) < 2 or not (rows.var(0) > 0).all():
        raise ValueError("information: a population needs two genomes or more, and every number to vary; ask for more genomes")
    return Gaussian(rows.mean(0), rows.var(0, ddof=1))


def search_distribution(strategy: Strategy, state: Any, genomes: Genomes | None = None) -> Gaussian:
    """What a strategy samples genomes from: in closed form where its state holds that, else fitted to a population.

    Args:
        strategy: which.
        state: evosax's own (``SearchState.strategy``).
        genomes: to be fitted where there is no closed form; the state's population if not given.

    Raises:
        ValueError: if there is neither a closed form nor a population.
    """
    name = strategy.algorithm
    if name in SPHERICAL | SHAPED | {"xNES"}:
        mean, std = np.asarray(state.mean, np.float64), np.asarray(state.std, np.float64)
        if name in SHAPED:
            return Gaussian(mean, std**2 * np.asarray(state.C, np.float64))
        if name == "xNES":
            basis = np.asarray(state.B, np.float64)
            return Gaussian(mean, std**2 * basis.T @ basis)
        return Gaussian(mean, np.broadcast_to(std**2, mean.shape))
    genomes = getattr(state, "population", None) if genomes is None else genomes
    if genomes is None:
        raise ValueError(f"information: {name} has no closed form; give the genomes of a generation")
    return fitted_gaussian(genomes)


@dataclass(frozen=True)
class Drift:
    """What a strategy does without selection: its scores are drawn at random.

    Attributes:
        means: of each run at each generation, (runs, generations + 1, genes), the first at the start.
        variances: the same shape.
    """

    means: np.ndarray
    variances: np.ndarray

    def run(self, index: int, generation: int) -> Gaussian:
        """One neutral search at one generation."""
        return Gaussian(*(x[index, generation].astype(np.float64) for x in (self.means, self.variances)))

    def ensemble(self, generation: int, without: int | None = None) -> Gaussian:
        """The normal distribution of all runs together, without one if told so.

        A strategy that knows nothing of the genes treats all numbers alike, so that they share one variance.
        """
        kept = np.arange(len(self.means)) != (-1 if without is None else without)
        start = self.means[0, 0].astype(np.float64)
        moved = (self.means[kept, generation] - start) ** 2 + self.variances[kept, generation]
        return Gaussian(start, np.full(start.size, moved.mean()))

    def bits(self, generation: int) -> np.ndarray:
        """KL of every neutral run from the ensemble of the others: what drift alone amounts to, (runs,)."""
        return np.array([kl_bits(self.run(i, generation), self.ensemble(generation, i)) for i in range(len(self.means))])


def drift(strategy: Strategy, initial: Genome, generations: int, *, runs: int = 16, key: Key) -> Drift:
    """Run a strategy on random scores, as a control: everything but selection, from the genome that a search started from.

    Raises:
        ValueError: for fewer than two runs, or a strategy whose distribution has no closed independent form.
    """
    if runs < 2:
        raise ValueError(f"drift: runs must be at least 2, given {runs}")
    if strategy.algorithm not in SPHERICAL:
        raise ValueError(f"drift: {strategy.algorithm} has no independent closed form; one of {', '.join(sorted(SPHERICAL))}")
    algorithm, params = strategy.build(initial.size, generations)

    def generation(state: Any, key: Key) -> tuple[Any, tuple[Array, Array]]:
        key_ask, key_score, key_tell = jax.random.split(key, 3)
        genomes, state = algorithm.ask(key_ask, state, params)
        scores = jax.random.normal(key_score, (len(genomes),))
        state, _ = algorithm.tell(key_tell, genomes, scores, state, params)
        return state, (state.mean, jnp.broadcast_to(state.std**2, initial.shape))

    def one(key: Key) -> tuple[Array, Array]:
        key_init, key_run = jax.random.split(key)
        start = strong(algorithm.init(key_init, initial, params))
        path = jax.lax.scan(generation, start, jax.random.split(key_run, generations))[1]
        born = start.mean, jnp.broadcast_to(start.std**2, initial.shape)
        means, variances = (jnp.concatenate([first[None], rest]) for first, rest in zip(born, path, strict=True))
        return means, variances

    means, variances = jax.jit(jax.vmap(one))(jax.random.split(key, runs))
    return Drift(np.asarray(means), np.asarray(variances))


def bits_gained(path: Sequence[Gaussian], generations: Sequence[int], neutral: Drift) -> np.ndarray:
    """Bits that selection has put into a search: its KL from the neutral ensemble, less that of neutral runs, (path,).

    Args:
        path: the search distribution at some generations.
        generations: which those are.
        neutral: from the same start, of the same strategy.
    """
    own = np.array([kl_bits(d, neutral.ensemble(g)) for d, g in zip(path, generations, strict=True)])
    return own - np.array([neutral.bits(g).mean() for g in generations])


def rounded(values: Float[Array, "..."], bits: Any) -> Float[Array, "..."]:
    """Affine quantisation: to the nearest of 2^bits evenly spaced levels from the least value to the largest.

    No value moves by more than half a step, range / (2^bits - 1) / 2.

    Raises:
        ValueError: for less than one bit, if that is known when the call is compiled.
    """
    if isinstance(bits, int | float) and bits < 1:
        raise ValueError(f"rounded: bits must be at least 1, given {bits}")
    low, high = values.min(), values.max()
    step = jnp.maximum((high - low) / (2.0**bits - 1), 1e-30)
    return low + step * jnp.round((values - low) / step)


def code_bits(codes: np.ndarray, levels: int) -> float:
    """Bits in which an adaptive code writes symbols down (Krichevsky and Trofimov 1981), at most log2(levels) a symbol.

    Each symbol costs -log2 of its frequency so far, half a count given to every level in advance: what arithmetic coding
    reaches without being told the frequencies. One bit says which of the two ways was chosen.
    """
    from scipy.special import gammaln  # here, because a search waits for no statistics

    counts = np.bincount(codes.ravel(), minlength=levels)
    learned = gammaln(codes.size + levels / 2) - gammaln(levels / 2) - (gammaln(counts + 0.5) - gammaln(0.5)).sum()
    return 1.0 + float(min(learned / np.log(2), codes.size * np.log2(levels)))


@dataclass(frozen=True)
class Description:
    """How long a vector is when it is written down.

    Attributes:
        numbers: how many.
        bits: all bits, those of the ranges included.
        error: root mean square error of what is read back, as a share of the values' own.
    """

    numbers: int
    bits: float
    error: float


def description(weights: Any, bits: int) -> Description:
    """Description length of a genome, or of any pytree of weights, at a precision.

    Every array is rounded to 2^bits levels, its two ends written at 32 bits each, and its levels entropy coded
    (:func:`code_bits`). Zeros of a masked matrix are values like any other; give existing synapses alone to leave them out.

    Raises:
        ValueError: for bits outside 1 to 16, nothing to describe, or numbers that are not finite.
    """
    if not 1 <= bits <= 16:
        raise ValueError(f"description: bits must be from 1 to 16, given {bits}")
    arrays = [np.asarray(x, np.float64).ravel() for x in jax.tree.leaves(weights) if np.size(x)]
    if not arrays:
        raise ValueError("description: there are no numbers to describe")
    if not all(np.isfinite(values).all() for values in arrays):
        raise ValueError("description: weights has NaN or infinite numbers; take them out or zero them")
    length, wrong = 0.0, 0.0
    for values in arrays:
        low, step = values.min(), max(np.ptp(values) / (2**bits - 1), 1e-300)
        codes = np.round((values - low) / step).astype(int)
        length += 64 + code_bits(codes, 2**bits)
        wrong += ((low + step * codes - values) ** 2).sum()
    size = sum((values**2).sum() for values in arrays)
    return Description(sum(len(v) for v in arrays), length, float(np.sqrt(wrong / max(size, 1e-300))))
