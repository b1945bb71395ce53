"""Instruments of activity, cost and canalisation: hand-computed cases and simulations of known truth."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from evodev.analysis.dynamics import (
    Phenotype,
    answering,
    brought_up,
    canalisation,
    operations,
    selectivity,
    similarities,
    sparseness,
)
from evodev.evaluation import sample_lives
from evodev.learners import Gradient, Hebbian, NoLearning
from evodev.learners.base import Learner
from evodev.network import activities
from evodev.tasks import Life
from tests.tiny import CHAIN, WHOLE, Blobs, random_network


def test_sparseness_by_hand() -> None:
    # on the first sample one of four neurons, on the second all alike; the last neuron is never more than a whisper
    activity = np.array([[2.0, 0.0, 0.0, 0.0], [-1.0, 1.0, 1.0, 0.01]])
    found = sparseness(activity, threshold=0.1)
    assert found.active == pytest.approx(4 / 8)
    assert found.silent == pytest.approx(1 / 4)
    # over samples: neuron 0 has a = 1.5^2 / 2.5 = .9, hence (1 - .9) / (1 - 1/2) = .2; neurons 1 and 2 fire on one of two: 1
    assert found.lifetime == pytest.approx((0.2 + 1 + 1) / 3)
    # over neurons: a single one, 1; three equal ones of four, a = (3/4)^2 / (3/4) = 3/4, hence 1/3
    assert found.population == pytest.approx((1 + 1 / 3) / 2)


def test_sparseness_has_its_ends() -> None:
    np.testing.assert_allclose(selectivity(np.eye(5), 0), 1.0)
    np.testing.assert_allclose(selectivity(np.ones((5, 3)), 1), 0.0)
    asleep = sparseness(np.zeros((3, 4)))
    assert (asleep.active, asleep.silent) == (0.0, 1.0)
    assert np.isnan(asleep.lifetime)
    with pytest.raises(ValueError, match="two or more"):
        selectivity(np.ones((1, 3)), 0)


def test_operations_by_hand_and_as_the_network_counts_them() -> None:
    kernel, sent = np.array([[1.0, 0.0, 2.0], [0.0, 0.0, 3.0]]), np.array([[1.0, 0.0], [1.0, -1.0]])
    # the first sender has two synapses and always sends, the second has one and sends half the time
    assert operations({"a": kernel}, {"a": sent}) == (2.5, 3.0, 6.0)
    with pytest.raises(ValueError, match="kernel b has shape"):
        operations({"b": kernel}, {"a": sent})
    network = random_network(WHOLE, density=0.5)
    inputs = jax.random.normal(jax.random.key(0), (7, 6)).at[:, 2].set(0.0)
    spent, found = answering(WHOLE, network, inputs)
    state = activities(WHOLE, network, inputs)
    own = operations(network.weights, {p.name: state[p.pre] for p in WHOLE.projections})
    np.testing.assert_allclose(spent, own, rtol=1e-6)
    assert spent.active < spent.synapses < spent.dense == 6 * 5 + 5 * 2
    assert 0 < found["hidden1"].active < 1 == found["output"].active


def test_canalisation_by_hand() -> None:
    # means 1, 2, 6 over two upbringings: between 2 * 7 = 14, within (2 + 2 + 8) / 3 = 4, F = 3.5, share 2.5 / 4.5
    found = canalisation(np.array([[0.0, 2.0], [1.0, 3.0], [4.0, 8.0]]))
    assert found.within == pytest.approx(4.0)
    assert found.across == pytest.approx(5.0)
    assert found.share == pytest.approx(2.5 / 4.5)
    assert found.lo < found.share < found.hi
    crystal = canalisation(np.arange(3.0)[:, None] * np.ones((3, 4)))
    assert (crystal.within, crystal.share, crystal.lo) == (0.0, 1.0, 1.0)
    with pytest.raises(ValueError, match="3 genomes"):
        canalisation(np.ones((2, 5)))


@pytest.mark.parametrize("truth", [0.0, 0.5, 0.9])
def test_the_interval_of_canalisation_holds_the_truth(truth: float) -> None:
    rng, held, trials = np.random.default_rng(0), 0, 120
    for _ in range(trials):
        own = rng.normal(size=(12, 1, 3)) * truth**0.5
        found = canalisation(own + rng.normal(size=(12, 6, 3)) * (1 - truth) ** 0.5)
        held += found.lo <= truth <= found.hi
    assert 0.88 < held / trials < 1.0


def test_similarities_do_not_know_neurons_by_name() -> None:
    activity = jax.random.normal(jax.random.key(0), (4, 9))
    own = similarities(activity)
    assert own.shape == (6,)
    np.testing.assert_allclose(own, np.corrcoef(activity)[np.triu_indices(4, 1)], atol=1e-5)
    np.testing.assert_allclose(similarities(activity[:, ::-1] * 3.0), own, atol=1e-5)


@pytest.mark.parametrize("learner", [NoLearning(), Hebbian(), Gradient(log_rate=-1.0)], ids=lambda x: type(x).__name__)
def test_upbringing_shows_in_what_a_learner_changes(learner: Learner) -> None:
    substrate = WHOLE if isinstance(learner, NoLearning) else CHAIN
    whole = random_network(substrate, seed=1)
    spec = learner.genome_spec(substrate)
    lives = sample_lives(Blobs(), "train", 3, key=jax.random.key(1))
    shown = jax.random.normal(jax.random.key(2), (5, 6))
    scales = jnp.array([0.5, 1.0, 2.0])

    def develop(scale: jax.Array, /, *, key: jax.Array) -> tuple:
        return replace(whole, weights={name: w * scale for name, w in whole.weights.items()}), spec.unpack(jnp.zeros(spec.size))

    def one(scale: jax.Array, life: Life) -> Phenotype:
        return brought_up(develop, scale, learner, substrate, life, shown, key=jax.random.key(3))

    found = jax.jit(jax.vmap(jax.vmap(one, (None, 0)), (0, None)))(scales, lives)
    assert found.machinery.shape == (3, 3, 10)
    assert found.knowledge.shape == (3, 3, 5, 2)
    moved = [float(x.var(1).max()) for x in found]
    assert (moved[0] > 1e-4) == isinstance(learner, Gradient)
    assert (moved[1] > 1e-4) == (not isinstance(learner, NoLearning))
