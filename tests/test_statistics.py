"""Statistics of a few seeds, against scipy, by hand, and by simulation."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from evodev.statistics import equivalent, estimate, holm, improvement, interval, iqm, paired, profile, sign_flips

RNG = np.random.default_rng(0)


def test_iqm_is_the_mean_of_the_middle_half() -> None:
    assert iqm(np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0], [6.0, 700.0]])) == pytest.approx((2 + 3 + 4 + 5) / 4)


@pytest.mark.parametrize("stratified", [False, True])
def test_a_resample_never_mixes_worlds(stratified: bool) -> None:
    scores = np.stack([RNG.normal(size=8), 100 + RNG.normal(size=8)], 1)
    value, low, high = estimate(scores, lambda s: float(s.mean()), resamples=300, stratified=stratified)
    assert 49 < low < value < high < 51


def test_probability_of_improvement_is_mann_whitney() -> None:
    own, other = RNG.normal(size=(9, 1)), RNG.normal(size=(7, 1)) - 0.5
    u = stats.mannwhitneyu(own[:, 0], other[:, 0]).statistic
    assert improvement(own, other, resamples=50).value == pytest.approx(u / 63)
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


def test_the_sign_flip_test_by_hand_and_its_least_p() -> None:
    # of the 8 sign patterns of 1, 2, 3 two are as extreme as all alike
    verdict = paired(np.array([1.0, 2.0, 3.0]), np.zeros(3))
    assert verdict.value == pytest.approx(2)
    assert verdict.p == pytest.approx(2 / 8)
    assert paired(np.arange(6) + 1.0, np.zeros(6)).p == pytest.approx(2 / 64)
    assert paired(np.ones(4), np.ones(4)).p == 1


def test_the_sign_flip_test_is_scipys() -> None:
    many = np.round(np.random.default_rng(3).normal(0.4, 1.0, (9, 20)), 1)  # rounded, so that there are ties

    def by_scipy(column: np.ndarray) -> float:
        test: Any = stats.permutation_test(
            (column,), lambda x, axis: x.mean(axis), permutation_type="samples", n_resamples=10_000, vectorized=True,
            rng=np.random.default_rng(0),
        )  # fmt: skip
        return test.pvalue

    np.testing.assert_allclose(sign_flips(many), [by_scipy(column) for column in many.T], atol=1e-12)
    # too many flips to try all of them
    long = np.random.default_rng(4).normal(0.4, 1.0, (20, 2))
    np.testing.assert_allclose(sign_flips(long), [by_scipy(column) for column in long.T], atol=0.03)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_only_ever_raises_and_keeps_the_order(ps: list[float]) -> None:
    corrected = holm(ps)
    assert all(p <= c <= 1 for p, c in zip(ps, corrected, strict=True))
    order = np.argsort(ps)
    assert (np.diff(np.array(corrected)[order]) >= 0).all()


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
