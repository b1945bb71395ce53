"""Statistics of a few seeds, against scipy, by hand, and by simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from evodev.statistics import equivalent, estimate, holm, improvement, interval, iqm, paired, profile

RNG = np.random.default_rng(0)


def test_iqm_is_the_mean_of_the_middle_half() -> None:
    assert iqm(np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 5.0], [6.0, 700.0]])) == pytest.approx((2 + 3 + 4 + 5) / 4)


def test_a_stratified_resample_never_mixes_worlds() -> None:
    scores = np.stack([RNG.normal(size=8), 100 + RNG.normal(size=8)], 1)
    value, low, high = estimate(scores, lambda s: float(s.mean()), resamples=300)
    assert 49 < low < value < high < 51


def test_probability_of_improvement_is_mann_whitney() -> None:
    own, other = RNG.normal(size=(9, 1)), RNG.normal(size=(7, 1)) - 0.5
    u = stats.mannwhitneyu(own[:, 0], other[:, 0]).statistic
    assert improvement(own, other, resamples=50).value == pytest.approx(u / 63)
    assert improvement(own, own, resamples=50).value == 0.5
    assert improvement(own + 100, own, resamples=50) == (1.0, 1.0, 1.0)


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
    with pytest.raises(ValueError, match="margin must be positive"):
        equivalent(near, near, 0.0)


def test_two_equal_arms_differ_in_about_one_of_twenty_trials() -> None:
    trials = 400
    found = sum(paired(*RNG.normal(size=(2, 8)), resamples=256).p < 0.05 for _ in range(trials))
    low, high = stats.binom.interval(0.999, trials, 0.05)
    assert found <= high
    # exact p are multiples of 1/128: the test is a little conservative, and far from never
    assert found >= low - 8


def test_intervals_cover_the_truth_at_the_stated_rate() -> None:
    covered = 0
    for trial in range(300):
        _, low, high = interval(np.random.default_rng(trial).normal(1.0, 1.0, 20), 400, seed=trial)
        covered += bool(low <= 1.0 <= high)
    # a percentile bootstrap of 20 is known to cover a little less than it says
    assert 0.87 < covered / 300 < 0.98
