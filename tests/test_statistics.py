"""Statistics of a few seeds, against scipy, by hand, and by simulation."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from evodev.statistics import equivalent, estimate, holm, improvement, interval, iqm, jointly, paired, profile

RNG = np.random.default_rng(0)


def test_iqm_is_the_mean_of_the_middle_half() -> None:
    assert iqm(np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0], [6.0, 700.0]])) == pytest.approx((2 + 3 + 4 + 5) / 4)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 10, 11, 23])
def test_iqm_is_the_trimmed_mean_of_scipy(count: int) -> None:
    scores = np.random.default_rng(count).exponential(size=(count, 1))
    assert iqm(scores) == pytest.approx(stats.trim_mean(scores.ravel(), 0.25))


@pytest.mark.parametrize("stratified", [False, True])
def test_a_resample_never_mixes_worlds(stratified: bool) -> None:
    scores = np.stack([RNG.normal(size=8), 100 + RNG.normal(size=8)], 1)
    value, low, high = estimate(scores, lambda s: float(s.mean()), resamples=300, stratified=stratified)
    assert 49 < low < value < high < 51


def test_probability_of_improvement_is_mann_whitney() -> None:
    own, other = RNG.normal(size=(9, 1)), RNG.normal(size=(7, 1)) - 0.5
    u = stats.mannwhitneyu(own[:, 0], other[:, 0]).statistic
    assert improvement(own, other, resamples=50).value == pytest.approx(u / 63)
    tied, ties = RNG.integers(0, 4, (9, 1)) / 4, RNG.integers(0, 4, (7, 1)) / 4
    u = stats.mannwhitneyu(tied[:, 0], ties[:, 0]).statistic
    assert improvement(tied, ties, resamples=50).value == pytest.approx(u / 63), "a tie counts half in both"
    assert improvement(own, own, resamples=50).value == 0.5
    assert improvement(own + 100, own, resamples=50) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("stratified", [False, True])
def test_the_interval_of_improvement_is_that_of_redrawn_seeds(stratified: bool) -> None:
    rng = np.random.default_rng(5)
    own, other = rng.normal(size=(6, 3)) + rng.normal(size=(6, 1)), rng.normal(size=(9, 3))
    value, low, high = improvement(own, other, stratified=stratified)

    def drawn(scores: np.ndarray) -> np.ndarray:
        rows = rng.integers(0, len(scores), (len(scores), 3 if stratified else 1))
        return scores[rows, np.arange(3)]

    slow = [improvement(drawn(own), drawn(other), resamples=1).value for _ in range(2000)]
    np.testing.assert_allclose((low, high), np.percentile(slow, [2.5, 97.5]), atol=0.03)
    assert low < value < high


def test_a_profile_falls_from_all_runs_to_none() -> None:
    scores = np.array([[0.1, 0.5], [0.3, 0.9]])
    np.testing.assert_allclose(profile(scores, np.array([0.0, 0.2, 0.5, 1.0])), [1, 0.75, 0.25, 0])
    assert profile(scores, np.array([0.3]))[0] == 0.5, "a score that equals the threshold is not above it"


def test_the_sign_flip_test_by_hand_and_its_least_p() -> None:
    # of the 8 sign patterns of 1, 2, 3 two are as extreme as all alike
    verdict = paired(np.array([1.0, 2.0, 3.0]), np.zeros(3))
    assert verdict.value == pytest.approx(2)
    assert verdict.p == pytest.approx(2 / 8)
    assert paired(np.arange(6) + 1.0, np.zeros(6)).p == pytest.approx(2 / 64)
    assert paired(np.ones(4), np.ones(4)).p == 1


@pytest.mark.parametrize("seeds", [4, 9])
def test_the_sign_flip_test_is_that_of_scipy(seeds: int) -> None:
    own, other = np.random.default_rng(seeds).normal(size=(2, seeds))

    def mean(x: np.ndarray, axis: int) -> np.ndarray:
        return x.mean(axis)

    test = stats.permutation_test((own - other,), mean, permutation_type="samples", n_resamples=2**seeds, vectorized=True)
    assert paired(own, other).p == pytest.approx(test.pvalue)
    # with more seeds than can be tried it is drawn, and close to the exact one
    assert paired(own, other, resamples=2**seeds - 1).p == pytest.approx(test.pvalue, abs=0.4 if seeds == 4 else 0.08)


def test_a_paired_difference_has_the_interval_of_its_mean() -> None:
    own, other = RNG.normal(size=(2, 7))
    assert paired(own, other)[:3] == tuple(map(float, interval(own - other, 2000)))
    assert paired(own[:1], other[:1]).p == 1, "one seed shows nothing"


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.2, 0.01, 0.02, 0.02]) == pytest.approx([0.2, 0.04, 0.06, 0.06])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_only_ever_raises_and_keeps_the_order(ps: list[float]) -> None:
    corrected = holm(ps)
    assert all(p <= c <= 1 for p, c in zip(ps, corrected, strict=True))
    order = np.argsort(ps)
    assert (np.diff(np.array(corrected)[order]) >= 0).all()


def test_the_joint_correction_by_hand() -> None:
    # eight flips: 1, 2, 3 is matched by two of them; 1, -2, 3 (mean 2/3) by six, and by two better than that
    differences = np.array([[1.0, 1.0], [2.0, -2.0], [3.0, 3.0]])
    assert [paired(own, np.zeros(3)).p for own in differences.T] == pytest.approx([2 / 8, 6 / 8])
    assert jointly(differences) == pytest.approx([4 / 8, 6 / 8])
    assert jointly(differences[:, :1]) == pytest.approx([2 / 8]), "there is nothing to correct for"
    assert jointly(np.zeros((4, 2))) == [1.0, 1.0]
    assert jointly(np.zeros((4, 0))) == []


def test_the_joint_correction_is_never_above_holms_and_pays_nothing_for_copies() -> None:
    differences = RNG.normal(0.4, 1.0, size=(7, 5))
    ps = [paired(own, np.zeros(7)).p for own in differences.T]
    found = jointly(differences)
    assert all(p <= f <= h for p, f, h in zip(ps, found, holm(ps), strict=True))
    assert any(f < h for f, h in zip(found, holm(ps), strict=True))
    assert jointly(np.tile(differences[:, :1], 9)) == pytest.approx([ps[0]] * 9)


@pytest.mark.parametrize("correct", [lambda d: holm([paired(own, 0 * own, resamples=256).p for own in d.T]), jointly])
def test_of_many_arms_without_a_difference_one_is_found_in_at_most_one_of_twenty_trials(correct: Any) -> None:
    trials = 200
    shared = RNG.normal(size=(trials, 8, 1))  # arms share their rival, and with it what happened to it
    wrong = sum(min(correct(shared[t] + RNG.normal(size=(8, 4)))) < 0.05 for t in range(trials))
    assert wrong <= stats.binom.ppf(0.999, trials, 0.05)


def test_equivalence_is_claimed_only_within_the_margin_and_with_seeds_enough() -> None:
    near = RNG.normal(scale=0.1, size=20)
    assert equivalent(near, np.zeros(20), 0.5) < 0.01
    assert equivalent(near + 0.5, np.zeros(20), 0.5) > 0.05
    assert equivalent(near[:2], np.zeros(2), 0.1) > 0.05
    assert equivalent(np.zeros(1), np.zeros(1), 0.1) == 1
    assert (equivalent(np.ones(3), np.zeros(3), 1.1), equivalent(np.ones(3), np.zeros(3), 0.9)) == (0, 1)
    with pytest.raises(ValueError, match="margin must be positive"):
        equivalent(near, near, 0.0)


@pytest.mark.parametrize("shift", [0.0, 0.3, 1.0, -0.6])
def test_equivalence_is_scipys_two_one_sided_tests(shift: float) -> None:
    differences = np.random.default_rng(6).normal(shift, 0.4, 9)
    above: Any = stats.ttest_1samp(differences, -0.5, alternative="greater")
    below: Any = stats.ttest_1samp(differences, 0.5, alternative="less")
    assert equivalent(differences, np.zeros(9), 0.5) == pytest.approx(max(above.pvalue, below.pvalue))


def test_intervals_cover_the_truth_at_the_stated_rate() -> None:
    covered = 0
    for trial in range(300):
        _, low, high = interval(np.random.default_rng(trial).normal(1.0, 1.0, 20), 400, seed=trial)
        covered += bool(low <= 1.0 <= high)
    # a percentile bootstrap of 20 is known to cover a little less than it says
    assert 0.87 < covered / 300 < 0.98


def test_stratified_intervals_of_an_iqm_cover_the_truth_at_nearly_the_stated_rate() -> None:
    offsets, trials = np.arange(3) * 2.0, 100  # worlds of different difficulty, scores skewed as losses are
    truth = iqm(np.random.default_rng(99).exponential(size=(100_000, 3)) + offsets)
    covered = 0
    for trial in range(trials):
        scores = np.random.default_rng(trial).exponential(size=(10, 3)) + offsets
        _, low, high = estimate(scores, resamples=120, seed=trial)
        covered += bool(low <= truth <= high)
    # a percentile bootstrap of ten seeds is a little too narrow: 0.91 to 0.95 in 300 trials of one and of four worlds
    assert 0.83 < covered / trials < 0.99
