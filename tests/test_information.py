"""Information in a search and in a vector, against answers known beforehand."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from evodev.analysis.information import (
    Gaussian,
    bits_gained,
    code_bits,
    description,
    drift,
    fitted_gaussian,
    kl_bits,
    rounded,
    search_distribution,
)
from evodev.strategies import Strategy

RNG = np.random.default_rng(0)


def test_kl_of_normal_distributions_is_the_textbooks() -> None:
    one = Gaussian(np.array([1.0]), np.array([4.0]))
    other = Gaussian(np.array([0.0]), np.array([1.0]))
    # (4 + 1 - 1 - ln 4) / 2 nats
    assert kl_bits(one, other) == pytest.approx((4 - np.log(4)) / 2 / np.log(2))
    assert kl_bits(one, one) == pytest.approx(0)
    # a shift of one standard deviation is half a nat a number
    shifted = Gaussian(np.ones(3), np.ones(3))
    assert kl_bits(shifted, Gaussian(np.zeros(3), np.ones(3))) == pytest.approx(1.5 / np.log(2))


def test_kl_does_not_depend_on_coordinates() -> None:
    turn = np.linalg.qr(RNG.normal(size=(3, 3)))[0]
    own, other = Gaussian(np.arange(3.0), np.array([1.0, 2.0, 3.0])), Gaussian(np.ones(3), np.array([0.5, 1.0, 4.0]))
    turned = [Gaussian(turn @ d.mean, turn @ np.diag(d.covariance) @ turn.T) for d in (own, other)]
    assert kl_bits(*turned) == pytest.approx(kl_bits(own, other))
    assert kl_bits(own, turned[1]) != pytest.approx(kl_bits(own, other))
    with pytest.raises(ValueError, match="do not fit"):
        Gaussian(np.zeros(2), np.ones(3))


def test_entropy_of_a_normal_distribution() -> None:
    assert Gaussian(np.zeros(1), np.array([1 / (2 * np.pi * np.e)])).entropy == pytest.approx(0)
    # half the standard deviation in each of four numbers is four bits fewer
    wide, narrow = (Gaussian(np.zeros(4), np.diag(np.full(4, v))) for v in (1.0, 0.25))
    assert wide.entropy - narrow.entropy == pytest.approx(4)


def test_a_search_distribution_is_read_off_the_state_or_fitted() -> None:
    mean, basis = jnp.arange(2.0), jnp.array([[1.0, 2.0], [0.0, 1.0]])
    state = SimpleNamespace(mean=mean, std=jnp.asarray(0.5), C=basis @ basis.T, B=basis)
    spread = {
        "Open_ES": np.full(2, 0.25),
        "CMA_ES": 0.25 * np.asarray(basis @ basis.T),
        "xNES": 0.25 * np.asarray(basis.T @ basis),
    }
    for name, expected in spread.items():
        np.testing.assert_allclose(search_distribution(Strategy(name, 8), state).covariance, expected)
    # against what a strategy really samples
    algorithm, params = Strategy("xNES", 4000).build(2, 1)
    real = algorithm.init(jax.random.key(0), mean, params).replace(B=basis, std=jnp.asarray(0.5))
    genomes, _ = algorithm.ask(jax.random.key(1), real, params)
    np.testing.assert_allclose(np.cov(genomes.T), spread["xNES"], atol=0.1)
    population = SimpleNamespace(population=jnp.array([[0.0, 1.0], [2.0, 5.0]]))
    own = search_distribution(Strategy("SimpleGA", 8), population)
    assert own.mean.tolist() == [1.0, 3.0]
    assert own.covariance.tolist() == [2.0, 8.0]
    with pytest.raises(ValueError, match="give the genomes"):
        search_distribution(Strategy("GuidedES", 8), state)
    with pytest.raises(ValueError, match="more genomes"):
        fitted_gaussian(jnp.ones((3, 2)))


def test_drift_gains_nothing_and_a_search_that_moves_does() -> None:
    strategy, start = Strategy("SNES", 8, sigma=0.3), jnp.zeros(5)
    neutral = drift(strategy, start, 6, runs=12, key=jax.random.key(0))
    assert neutral.means.shape == (12, 7, 5)
    assert np.ptp(neutral.means[:, -1], axis=0).min() > 0, "no two runs drift alike"
    np.testing.assert_allclose(neutral.bits(0), 0, atol=1e-6)
    assert neutral.ensemble(6).variances[0] > neutral.ensemble(1).variances[0] > 0.3**2
    # neutral runs that the ensemble does not contain have gained nothing, but for chance
    fresh = drift(strategy, start, 6, runs=12, key=jax.random.key(1))
    gained = [bits_gained([fresh.run(i, 6)], [6], neutral)[0] for i in range(12)]
    assert abs(np.mean(gained)) < 3 * np.std(gained) / 12**0.5 + 0.1
    # moved by three neutral standard deviations in one number: nine halves of a nat
    still = Gaussian(np.zeros(5), neutral.ensemble(6).covariance)
    moved = Gaussian(np.eye(5)[0] * 3 * still.variances[0] ** 0.5, still.covariance)
    assert np.diff(bits_gained([still, moved], [6, 6], neutral))[0] == pytest.approx(4.5 / np.log(2))
    with pytest.raises(ValueError, match="runs must be at least 2"):
        drift(strategy, start, 2, runs=1, key=jax.random.key(0))
    with pytest.raises(ValueError, match="closed form"):
        drift(Strategy("CMA_ES", 8), start, 2, key=jax.random.key(0))


@pytest.mark.parametrize("bits", [1, 3, 8])
def test_rounding_moves_no_value_by_more_than_half_a_step(bits: int) -> None:
    values = jnp.asarray(RNG.normal(size=300), jnp.float32)
    out = rounded(values, bits)
    step = float(values.max() - values.min()) / (2**bits - 1)
    assert float(jnp.abs(out - values).max()) <= step / 2 * 1.001
    assert len(np.unique(np.round((out - out.min()) / step))) <= 2**bits
    np.testing.assert_allclose([out.min(), out.max()], [values.min(), values.max()], rtol=1e-5)
    assert (rounded(jnp.ones(3), bits) == 1).all()


def test_code_lengths_of_uniform_and_of_constant_symbols() -> None:
    uniform = RNG.integers(0, 4, 4000)
    # two bits each, a bit for the way, and half a log2 of the number for each frequency learned
    assert 8000 <= code_bits(uniform, 4) <= 8001
    assert code_bits(np.zeros(4000, int), 4) < 30
    biased = (RNG.random(4000) < 0.11).astype(int)
    share = biased.mean()
    entropy = -share * np.log2(share) - (1 - share) * np.log2(1 - share)
    assert code_bits(biased, 2) == pytest.approx(4000 * entropy, rel=0.01)
    assert code_bits(biased, 2) > 4000 * entropy


def test_a_description_grows_with_precision_and_loses_error() -> None:
    weights = {"a": RNG.uniform(-1, 1, (40, 20)), "b": RNG.uniform(0, 3, 200)}
    coarse, fine = (description(weights, bits) for bits in (2, 8))
    assert coarse.numbers == fine.numbers == 1000
    # uniform values have nothing to gain from a code; two ranges of 64 bits
    assert fine.bits == pytest.approx(8 * 1000 + 2 * 65, abs=1)
    # uniform errors: step / sqrt(12), ranges of 2 and 3
    levels, size = 2**8 - 1, (800 / 3 + 200 * 3) ** 0.5
    assert fine.error == pytest.approx(((800 * (2 / levels) ** 2 + 200 * (3 / levels) ** 2) / 12) ** 0.5 / size, rel=0.1)
    assert coarse.error > 10 * fine.error
    assert description(np.zeros(1000), 2).bits < 100
    with pytest.raises(ValueError, match="rounded: bits must be at least 1"):
        rounded(jnp.ones(3), 0)
    for wrong, bits in ((np.ones(3), 0), ((), 4), ((np.ones(2), np.array([1.0, np.nan])), 4)):
        with pytest.raises(ValueError, match="description"):
            description(wrong, bits)
