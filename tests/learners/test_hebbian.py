import jax
import jax.numpy as jnp
import numpy as np

from evodev.learners import Hebbian
from evodev.learners.hebbian import HebbianState, toward
from tests.tiny import CHAIN, random_network

KEY = jax.random.key(0)
NEVER = -100.0
"""A log rate or an adaptation that switches its part off."""


def _genes(temperature: float = 2.0, rate: float = NEVER, adaptation: float = NEVER) -> dict[str, jax.Array]:
    values = {"log_temperature": np.log(temperature), "log_rate": rate, "adaptation": adaptation}
    return {name: jnp.asarray(value, jnp.float32) for name, value in values.items()}


def _learn(genes: dict[str, jax.Array], inputs: jax.Array, classes: jax.Array) -> HebbianState:
    state = Hebbian().init(genes, random_network(CHAIN), CHAIN, key=KEY)
    return Hebbian().step(genes, state, inputs, classes, CHAIN, key=KEY)


SEEN = jnp.array([[1.0, 0, 0, 0, 0], [3.0, 0, 0, 0, 0], [0, 2.0, 0, 0, 0]])
CLASSES = jnp.array([0, 0, 1])


def test_traces_over_counts_are_class_means() -> None:
    state = _learn(_genes(), SEEN, CLASSES)
    np.testing.assert_array_equal(state.counts, [2, 1])
    np.testing.assert_array_equal((state.traces / state.counts).T, [[2, 0, 0, 0, 0], [0, 2, 0, 0, 0]])


def test_an_answer_is_the_cosine_to_the_class_mean_times_the_temperature() -> None:
    genes = _genes(temperature=2.0)
    answers = Hebbian().predict(genes, _learn(genes, SEEN, CLASSES), jnp.array([[5.0, 5, 0, 0, 0], [0, -1, 0, 0, 0]]), CHAIN)
    np.testing.assert_allclose(answers, [[2**0.5, 2**0.5], [0, -2]], atol=1e-5)


def test_senders_adapt_to_their_mean_activity() -> None:
    # fully adapted: the habit (1, 1) is taken off, so that what both classes share no longer counts
    seen = jnp.array([[2.0, 1, 0, 0, 0], [0.0, 1, 0, 0, 0]])
    genes = _genes(temperature=1.0, adaptation=100.0)
    answers = Hebbian().predict(genes, _learn(genes, seen, jnp.array([0, 1])), seen, CHAIN)
    np.testing.assert_allclose(answers, [[1, -1], [-1, 1]], atol=1e-5)
    unadapted = _genes(temperature=1.0)
    assert (Hebbian().predict(unadapted, _learn(unadapted, seen, jnp.array([0, 1])), seen, CHAIN) > 0).all()


def test_the_delta_rule_moves_weights_by_rate_activity_and_error() -> None:
    x = jnp.array([[3.0, 4, 0, 0, 0]])
    state = _learn(_genes(temperature=1.0, rate=float(np.log(0.5))), x, jnp.array([0]))
    # activity (.6, .8); answers 1 for the class seen, 0 for the other; error target - softmax
    p = np.exp([1.0, 0.0]) / np.exp([1.0, 0.0]).sum()
    expected = 0.5 * np.outer([0.6, 0.8, 0, 0, 0], np.array([1, 0]) - p)
    np.testing.assert_allclose(state.weights, expected, atol=1e-5)


def test_a_class_never_seen_has_no_cosine() -> None:
    genes = _genes()
    state = _learn(genes, SEEN[:2], CLASSES[:2])
    answers = Hebbian().predict(genes, state, SEEN, CHAIN)
    np.testing.assert_allclose(answers[:, 1], 0, atol=1e-6)


def test_toward_takes_off_a_share_and_scales_to_unit_length() -> None:
    np.testing.assert_allclose(toward(jnp.array([2.0, 0]), jnp.asarray(0.5), jnp.array([[4.0, 4.0]])), [[0.6, 0.8]], rtol=1e-5)
