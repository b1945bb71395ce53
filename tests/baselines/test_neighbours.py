from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from evodev.baselines.neighbours import Neighbours, Nothing
from evodev.network import synapses
from evodev.substrate import mlp

FLAT = mlp((2, 2))
KEY = jax.random.key(0)
SEEN = [([[0.0, 0.0]], [0]), ([[4.0, 0.0]], [0]), ([[3.0, 0.0]], [1])]


def _answers(kind: Literal["nearest", "centroid"], seen: list, x: list) -> np.ndarray:
    learner, (network, genes) = Neighbours(kind, capacity=5), Nothing(FLAT)(jnp.zeros(()), key=KEY)
    state = learner.init(genes, network, FLAT, key=KEY)
    for inputs, classes in seen:
        state = learner.step(genes, state, jnp.asarray(inputs), jnp.asarray(classes), FLAT, key=KEY)
    return np.asarray(learner.predict(genes, state, jnp.asarray(x, jnp.float32), FLAT)).argmax(1)


@pytest.mark.parametrize(("kind", "expected"), [("nearest", [0, 0, 1]), ("centroid", [0, 1, 1])])
def test_the_nearest_sample_or_the_nearest_class_mean_answers(kind, expected: list[int]) -> None:
    # class means: (2, 0) and (3, 0)
    np.testing.assert_array_equal(_answers(kind, SEEN, [[1.0, 0.0], [3.9, 0.0], [3.1, 0.0]]), expected)


@pytest.mark.parametrize("kind", ["nearest", "centroid"])
def test_empty_memory_cells_and_unseen_classes_never_answer(kind) -> None:
    # the origin is where the empty cells are
    np.testing.assert_array_equal(_answers(kind, [([[9.0, 9.0]], [1])], [[0.0, 0.0]]), [1])


def test_a_reference_has_no_synapses() -> None:
    network, _ = Nothing(FLAT)(jnp.zeros(()), key=KEY)
    assert float(synapses(network)) == 0
