import io
from contextlib import redirect_stdout
from dataclasses import replace
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from evodev.cli import main
from evodev.experiment import from_plain, to_plain
from evodev.learners import CriticalPeriod, Episodic, Gradient, Hebbian, HebbianRule, Learner
from evodev.learners.rewiring import RewiredState
from evodev.network import Network, synapses
from evodev.substrate import mlp
from tests.tiny import CHAIN, Guess, random_network

KEY = jax.random.key(0)
NET, NAME = mlp((3, 2), activation="linear"), "input->output"
X = jnp.array([[1.0, 2.0, -3.0]])


def _network(weights: list[list[float]]) -> Network:
    network, w = random_network(NET), jnp.asarray(weights)
    biases = {name: jnp.zeros_like(b) for name, b in network.biases.items()}
    return replace(network, weights={NAME: w}, masks={NAME: (w != 0).astype(jnp.float32)}, biases=biases)


def _live(
    network: Network, *, window: float, turnover: float, steps: int, rate: float = 0.0, period: int = 1
) -> list[RewiredState]:
    """States after each step; the inner learner changes nothing unless given a rate."""
    learner = CriticalPeriod(Gradient(loss="squared_error"), period=period)
    genes = {g.name: jnp.log(rate + 1e-30) for g in learner.genome_spec(NET).genes}
    genes |= {"log_window": jnp.log(window), "log_turnover": jnp.log(turnover)}
    states = [learner.init(genes, network, NET, key=KEY)]
    step = jax.jit(lambda s: learner.step(genes, s, X, jnp.zeros((len(X), 2)), NET, key=KEY))
    for _ in range(steps):
        states.append(step(states[-1]))
    return states


def test_the_least_used_synapse_goes_and_one_grows_where_activity_coincides() -> None:
    # outputs 1 * 1 + 2 * .5 = 2 and -3 * 2 = -6; use |w| x |pre post|: 2, 2 (.5 x 4), 36
    network = _network([[1.0, 0.0], [0.4, 0.0], [0.0, 2.0]])
    _, after = _live(network, window=1.0, turnover=0.34, steps=1)
    # outputs 1.8 and -6: uses 1.8, 0.4 x 3.6 = 1.44, 36; vacant: 6 at (0, 1), 12 at (1, 1), 5.4 at (2, 0)
    np.testing.assert_array_equal(after.network.masks[NAME], [[1, 0], [0, 1], [0, 1]])
    np.testing.assert_allclose(after.network.weights[NAME], [[1, 0], [0, 0], [0, 2]])
    np.testing.assert_allclose(after.notes.together[NAME], [[1.8, -6], [3.6, -12], [-5.4, 18]], rtol=1e-5)


def test_co_activity_is_the_mean_over_the_life() -> None:
    states = _live(_network([[1.0, 0.0], [0.4, 0.0], [0.0, 2.0]]), window=1e-3, turnover=1e-9, steps=3)
    np.testing.assert_allclose(states[3].notes.together[NAME], states[1].notes.together[NAME], rtol=1e-5)


def test_the_window_closes_linearly_and_then_nothing_is_exchanged() -> None:
    big = mlp((20, 10), activation="linear")
    network = random_network(big, density=0.5)
    learner, name = CriticalPeriod(Gradient(loss="squared_error"), period=1), "input->output"
    genes = {g.name: jnp.asarray(-5.0) for g in learner.genome_spec(big).genes}
    genes |= {"log_window": jnp.log(4.0), "log_turnover": jnp.log(0.1)}
    state, x = learner.init(genes, network, big, key=KEY), jax.random.normal(KEY, (4, 20))
    step = jax.jit(lambda s: learner.step(genes, s, x, jnp.zeros((4, 10)), big, key=KEY))
    total, masks, weights = float(network.masks[name].sum()), [network.masks[name]], [network.weights[name]]
    for _ in range(7):
        state = step(state)
        masks.append(state.network.masks[name])
        weights.append(state.network.weights[name])
    exchanged = [float((a != b).sum()) / 2 for a, b in pairwise(masks)]
    # shares .1 x (1, .75, .5, .25) of the synapses, fractions put off
    np.testing.assert_array_equal(np.cumsum(exchanged)[:4], np.floor(np.cumsum([0.1, 0.075, 0.05, 0.025]) * total + 1e-4))
    assert exchanged[4:] == [0, 0, 0]
    assert all(float(mask.sum()) == total for mask in masks)
    assert not np.allclose(weights[5], weights[7])
    for mask, w in zip(masks, weights, strict=True):
        assert (w[mask == 0] == 0).all()


