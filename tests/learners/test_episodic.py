import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evodev.learners import Episodic
from evodev.learners.episodic import EpisodicState
from tests.tiny import CHAIN, random_network

KEY = jax.random.key(0)
FEATURES = 5


def _genes(**changes: float) -> dict[str, jax.Array]:
    values = {
        "log_sharpness": 2.5,
        "sharpness_growth": 0.0,
        "log_confidence": 0.0,
        "confidence_growth": 0.0,
        "adaptation": -100.0,
    }
    return {name: jnp.asarray(value) for name, value in (values | changes).items()}


def _learn(learner: Episodic, batches: list[tuple[np.ndarray, np.ndarray]]) -> EpisodicState:
    state = learner.init(_genes(), random_network(CHAIN), CHAIN, key=KEY)
    for inputs, classes in batches:
        state = learner.step(_genes(), state, jnp.asarray(inputs, jnp.float32), jnp.asarray(classes), CHAIN, key=KEY)
    return state


def _numbered(count: int, start: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Samples whose first feature is their number."""
    inputs = np.zeros((count, FEATURES), np.float32)
    inputs[:, 0] = np.arange(start, start + count)
    return inputs, np.arange(start, start + count) % 2


def test_when_the_cells_are_used_up_the_oldest_are_recruited_again() -> None:
    state = _learn(Episodic(capacity=5), [_numbered(2, 2 * i) for i in range(4)])
    assert int(state.count) == 8
    np.testing.assert_array_equal(state.keys[:, 0], [5, 6, 7, 3, 4])
    np.testing.assert_array_equal(state.labels.argmax(1), [1, 0, 1, 1, 0])


@pytest.mark.parametrize("batch", [3, 4, 7])
def test_a_batch_larger_than_the_memory_leaves_its_latest_samples(batch: int) -> None:
    state = _learn(Episodic(capacity=3), [_numbered(batch)])
    np.testing.assert_array_equal(np.sort(state.keys[:, 0]), np.arange(batch - 3, batch))


@given(st.integers(0, 999))
def test_at_high_sharpness_it_is_the_nearest_neighbour(seed: int) -> None:
    rng = np.random.default_rng(seed)
    keys, classes = rng.normal(size=(8, FEATURES)), np.arange(8) % 2
    x = keys[:6] + 0.3 * rng.normal(size=(6, FEATURES))
    state = _learn(Episodic(), [(keys, classes)])
    answers = np.asarray(Episodic().predict(_genes(log_sharpness=5.0), state, jnp.asarray(x, jnp.float32), CHAIN))
    cosine = (x / np.linalg.norm(x, axis=1, keepdims=True)) @ (keys / np.linalg.norm(keys, axis=1, keepdims=True)).T
    first, second = np.sort(cosine, axis=1)[:, ::-1][:, :2].T
    clear = (first - second > 0.05) & (first > 0.6)
    np.testing.assert_array_equal(answers.argmax(1)[clear], classes[cosine.argmax(1)][clear])


def test_answers_are_log_densities_times_the_confidence() -> None:
    keys, classes = np.eye(FEATURES)[:3], np.array([0, 0, 1])
    state = _learn(Episodic(), [(keys, classes)])
    answers = Episodic().predict(
        _genes(log_sharpness=np.log(2.0), log_confidence=np.log(3.0)), state, jnp.asarray(keys[:1], jnp.float32), CHAIN
    )
    # kernels exp(2 (cos - 1)): 1 and e^-2 for class 0, e^-2 for class 1; each class averages its own
    expected = 3 * np.log([(1 + np.exp(-2)) / 2, np.exp(-2)])
    np.testing.assert_allclose(answers[0], expected, rtol=1e-4)


def test_before_the_first_sample_all_classes_are_equally_likely() -> None:
    answers = Episodic().predict(_genes(), _learn(Episodic(), []), jnp.ones((2, FEATURES)), CHAIN)
    np.testing.assert_array_equal(answers, jnp.zeros((2, 2)))


def test_an_unknown_class_is_as_likely_as_the_known_ones_on_average() -> None:
    keys = np.eye(FEATURES)[:2]
    answers = Episodic().predict(_genes(), _learn(Episodic(), [(keys, np.zeros(2, int))]), jnp.asarray(keys, jnp.float32), CHAIN)
    np.testing.assert_allclose(answers[:, 0], answers[:, 1])


def test_sharpness_grows_by_the_samples_a_class() -> None:
    keys, classes = np.repeat(np.eye(FEATURES)[:2], 4, axis=0), np.repeat([0, 1], 4)
    state, x = _learn(Episodic(), [(keys, classes)]), jnp.asarray(keys[:1], jnp.float32)
    grown = Episodic().predict(_genes(log_sharpness=0.0, sharpness_growth=0.5), state, x, CHAIN)
    same = Episodic().predict(_genes(log_sharpness=0.5 * np.log(4)), state, x, CHAIN)  # four samples a class
    np.testing.assert_allclose(grown, same, rtol=1e-4)


def test_the_memory_is_counted_in_synapses() -> None:
    # ten cells of five inputs and two classes, in place of the blank read-out of 5 x 2
    assert Episodic(capacity=10).memory(CHAIN) == 10 * (5 + 2) - 5 * 2


def test_a_memory_without_cells_is_refused() -> None:
    with pytest.raises(ValueError, match="capacity must be at least 1"):
        Episodic(capacity=0)
