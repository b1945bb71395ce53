from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from evodev.learners import Neuromodulated
from evodev.learners.neuromodulated import NeuromodulatedState
from evodev.network import Network
from evodev.substrate import mlp
from evodev.types import Genes
from tests.tiny import digits_experiment, random_network

KEY = jax.random.key(0)
NET, FIRST, LAST = mlp((2, 2, 2), activation="linear"), "input->hidden1", "hidden1->output"
X = jnp.array([[1.0, 2.0], [3.0, 0.0], [-1.0, 1.0]])
VALUES = jnp.array([[1.0, 0.0], [0.5, 2.0], [0.0, 0.0]])
DECAY = 0.4


@pytest.fixture(scope="module")
def network() -> Network:
    whole = random_network(NET, seed=2)
    masks = whole.masks | {FIRST: jnp.array([[1.0, 0.0], [1.0, 1.0]])}
    biases = {name: jnp.zeros_like(b) for name, b in whole.biases.items()}
    return replace(whole, masks=masks, weights={n: 0.5 * w * masks[n] for n, w in whole.weights.items()}, biases=biases)


def _genes(learner: Neuromodulated, *, a: float, b: float, rate: float = 0.1, **more: jax.Array) -> Genes:
    own = {"log_rate": np.log(rate), "decay": np.log(DECAY / (1 - DECAY)), "A": a, "B": b}
    genes = {f"{name}/{key}": jnp.asarray(value, jnp.float32) for name in (FIRST, LAST) for key, value in own.items()}
    genes |= {f"modulator/{name}": value for name, value in more.items()}
    assert set(genes) == {gene.name for gene in learner.genome_spec(NET).genes}
    return genes


def _by_hand(network: Network, active: dict, factors: dict, a: float, b: float, traces: dict) -> tuple[dict, dict]:
    """The rule as it is written, sample after sample."""
    weights, traces = {}, {name: np.array(t) for name, t in traces.items()}
    for name in (FIRST, LAST):
        pre, post = name.split("->")
        change = np.zeros((2, 2))
        for n in range(len(X)):
            traces[name] = DECAY * traces[name] + np.outer(active[pre][n], a * active[post][n] + b)
            change += factors[post][n] * traces[name]
        moved = np.asarray(network.weights[name]) + 0.1 * change / len(X)
        weights[name] = np.asarray(network.masks[name]) * moved
    return weights, traces


def _activity(network: Network) -> dict[str, np.ndarray]:
    hidden = np.asarray(X) @ np.asarray(network.weights[FIRST])
    return {"input": np.asarray(X), "hidden1": hidden, "output": hidden @ np.asarray(network.weights[LAST])}