def test_what_comes_due_waits_for_the_exchange() -> None:
    network = _network([[1.0, 0.0], [0.4, 0.0], [0.0, 2.0]])
    states = _live(network, window=4.0, turnover=0.34, steps=6, period=2)
    masks = [np.asarray(s.network.masks[NAME]) for s in states]
    # shares .34 x (1, .75, .5, .25) of three synapses: 1.785 after two steps, .785 + .765 after four, then nothing
    assert [int((a != b).sum()) // 2 for a, b in pairwise(masks)] == [0, 1, 0, 1, 0, 0]


def test_what_grew_in_life_is_spared_and_learns() -> None:
    states = _live(_network([[1.0, 0.0], [0.4, 0.0], [0.0, 2.0]]), window=100.0, turnover=0.34, steps=3, rate=0.001)
    born = np.array([[0, 0], [0, 1], [0, 0]])
    assert all((np.asarray(s.network.masks[NAME]) >= born).all() for s in states[1:])
    assert float(states[2].network.weights[NAME][1, 1]) != 0
    assert {float(synapses(s.network)) for s in states} == {3.0}


def test_nothing_sprouts_from_a_neuron_without_synapses() -> None:
    states = _live(_network([[1.0, 0.0], [0.4, 0.1], [0.0, 0.0]]), window=100.0, turnover=1.0, steps=3)
    for state in states:
        assert (state.network.masks[NAME][2] == 0).all()
        assert float(state.network.masks[NAME].sum()) == 3


def test_it_wraps_any_learner_that_changes_its_network() -> None:
    for inner in (Gradient("adam"), HebbianRule("oja")):
        learner = CriticalPeriod(inner, period=3)
        genes = learner.genome_spec(CHAIN).unpack(jnp.zeros(learner.genome_spec(CHAIN).size))
        network = random_network(CHAIN, density=0.5)
        state = learner.init(genes, network, CHAIN, key=KEY)
        for i in range(3):
            state = learner.step(
                genes, state, jax.random.normal(jax.random.key(i), (4, 6)), jnp.array([0, 1, 0, 1]), CHAIN, key=KEY
            )
        assert not np.array_equal(state.network.masks["input->hidden1"], network.masks["input->hidden1"])
        assert float(synapses(state.network)) == float(synapses(network))
        np.testing.assert_array_equal(state.network.masks["hidden1->output"], network.masks["hidden1->output"])


@pytest.mark.parametrize("inner", [Hebbian(), Episodic()])
def test_a_learner_of_the_read_out_alone_is_refused(inner: Learner) -> None:
    with pytest.raises(ValueError, match="under which no grown synapse changes in life; use gradient or hebbian_rule"):
        CriticalPeriod(inner)


def test_a_learner_without_a_network_is_refused() -> None:
    learner = CriticalPeriod(Guess())
    with pytest.raises(ValueError, match="the state of Guess holds none; use gradient or hebbian_rule"):
        learner.init({"learner/guess": jnp.zeros(())}, random_network(CHAIN), CHAIN, key=KEY)


@pytest.mark.parametrize("settings", [{"window": 0.0}, {"turnover": 0.0}, {"turnover": 1.5}])
def test_impossible_settings_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="positive window and a turnover"):
        CriticalPeriod(**settings)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="leave its learner's forward out"):
        CriticalPeriod(Gradient(forward=lambda network, inputs: inputs))


def test_a_configuration_file_holds_the_learner_within() -> None:
    learner = CriticalPeriod(HebbianRule("bcm"), window=3.0)
    plain = to_plain(learner)
    assert plain["learner"]["kind"] == "hebbian_rule"
    assert from_plain(Learner, plain) == learner
    assert from_plain(Learner, {"kind": "critical_period", "learner": "gradient"}) == CriticalPeriod()


def test_the_command_line_shows_the_settings_of_the_learner_within() -> None:
    text = io.StringIO()
    with redirect_stdout(text), pytest.raises(SystemExit):
        main(["search", "--learner", "critical_period", "--help"])
    assert "--learner.window" in text.getvalue()
    assert "--learner.learner.optimiser" in text.getvalue()
