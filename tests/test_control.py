"""Episodes of CartPole-v1 for networks whose behaviour is known."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from evodev.network import Network
from evodev.substrate import mlp
from tests.tiny import random_network

pytest.importorskip("gymnax")
from benchmarks.papers.control import environment, episodes

BODY = mlp((4, 2))
KEY = jax.random.key(0)


def _network(*push_right: float) -> Network:
    """Pushes right where the observation lies on the positive side."""
    weights = jnp.stack([jnp.zeros(4), jnp.array(push_right)], 1)
    biases = {"input": jnp.zeros(4), "output": jnp.zeros(2)}
    return replace(random_network(BODY), weights={"input->output": weights}, biases=biases)


def test_a_push_where_the_pole_falls_balances_it_and_one_push_for_ever_does_not() -> None:
    world = environment()
    play = jax.jit(lambda network: episodes(network, BODY, world, 8, key=KEY))
    np.testing.assert_array_equal(play(_network(0.1, 0.3, 3.0, 1.5)), 500)
    always_left = np.asarray(play(_network(0, 0, 0, 0)))
    assert (always_left >= 8).all()
    assert (always_left <= 11).all()
