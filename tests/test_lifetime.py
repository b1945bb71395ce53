from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evodev.learners import LEARNERS, Episodic, Gradient, Learner, NoLearning
from evodev.lifetime import LifetimeLog, live, probe_steps
from evodev.network import Network, active_share, activities, synapses, traffic
from evodev.substrate import Substrate, mlp
from evodev.tasks import Life
from tests.tiny import CHAIN, WHOLE, Blobs, Guess, home, random_network

TASK = Blobs(shots=6)


class InPhases(Blobs):
    """The same, told to be of three phases."""

    @property
    def phase_ends(self) -> tuple[int, ...]:
        return (2, 4, 6)


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


@pytest.mark.parametrize("schedule", [(0, 1, 2, 3, 4, 5, 6), (0, 1, 6)])
def test_every_phase_is_answered_by_its_own_probes_and_at_its_end(
    network: Network, life: Life, schedule: tuple[int, ...]
) -> None:
    learner, task = Gradient(), InPhases(shots=6)
    phased = replace(life, probe_inputs=life.probe_inputs[:6], probe_targets=life.probe_targets[:6])
    log = jax.jit(lambda own: live(learner, _genes(learner), network, CHAIN, task, own, schedule, key=KEY, ledger=True))(phased)
    parts = []
    for i in range(3):
        own = replace(
            phased, probe_inputs=phased.probe_inputs[2 * i : 2 * i + 2], probe_targets=phased.probe_targets[2 * i : 2 * i + 2]
        )
        parts.append(_live(learner, network, own, (0, 1, 2, 3, 4, 5, 6)))
    assert log.phases is not None
    for name in ("loss", "score"):
        expected = jnp.stack([getattr(part, name) for part in parts], 1)
        np.testing.assert_allclose(getattr(log.phases, name), expected[jnp.array(schedule)], rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(getattr(log, name), expected[jnp.array(schedule)].mean(1), rtol=1e-4, atol=1e-6)
    # ends after 2, 4 and 6 steps, probed whether or not they are in the schedule
    np.testing.assert_allclose(log.phases.reached, [parts[i].score[2 * i + 2] for i in range(3)], atol=1e-6)
    assert log.energy is not None
    assert log.energy.traffic.shape == (len(schedule),)


def test_a_life_of_one_piece_has_no_phases(network: Network, life: Life) -> None:
    assert _live(Gradient(), network, life, (0, 6)).phases is None


def test_a_probe_set_that_phases_cannot_share_is_refused(network: Network, life: Life) -> None:
    with pytest.raises(ValueError, match="a probe set of 8 cannot be shared equally among 3 phases"):
        live(Gradient(), _genes(Gradient()), network, CHAIN, InPhases(shots=6), life, (0, 6), key=KEY)


def _ledger(learner: Learner, network: Network, life: Life, substrate: Substrate = CHAIN) -> LifetimeLog:
    genes = learner.genome_spec(substrate).unpack(jnp.zeros(learner.genome_spec(substrate).size))
    return jax.jit(
        lambda net, own: live(learner, genes, net, substrate, TASK, own, (0, 2, 6), key=KEY, ledger=True)
    )(network, life)  # fmt: skip


def test_the_ledger_is_read_off_the_network_at_each_probe(network: Network, life: Life) -> None:
    log, learner, genes = _ledger(Gradient(), network, life), Gradient(), _genes(Gradient())
    state, expected = learner.init(genes, network, CHAIN, key=KEY), []
    for number in range(TASK.steps + 1):
        if number in (0, 2, 6):
            active = activities(CHAIN, state.network, life.probe_inputs)
            expected.append((active_share(CHAIN, network, active), traffic(CHAIN, network, active)))
        if number < TASK.steps:
            state = learner.step(genes, state, life.inputs[number], life.targets[number], CHAIN, key=KEY)
    assert log.energy is not None
    np.testing.assert_allclose(jnp.stack([log.energy.active, log.energy.traffic], 1), expected, rtol=1e-4)
    assert 0 < float(log.energy.active.min()) < 1
    # 6 x 5 and 5 x 2 synapses, of which backward and update use each once more
    assert (float(log.energy.updates), float(log.energy.dense)) == (80.0, 40.0)
    assert log.batch == 2


def test_the_ledger_changes_nothing_else(network: Network, life: Life) -> None:
    with_it, without = _ledger(Gradient(), network, life), _live(Gradient(), network, life, (0, 2, 6))
    assert without.energy is None
    np.testing.assert_allclose(with_it.loss, without.loss, rtol=1e-5)


def test_a_frozen_learner_answers_with_the_network_at_birth_and_its_memory(network: Network, life: Life) -> None:
    log = _ledger(Episodic(capacity=9), network, life)
    expected = traffic(CHAIN, network, activities(CHAIN, network, life.probe_inputs)) + Episodic(capacity=9).memory(CHAIN)
    assert log.energy is not None
    np.testing.assert_allclose(log.energy.traffic, jnp.full(3, expected), rtol=1e-5)


def test_winners_spare_operations(life: Life) -> None:
    few = replace(WHOLE, populations=tuple(replace(p, winners=0.2) if p.name == "hidden1" else p for p in WHOLE.populations))
    own = random_network(WHOLE)
    every, sparse = _ledger(NoLearning(), own, life, WHOLE).energy, _ledger(NoLearning(), own, life, few).energy
    assert every is not None
    assert sparse is not None
    assert float(sparse.active[0]) <= 0.201 < float(every.active[0])
    assert float(sparse.traffic[0]) < float(every.traffic[0])
    assert float(sparse.updates) == 0


def test_a_learner_that_does_not_tell_its_activity_has_no_ledger(life: Life) -> None:
    substrate = mlp((6, 2))
    log = jax.eval_shape(
        lambda: live(Guess(), {"guess": jnp.zeros(())}, random_network(substrate), substrate, Blobs(features=6, ways=6),
                     Blobs(features=6, ways=6).sample("train", key=KEY), (0, 6), key=KEY, ledger=True)
    )  # fmt: skip
    assert log.energy is None
    # those that learn from nothing but reward have theirs where they act
    named = [name for name, cls in LEARNERS.items() if "reward" not in cls().needs and not _tells(cls())]
    assert named == []


def _tells(learner: Learner) -> bool:
    """Whether a registered learner has a ledger."""
    substrate = home(learner)
    return jax.eval_shape(lambda life: _ledger(learner, random_network(substrate), life, substrate), _LIFE).energy is not None


_LIFE = jax.eval_shape(lambda: TASK.sample("train", key=KEY))


def test_online_is_the_loss_on_each_batch_before_learning_from_it(network: Network, life: Life) -> None:
    learner, genes, schedule = Gradient(), _genes(Gradient()), (0, 6)
    log = jax.jit(lambda: live(learner, genes, network, CHAIN, TASK, life, schedule, key=KEY, online=True))()
    state, expected = learner.init(genes, network, CHAIN, key=KEY), []
    for x, y in zip(life.inputs, life.targets, strict=True):
        expected.append(TASK.loss(learner.predict(genes, state, x, CHAIN), y))
        state = learner.step(genes, state, x, y, CHAIN, key=KEY)
    assert log.online is not None
    np.testing.assert_allclose(log.online, expected, rtol=1e-4)
    assert expected[-1] < expected[0]
    plain = _live(learner, network, life, schedule)
    assert plain.online is None
    np.testing.assert_allclose(plain.loss, log.loss, rtol=1e-5)


def test_a_batch_without_a_finite_answer_fails_the_life(life: Life) -> None:
    broken, own = replace(life, inputs=life.inputs.at[2].set(jnp.nan)), random_network(WHOLE)
    for online in (False, True):
        log = live(NoLearning(), {}, own, WHOLE, TASK, broken, (0, 6), key=KEY, online=online)
        assert bool(log.failed) is online