def _compare(state: NeuromodulatedState, weights: dict, traces: dict) -> None:
    for name in (FIRST, LAST):
        np.testing.assert_allclose(state.network.weights[name], weights[name], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(state.traces[name], traces[name], rtol=1e-4, atol=1e-5)


def test_each_synapse_is_changed_by_its_trace_and_the_error_of_its_neuron(network: Network) -> None:
    learner = Neuromodulated("error")
    genes, state = _genes(learner, a=0.3, b=0.7), learner.init({}, network, NET, key=KEY)
    traces = {name: np.zeros((2, 2)) for name in (FIRST, LAST)}
    for _ in range(2):
        active, before = _activity(state.network), state.network
        error = np.asarray(VALUES) - active["output"]
        factors = {"output": error, "hidden1": error @ np.asarray(state.feedback["hidden1"])}
        weights, traces = _by_hand(before, active, factors, 0.3, 0.7, traces)
        state = learner.step(genes, state, X, VALUES, NET, key=KEY)
        _compare(state, weights, traces)


def test_reward_counts_by_what_exceeds_its_mean_so_far(network: Network) -> None:
    learner = Neuromodulated("reward")
    genes, state = _genes(learner, a=0.5, b=0.2), learner.init({}, network, NET, key=KEY)
    traces, expected = {name: np.zeros((2, 2)) for name in (FIRST, LAST)}, 0.0
    for reward in (np.array([1.0, 0.0, 2.0]), np.array([3.0, -1.0, 1.0])):
        active, factor = _activity(state.network), np.repeat((reward - expected)[:, None], 2, axis=1)
        weights, traces = _by_hand(state.network, active, {"output": factor, "hidden1": factor}, 0.5, 0.2, traces)
        state = learner.step(genes, state, X, jnp.asarray(reward, jnp.float32), NET, key=KEY)
        _compare(state, weights, traces)
        expected = 1.0
        assert float(state.expected) == pytest.approx(expected)


def test_the_network_can_modulate_itself(network: Network) -> None:
    learner, read = Neuromodulated("own"), jnp.array([0.5, -0.3])
    genes, state = _genes(learner, a=1.0, b=0.0, hidden1=read, bias=jnp.asarray(0.2)), learner.init({}, network, NET, key=KEY)
    active = _activity(network)
    factor = np.repeat(np.tanh(active["hidden1"] @ np.asarray(read) + 0.2)[:, None], 2, axis=1)
    active["output"] = np.asarray(VALUES) - active["output"]
    traces = {name: np.zeros((2, 2)) for name in (FIRST, LAST)}
    weights, traces = _by_hand(network, active, {"output": factor, "hidden1": factor}, 1.0, 0.0, traces)
    _compare(learner.step(genes, state, X, VALUES, NET, key=KEY), weights, traces)
    silent = _genes(learner, a=1.0, b=0.0, hidden1=jnp.zeros(2), bias=jnp.zeros(()))
    still = learner.step(silent, state, X, VALUES, NET, key=KEY).network
    np.testing.assert_array_equal(still.weights[LAST], network.weights[LAST])


@pytest.mark.parametrize("inputs", [2, 50])
def test_a_drive_moves_as_far_in_a_network_of_any_size(inputs: int) -> None:
    substrate, learner = mlp((inputs, 2)), Neuromodulated(log_rate=-1.0)
    born, x = random_network(substrate), jnp.ones((1, inputs))
    born = replace(born, weights=jax.tree.map(jnp.zeros_like, born.weights), biases=jax.tree.map(jnp.zeros_like, born.biases))
    genes = learner.genome_spec(substrate).unpack(jnp.zeros(learner.genome_spec(substrate).size))
    state = learner.init(genes, born, substrate, key=KEY)
    learned = learner.step(genes, state, x, jnp.array([[1.0, 0.0]]), substrate, key=KEY)
    np.testing.assert_allclose(learner.predict(genes, learned, x, substrate), [[np.exp(-1.0), 0.0]], atol=1e-5)


@pytest.mark.parametrize("factor", ["error", "own"])
def test_the_class_is_learned_by_either_factor(factor) -> None:
    learner, classes = Neuromodulated(factor, log_rate=-3.0), jnp.array([0, 1, 0])
    genes = learner.genome_spec(NET).unpack(jnp.zeros(learner.genome_spec(NET).size))
    state = learner.init(genes, random_network(NET, seed=2), NET, key=KEY)
    state = jax.lax.fori_loop(0, 300, lambda _, s: learner.step(genes, s, X, classes, NET, key=KEY), state)
    np.testing.assert_array_equal(learner.predict(genes, state, X, NET).argmax(1), classes)


@pytest.mark.parametrize("factor", ["error", "reward", "own"])
def test_no_genome_makes_a_weight_that_is_not_finite(factor, network: Network) -> None:
    learner = Neuromodulated(factor)
    spec = learner.genome_spec(NET)
    genes = spec.unpack(1e4 * jax.random.normal(KEY, (spec.size,)))
    state = learner.init(genes, network, NET, key=KEY)
    for _ in range(4):
        state = learner.step(genes, state, X, X[:, 0] if factor == "reward" else VALUES, NET, key=KEY)
    assert all(bool(jnp.isfinite(w).all()) for w in state.network.weights.values())


def test_reward_on_a_task_of_targets_is_refused() -> None:
    with pytest.raises(ValueError, match="learner: Neuromodulated needs reward, which FewShotDigits does not offer"):
        digits_experiment(learner=Neuromodulated("reward"))


@pytest.mark.parametrize(
    ("settings", "message"), [({"factor": "dopamine"}, "one of error, reward, own"), ({"limit": 0.0}, "must be positive")]
)
def test_impossible_settings_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Neuromodulated(**settings)
