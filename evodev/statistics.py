"""Statistics of a few seeds: what may be claimed when the unit is the outer seed (Agarwal et al. 2021, arXiv 2108.13264).

Arrays of scores are (seeds, worlds): one row for each independent search, one column for each task, or level, or life that
all seeds share; a single column where there is only one. What a search is worth shows in all its columns, so that a bootstrap
redraws whole rows: redrawn column by column, as published, 95% intervals of ten searches judged on the same 32 lives held the
truth in less than half of the cases (tests/test_calibration.py). ``stratified`` is for columns that are of different searches.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

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
    # as scipy's trim_mean(0.25), which takes a hundred times as long for a few numbers
    flat = np.sort(np.asarray(scores, np.float64), axis=None)
    cut = len(flat) // 4
    return float(flat[cut : len(flat) - cut].mean())


def estimate(
    scores: Scores,
    statistic: Callable[[np.ndarray], float] = iqm,
    *,
    resamples: int = 2000,
    seed: int = 0,
    stratified: bool = False,
) -> Estimate:
    """A statistic of all scores with its 95% percentile-bootstrap interval over seeds.

    Args:
        scores: of one arm.
        statistic: (seeds, worlds) -> number.
        resamples: how many.
        seed: of the resampling.
        stratified: redraw seeds world by world; only where each world has searches of its own.
    """
    scores, rng = np.asarray(scores, np.float64), np.random.default_rng(seed)
    drawn = [statistic(_redrawn(scores, rng, stratified=stratified)) for _ in range(resamples)]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Estimate(statistic(scores), float(low), float(high))


def _redrawn(scores: np.ndarray, rng: np.random.Generator, *, stratified: bool) -> np.ndarray:
    """Seeds drawn with replacement, whole or world by world."""
    seeds, worlds = scores.shape
    return scores[rng.integers(0, seeds, (seeds, worlds if stratified else 1)), np.arange(worlds)]


def improvement(
    own: Scores,
    other: Float[np.ndarray | Array, "others worlds"],
    *,
    resamples: int = 2000,
    seed: int = 0,
    stratified: bool = False,
) -> Estimate:
    """Probability that a run of one arm scores higher than a run of another, mean over worlds; a tie counts half.

    With one world it is the Mann-Whitney U statistic over the number of pairs.

    Args:
        own: scores of the one, higher is better.
        other: scores of the other, the same worlds and any number of seeds.
        resamples: of the bootstrap.
        seed: of the resampling.
        stratified: as for :func:`estimate`.
    """
    own, other, rng = np.asarray(own, np.float64), np.asarray(other, np.float64), np.random.default_rng(seed)
    above = (own[:, None] > other[None]) + 0.5 * (own[:, None] == other[None])  # (own, others, worlds)
    value = float(above.mean())
    apart = above if stratified else above.mean(2, keepdims=True)
    # each resample is how often each seed was drawn, in every world that is redrawn apart
    (rows, columns), worlds = above.shape[:2], apart.shape[2]
    mine, theirs = (rng.multinomial(n, np.full(n, 1 / n), size=(worlds, resamples)) for n in (rows, columns))
    wins = np.stack([((mine[w] @ apart[..., w]) * theirs[w]).sum(1) for w in range(worlds)])
    low, high = np.percentile(wins.mean(0) / (rows * columns), [2.5, 97.5])
    return Estimate(value, float(low), float(high))


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
    return Verdict(float(mean), float(low), float(high), float(_flipped(differences[:, None], resamples)[0, 0]))


def _flipped(differences: Float[np.ndarray, "seeds arms"], resamples: int) -> Float[np.ndarray, "flips arms"]:
    """p that each arm would have had under each flip of the seeds' signs, what was observed first.

    All 2^seeds flips if they are no more than ``resamples``, else so many drawn at random. A flip is as extreme as another
    where the size of its mean is no smaller.
    """
    seeds = len(differences)
    if 2**seeds <= resamples:
        signs = 1.0 - 2.0 * ((np.arange(2**seeds)[:, None] >> np.arange(seeds)) & 1)
    else:
        signs = np.random.default_rng(0).choice([-1.0, 1.0], (resamples, seeds))
        signs[0] = 1.0  # what was observed is one of the flips
    # rounding must not tell equal sums apart
    sizes = np.round(np.abs(signs @ differences) / np.maximum(np.abs(differences).sum(0), 1e-300), 10)
    return np.stack([(len(own) - np.searchsorted(np.sort(own), own)) / len(own) for own in sizes.T], 1)


def holm(ps: Sequence[float]) -> list[float]:
    """Probabilities corrected for their number, so that all together err at the stated rate (Holm 1979)."""
    order, out, least = np.argsort(ps), [1.0] * len(ps), 0.0
    for rank, i in enumerate(order):
        least = max(least, min(1.0, (len(ps) - rank) * ps[i]))
        out[i] = least
    return out


def jointly(differences: Float[np.ndarray, "seeds arms"], *, resamples: int = 10_000) -> list[float]:
    """Sign-flip p of every arm, corrected for their number by flipping all arms of a seed together (step-down min-P).

    Westfall and Young (1993), as Romano and Wolf (2005, Econometrica 73) put it: p of an arm is the share of flips in which
    any arm that is no more significant would have been as significant. It is never above Holm's, which must fear the worst of
    how arms depend on each other: with n seeds and k arms Holm's p is never below 2 k / 2^n, this one's may fall to 2 / 2^n.

    Args:
        differences: of each arm from one and the same rival, paired by seed.
        resamples: flips, if they are too many to try all of them (2^n).
    """
    differences = np.asarray(differences, np.float64)
    if not differences.size:
        return []
    ps = _flipped(differences, resamples)
    order, out, least = np.argsort(ps[0], kind="stable"), [1.0] * ps.shape[1], 0.0
    for rank, i in enumerate(order):
        least = max(least, float((ps[:, order[rank:]].min(1) <= ps[0, i]).mean()))
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
    if len(differences) < 2:
        return 1.0
    room, error = margin - abs(differences.mean()), differences.std(ddof=1) / len(differences) ** 0.5
    if error == 0:
        return 0.0 if room > 0 else 1.0
    from scipy.special import stdtr  # here, because a search waits for no statistics

    # the larger p of the two is that of the nearer end of the margin
    return float(stdtr(len(differences) - 1, -room / error))
