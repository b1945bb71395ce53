"""Statistics of a few seeds: what may be claimed when the unit is the outer seed (Agarwal et al. 2021, arXiv 2108.13264).

Arrays of scores are (seeds, worlds): one row for each independent search, one column for each task, or level, or life that
all seeds share; a single column where there is only one.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from evodev.types import Array, Float

Scores = Float[np.ndarray | Array, "seeds worlds"]


class Estimate(NamedTuple):
    """A statistic with its 95% interval."""

    value: float
    lo: float
    hi: float


class Verdict(NamedTuple):
    """A difference with its 95% interval, and the probability of one as large by chance alone."""

    value: float
    lo: float
    hi: float
    p: float


def interval(values: np.ndarray, resamples: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean over the first axis with its 95% percentile-bootstrap interval.

    Args:
        values: (units, ...); the units are lives within a run, or runs when several seeds are given.
        resamples: bootstrap samples of the units.
        seed: of the resampling.
    """
    rng = np.random.default_rng(seed)
    flat = values.reshape(len(values), -1)
    # each resample is a vector of how often each unit was drawn, so that the means are one matmul
    weights = rng.multinomial(len(values), np.full(len(values), 1 / len(values)), size=resamples) / len(values)
    low, high = np.percentile(weights @ flat, [2.5, 97.5], axis=0)
    shape = values.shape[1:]
    return np.asarray(values.mean(0)), low.reshape(shape), high.reshape(shape)


def iqm(scores: Scores) -> float:
    """Interquartile mean: that of the middle half of all scores, whichever seed and world they are of."""
    return float(stats.trim_mean(np.asarray(scores, np.float64).ravel(), 0.25))


def estimate(scores: Scores, statistic: Callable[[np.ndarray], float] = iqm, *, resamples: int = 2000, seed: int = 0) -> Estimate:
    """A statistic of all scores with its 95% stratified-bootstrap interval: seeds are redrawn within each world.

    Args:
        scores: of one arm.
        statistic: (seeds, worlds) -> number.
        resamples: how many.
        seed: of the resampling.
    """
    scores, rng = np.asarray(scores, np.float64), np.random.default_rng(seed)
    drawn = [statistic(_redrawn(scores, rng)) for _ in range(resamples)]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Estimate(statistic(scores), float(low), float(high))


def _redrawn(scores: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Seeds drawn with replacement, world by world."""
    rows = rng.integers(0, len(scores), scores.shape)
    return np.take_along_axis(scores, rows, axis=0)


def improvement(
    own: Scores, other: Float[np.ndarray | Array, "others worlds"], *, resamples: int = 2000, seed: int = 0
) -> Estimate:
    """Probability that a run of one arm scores higher than a run of another, mean over worlds; a tie counts half.

    With one world it is the Mann-Whitney U statistic over the number of pairs.

    Args:
        own: scores of the one, higher is better.
        other: scores of the other, the same worlds and any number of seeds.
        resamples: of the stratified bootstrap.
        seed: of the resampling.
    """
    own, other, rng = np.asarray(own, np.float64), np.asarray(other, np.float64), np.random.default_rng(seed)

    def above(a: np.ndarray, b: np.ndarray) -> float:
        return float(((a[:, None] > b[None]) + 0.5 * (a[:, None] == b[None])).mean())

    drawn = [above(_redrawn(own, rng), _redrawn(other, rng)) for _ in range(resamples)]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Estimate(above(own, other), float(low), float(high))


def profile(scores: Scores, thresholds: Float[np.ndarray, " t"]) -> Float[np.ndarray, " t"]:
    """Performance profile: the share of runs that score above each threshold."""
    return (np.asarray(scores)[None] > np.asarray(thresholds)[:, None, None]).mean((1, 2))


def paired(own: Float[np.ndarray, " seeds"], other: Float[np.ndarray, " seeds"], *, resamples: int = 10_000) -> Verdict:
    """Mean difference of two arms seed by seed: its interval, and p of the two-sided sign-flip test.

    The test is exact where all flips can be tried, up to 13 seeds: with ``n`` seeds p is never below 2 / 2^n, so that fewer
    than six cannot be significant at 5%, whatever they say.
    """
    differences = np.asarray(own, np.float64) - np.asarray(other, np.float64)
    mean, low, high = interval(differences, min(resamples, 2000))
    p = 1.0
    if len(differences) > 1 and np.any(differences != 0):
        test: Any = stats.permutation_test(
            (differences,), lambda x, axis: x.mean(axis), permutation_type="samples", n_resamples=resamples, vectorized=True,
            rng=np.random.default_rng(0),
        )  # fmt: skip
        p = float(test.pvalue)
    return Verdict(float(mean), float(low), float(high), p)


def holm(ps: Sequence[float]) -> list[float]:
    """Probabilities corrected for their number, so that all together err at the stated rate (Holm 1979)."""
    order, out, least = np.argsort(ps), [1.0] * len(ps), 0.0
    for rank, i in enumerate(order):
        least = max(least, min(1.0, (len(ps) - rank) * ps[i]))
        out[i] = least
    return out


def equivalent(own: Float[np.ndarray, " seeds"], other: Float[np.ndarray, " seeds"], margin: float) -> float:
    """p of two one-sided paired t tests: small where the mean difference lies within the margin (Schuirmann 1987).

    "No difference" is a claim too, and a large p of a test for one is no evidence for it.

    Raises:
        ValueError: for a margin that is not positive.
    """
    if margin <= 0:
        raise ValueError(f"equivalent: margin must be positive, given {margin}")
    differences = np.asarray(own, np.float64) - np.asarray(other, np.float64)
    if np.ptp(differences) == 0:
        return 0.0 if abs(differences.mean()) < margin else 1.0
    above: Any = stats.ttest_1samp(differences, -margin, alternative="greater")
    below: Any = stats.ttest_1samp(differences, margin, alternative="less")
    return float(max(above.pvalue, below.pvalue))
