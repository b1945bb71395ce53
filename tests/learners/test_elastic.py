"""Elastic weight consolidation by hand, and that it holds what was needed."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from evodev.learners import Elastic, Gradient, Hebbian
from evodev.substrate import mlp
from tests.tiny import random_network

NET, NAME = mlp((2, 1), activation="linear"), "input->output"


def test_a_penalty_by_hand() -> None:
    learner = Elastic(Gradient(loss="squared_error"), period=1)
    network = random_network(NET)
    network = replace(network, weights={NAME: jnp.array([[1.0], [1.0]])}, biases={k: b * 0 for k, b in network.biases.items()})
    genes = {
        "log_strength": jnp.log(2.0),
        "learner/input->output/log_rate": jnp.log(0.1),
        "learner/output/log_rate": jnp.asarray(-99.0),
    }
    state = learner.init(genes, network, NET, key=jax.random.key(0))
    x, y = jnp.array([[1.0, 0.0], [3.0, 0.0]]), jnp.array([[0.0], [3.0]])
    state = learner.step(genes, state, x, y, NET, key=jax.random.key(0))
    # gradients 2 x (answer - target) are (2, 0) and (0, 0): mean 1, so w falls by .1; squared and averaged 2 is F
    np.testing.assert_allclose(state.network.weights[NAME], [[0.9], [1.0]], rtol=1e-6)
    np.testing.assert_allclose(state.importance["weights"][NAME], [[2.0], [0.0]], rtol=1e-6)
    # at the anchor nothing pulls; pushed from it by .5, the next step has the pull 2 * 2 * .5 beside its gradient
    pushed = state._replace(network=replace(state.network, weights={NAME: jnp.array([[1.4], [1.0]])}))
    silent = jnp.zeros((2, 2)), jnp.zeros((2, 1))
    after = learner.step(genes, pushed, *silent, NET, key=jax.random.key(0))
    np.testing.assert_allclose(after.network.weights[NAME], [[1.4 - 0.1 * 2.0], [1.0]], rtol=1e-5)


def test_what_the_first_phase_needed_stays_and_the_rest_goes_on_learning() -> None:
    x = jnp.array([[1.0, 0.0]]), jnp.array([[1.0, 1.0]])  # the second phase would also use the first phase's synapse

    def lived(strength: float) -> np.ndarray:
        learner = Elastic(Gradient(loss="squared_error", log_rate=-2.0), period=40, strength=strength)
        genes = learner.genome_spec(NET).unpack(jnp.zeros(learner.genome_spec(NET).size)) | {
            "learner/output/log_rate": jnp.asarray(-99.0)
        }
        network = random_network(NET)
        network = replace(network, weights={NAME: jnp.zeros((2, 1))}, biases={k: b * 0 for k, b in network.biases.items()})
        state = learner.init(genes, network, NET, key=jax.random.key(0))
        step = jax.jit(lambda s, x, y: learner.step(genes, s, x, y, NET, key=jax.random.key(0)))
        for phase, target in enumerate((1.0, 3.0)):
            for _ in range(40):
                state = step(state, x[phase], jnp.array([[target]]))
        return np.asarray(state.network.weights[NAME][:, 0])

    free, held = lived(1e-6), lived(10.0)
    np.testing.assert_allclose(free, [2.0, 1.0], atol=0.05)
    np.testing.assert_allclose(held, [1.0, 2.0], atol=0.3)


def test_it_wraps_plain_gradient_descent_only() -> None:
    with pytest.raises(ValueError, match=r"elastic\.learner"):
        Elastic(Gradient(replay=1))
    with pytest.raises(ValueError, match=r"elastic\.learner"):
        Elastic(Hebbian())
    with pytest.raises(ValueError, match="period"):
        Elastic(period=0)
