from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evodev.learners import Episodic, Gradient, Learner
from evodev.lifetime import LifetimeLog, live, probe_steps
from evodev.network import Network, synapses
from evodev.tasks import Life
from tests.tiny import CHAIN, Blobs, random_network

TASK = Blobs(shots=6)
KEY = jax.random.key(0)


@given(st.integers(1, 1000), st.integers(2, 12))
def test_probes_are_birth_the_last_step_and_spread_between(steps: int, probes: int) -> None:
    schedule = probe_steps(steps, probes)
    assert schedule[0] == 0
    assert schedule[-1] == steps
    assert list(schedule) == sorted(set(schedule))
    assert len(schedule) <= 1 + probes
    assert schedule[1] == 1


def test_probes_are_spaced_by_doubling() -> None:
    assert probe_steps(16, 5) == (0, 1, 2, 4, 8, 16)
    assert probe_steps(3, 8) == (0, 1, 2, 3)


@pytest.fixture(scope="module")
def network() -> Network:
    return random_network(CHAIN)


@pytest.fixture(scope="module")
def life() -> Life:
    return TASK.sample("train", key=KEY)


def _genes(learner: Learner) -> dict:
    return learner.genome_spec(CHAIN).unpack(jnp.zeros(learner.genome_spec(CHAIN).size))


def _live(learner: Learner, network: Network, life: Life, schedule: tuple[int, ...]) -> LifetimeLog:
    return jax.jit(lambda net, own: live(learner, _genes(learner), net, CHAIN, TASK, own, schedule, key=KEY))(network, life)


@pytest.mark.parametrize("schedule", [(0, 1, 2, 4, 6), (0, 3, 6), (0, 6)])
def test_a_log_is_what_a_loop_over_the_life_measures(network: Network, life: Life, schedule: tuple[int, ...]) -> None:
    learner, genes = Gradient(), _genes(Gradient())
    state, measured = learner.init(genes, network, CHAIN, key=KEY), []
    step = jax.jit(lambda state, x, y: learner.step(genes, state, x, y, CHAIN, key=KEY))
    for number in range(TASK.steps + 1):
        if number in schedule:
            outputs = learner.predict(genes, state, life.probe_inputs, CHAIN)
            measured.append((TASK.loss(outputs, life.probe_targets), TASK.score(outputs, life.probe_targets)))
        if number < TASK.steps:
            state = step(state, life.inputs[number], life.targets[number])
    log = _live(learner, network, life, schedule)
    np.testing.assert_allclose(jnp.stack([log.loss, log.score], 1), measured, rtol=1e-4, atol=1e-5)
    assert not bool(log.failed)


def test_the_schedule_changes_what_is_written_down_and_not_what_is_lived(network: Network, life: Life) -> None:
    often, seldom = _live(Gradient(), network, life, (0, 1, 2, 3, 4, 5, 6)), _live(Gradient(), network, life, (0, 6))
    np.testing.assert_allclose(often.loss[jnp.array([0, -1])], seldom.loss, rtol=1e-5)


def test_a_probe_that_is_not_finite_fails_the_life(network: Network, life: Life) -> None:
    wild = replace(network, weights={name: jnp.full_like(w, jnp.nan) for name, w in network.weights.items()})
    assert bool(_live(Gradient(), wild, life, (0, 6)).failed)
    spoilt = replace(life, inputs=life.inputs.at[5].set(jnp.inf))
    assert bool(_live(Gradient(), network, spoilt, (0, 6)).failed)


def test_synapses_are_the_networks_and_the_learners(network: Network, life: Life) -> None:
    log = _live(Episodic(capacity=7), network, life, (0, 6))
    assert float(log.synapses) == float(synapses(network)) + Episodic(capacity=7).memory(CHAIN)
    assert float(log.operations) > 0
