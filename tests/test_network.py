from collections.abc import Callable
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evodev.network import (
    SMALL_BATCH,
    KernelWeights,
    Network,
    PoolWeights,
    Weights,
    active_share,
    activities,
    disconnected,
    forward,
    matrix,
    product,
    readout_inputs,
    readout_projections,
    respond,
    synapse_counts,
    synapses,
    traffic,
    transmit,
)
from evodev.substrate import Population, Projection, Substrate, mlp, recurrent
from tests.tiny import CHAIN, GRID, random_network


def _network(substrate: Substrate, weights: dict, biases: dict | None = None, alive: dict | None = None) -> Network:
    """A network of given numbers; biases are 0 and everyone lives unless told."""
    arrays = {name: jnp.asarray(w, jnp.float32) for name, w in weights.items()}
    zeros = {p.name: jnp.zeros(p.size) for p in substrate.populations}
    ones = {p.name: jnp.ones(p.size) for p in substrate.populations}
    given_biases = {name: jnp.asarray(b, jnp.float32) for name, b in (biases or {}).items()}
    given_alive = {name: jnp.asarray(a, jnp.float32) for name, a in (alive or {}).items()}
    masks = {name: (w != 0).astype(jnp.float32) for name, w in arrays.items()}
    return Network(arrays, masks, {}, zeros | given_biases, ones | given_alive)


TWO_TWO_ONE = {"input->hidden1": [[1, -1], [2, 1]], "hidden1->output": [[3], [-2]]}


def test_forward_of_a_hand_computed_net() -> None:
    network = _network(mlp((2, 2, 1)), TWO_TWO_ONE, {"hidden1": [0.5, 0], "output": [-1]})
    # hidden: relu(1 + 4 + .5) = 5.5, relu(-1 + 2) = 1; output: 3 * 5.5 - 2 - 1; then relu(.5), relu(0): 1.5 - 1
    outputs = forward(mlp((2, 2, 1)), network, jnp.array([[1.0, 2.0], [0.0, 0.0]]))
    np.testing.assert_allclose(outputs, [[13.5], [0.5]])


def test_a_network_can_go_on_from_the_activity_of_its_last_input() -> None:
    s, x = recurrent(2, 3, 1, ticks=2), jnp.array([[0.5, -0.2]])
    network = random_network(s)
    once = activities(s, network, x)
    twice = activities(s, network, x, once)
    whole = activities(replace(s, ticks=4), network, x)
    assert not np.allclose(once["output"], twice["output"])
    for name, activity in whole.items():
        np.testing.assert_allclose(twice[name], activity, rtol=1e-5)


def test_a_skip_projection_adds_to_the_drive() -> None:
    s = mlp((2, 2, 1), skip=True)
    network = _network(s, {**TWO_TWO_ONE, "input->output": [[10], [0]]})
    np.testing.assert_allclose(forward(s, network, jnp.array([[1.0, 2.0]])), [[3 * 5 - 2 * 1 + 10]])


def test_dead_neurons_are_silent() -> None:
    s = mlp((2, 2, 1))
    network = _network(s, TWO_TWO_ONE, {"hidden1": [0.5, 0]}, alive={"hidden1": [1, 0]})
    np.testing.assert_allclose(forward(s, network, jnp.array([[1.0, 2.0]])), [[3 * 5.5]])


def test_recurrent_activity_builds_up_over_ticks() -> None:
    weights = {"input->hidden": [[1]], "hidden->hidden": [[0.5]], "hidden->output": [[2]]}
    for ticks, expected in ((2, 1.5), (3, 1.75), (4, 1.875)):
        s = recurrent(1, 1, 1, ticks=ticks, activation="linear")
        np.testing.assert_allclose(forward(s, _network(s, weights), jnp.array([[1.0]])), [[2 * expected]])


def test_a_way_back_reads_the_tick_before() -> None:
    s = recurrent(1, 2, 1, ticks=2, activation="linear")
    # the first hidden neuron hands its activity on to the second, one tick late
    network = _network(s, {"input->hidden": [[1, 0]], "hidden->hidden": [[0, 1], [0, 0]], "hidden->output": [[0], [1]]})
    np.testing.assert_allclose(activities(s, network, jnp.array([[3.0]]))["hidden"], [[3.0, 3.0]])


X = np.array([[1.0, -2.0, 3.0, 0.0]], np.float32)


@pytest.mark.parametrize(
    ("activation", "normalisation", "expected"),
    [
        ("linear", "none", X),
        ("relu", "none", np.maximum(X, 0)),
        ("abs", "none", np.abs(X)),
        ("tanh", "none", np.tanh(X)),
        ("sin", "none", np.sin(X)),
        ("gauss", "none", np.exp(-(X**2))),
        ("softplus", "none", np.log1p(np.exp(X))),
        ("square", "none", np.maximum(X, 0) ** 2),
        ("log", "none", np.log(np.abs(X) + 0.1)),
        ("exp", "none", np.exp(X)),
        ("linear", "standard", (X - 0.5) / np.sqrt(3.25)),
        ("linear", "unit", X / np.sqrt(14)),
        ("linear", "types", X / (0.2 + np.sqrt([[2.5, 2.5, 4.5, 4.5]]))),
    ],
)
def test_activations_and_normalisations(activation: str, normalisation: str, expected: np.ndarray) -> None:
    p = Population("p", (2,), types=2, activation=activation, normalisation=normalisation)
    np.testing.assert_allclose(respond(p, jnp.asarray(X), jnp.zeros(4), jnp.ones(4)), expected, rtol=1e-4, atol=1e-5)


def test_only_the_winners_are_active_and_they_are_as_they_were() -> None:
    x = jnp.array([[1.0, -2.0, 3.0, 0.5, -0.1], [0.0, 0.0, 0.0, 4.0, 0.0], [1.0, 1.0, 1.0, 1.0, 1.0]])
    p = Population("p", (5,), activation="linear", winners=0.4)
    # those that tie for the last place are all silent
    expected = [[0, -2, 3, 0, 0], [0, 0, 0, 4, 0], [0, 0, 0, 0, 0]]
    np.testing.assert_array_equal(respond(p, x, jnp.zeros(5), jnp.ones(5)), expected)
    one = Population("p", (5,), activation="linear", winners=0.01)
    np.testing.assert_array_equal((respond(one, x, jnp.zeros(5), jnp.ones(5)) != 0).sum(1), [1, 1, 0])
    unit = Population("p", (5,), activation="relu", normalisation="unit", winners=0.2)
    np.testing.assert_allclose(respond(unit, x[:1], jnp.zeros(5), jnp.ones(5)), [[0, 0, 1, 0, 0]], rtol=1e-5)
    slope = jax.grad(lambda x: respond(p, x, jnp.zeros(5), jnp.ones(5)).sum())(x[:1])
    np.testing.assert_array_equal(slope, [[0, 1, 1, 0, 0]])


def test_an_answer_needs_the_synapses_of_the_active_neurons() -> None:
    s = mlp((3, 4, 2))
    network = random_network(s)
    masks = {"input->hidden1": jnp.array([[1.0, 1, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1]]), "hidden1->output": jnp.ones((4, 2))}
    network = replace(network, masks=masks, alive=network.alive | {"hidden1": jnp.array([1.0, 1.0, 1.0, 0.0])})
    activity = {
        "input": jnp.array([[1.0, 1.0, 0.0], [0.0, 0.0, 2.0]]),
        "hidden1": jnp.array([[1.0, 0.0, 0.0, 0.0], [1.0, -1.0, 0.1, 0.0]]),
        "output": jnp.zeros((2, 2)),
    }
    # (2 + 1 * 2) and (4 + 3 * 2); one and three of the three that live
    assert float(traffic(s, network, activity)) == (4 + 10) / 2
    assert float(active_share(s, network, activity)) == pytest.approx((1 + 3) / 2 / 3)


def test_the_order_of_hidden_neurons_does_not_matter() -> None:
    s = mlp((4, 5, 3), skip=True)
    network, x = random_network(s, density=0.5), jax.random.normal(jax.random.key(1), (6, 4))
    order = np.random.default_rng(0).permutation(5)
    weights = {
        "input->hidden1": network.weights["input->hidden1"][:, order],
        "hidden1->output": network.weights["hidden1->output"][order],
        "input->output": network.weights["input->output"],
    }
    relabelled = replace(network, weights=weights, biases=network.biases | {"hidden1": network.biases["hidden1"][order]})
    np.testing.assert_allclose(forward(s, relabelled, x), forward(s, network, x), rtol=1e-5, atol=1e-6)


def test_synapses_are_counted_from_the_masks() -> None:
    network = _network(mlp((2, 2, 1)), {"input->hidden1": [[1, 0], [2, 0]], "hidden1->output": [[0], [3]]})
    assert {name: int(count) for name, count in synapse_counts(network).items()} == {"input->hidden1": 2, "hidden1->output": 1}
    assert int(synapses(network)) == 3


arrays = st.integers(0, 99).map(lambda seed: np.random.default_rng(seed))


@given(arrays, st.integers(1, 3), st.integers(1, 3), st.integers(1, 3))
def test_shared_weights_compute_what_their_matrix_computes(rng: np.random.Generator, pre: int, post: int, types: int) -> None:
    def draw(*shape: int) -> jax.Array:
        return jnp.asarray(rng.normal(size=shape), jnp.float32)

    forms: list[Weights] = [KernelWeights(draw(pre, post, 4), draw(types, 2, 4)), PoolWeights(draw(pre, post, types))]

    @jax.jit  # one program an example, rather than one an operation
    def both(x: jax.Array, forms: list[Weights]) -> list[tuple[jax.Array, jax.Array]]:
        return [(transmit(x, weights), x @ matrix(weights)) for weights in forms]

    for sent, expected in both(draw(3, pre * types), [*forms, draw(pre * types, post)]):
        np.testing.assert_allclose(sent, expected, rtol=1e-4, atol=1e-4)


def test_kernel_weights_by_hand() -> None:
    # two places onto one, two types onto one: w[(p, a), b] = basis[p] * kernels[a]
    weights = KernelWeights(jnp.array([[[2.0]], [[3.0]]]), jnp.array([[[1.0]], [[-1.0]]]))
    np.testing.assert_array_equal(weights.dense(), [[2], [-2], [3], [-3]])


def test_pool_weights_join_like_types_only() -> None:
    weights = PoolWeights(jnp.array([[[2.0, 5.0]]]))
    np.testing.assert_array_equal(weights.dense(), [[2, 0], [0, 5]])


def test_readout_inputs_are_the_senders_side_by_side() -> None:
    s = mlp((2, 3, 2), skip=True, blank_readout=True)
    network, x = random_network(s), jnp.array([[1.0, -1.0]])
    state = activities(s, network, x)
    np.testing.assert_array_equal(readout_inputs(s, network, x), jnp.concatenate([state["hidden1"], state["input"]], 1))


@pytest.mark.parametrize("substrate", [mlp((2, 2)), recurrent(1, 2, 1)], ids=["grown read-out", "recurrent"])
def test_a_readout_learner_needs_blank_slates(substrate: Substrate) -> None:
    with pytest.raises(ValueError, match="every projection into the outputs to be blank"):
        readout_projections(substrate)
    assert [p.name for p in readout_projections(CHAIN)] == ["hidden1->output"]
    assert [p.name for p in readout_projections(GRID)] == ["hidden->output"]


def test_a_modular_substrate_has_no_forward_pass_of_its_own() -> None:
    s = replace(mlp((2, 3)), modular=True)
    with pytest.raises(ValueError, match="modular one has no forward pass of its own; run the model itself"):
        forward(s, random_network(s), jnp.ones((1, 2)))


def test_neurons_that_no_input_reaches_are_named() -> None:
    weights = {"input->hidden1": [[1, 0, 0], [0, 0, 0]], "hidden1->output": [[1, 0, 0], [0, 1, 0], [0, 0, 0]]}
    found = disconnected(mlp((2, 3, 3)), _network(mlp((2, 3, 3)), weights))
    # the second output hears only a hidden neuron that hears nothing
    assert {name: list(neurons) for name, neurons in found.items()} == {"hidden1": [1, 2], "output": [1, 2]}


def test_the_dead_pass_nothing_on_and_are_not_missed() -> None:
    s = mlp((2, 2, 1))
    found = disconnected(s, _network(s, TWO_TWO_ONE, alive={"hidden1": [0, 1]}))
    assert found == {}
    found = disconnected(s, _network(s, TWO_TWO_ONE, alive={"hidden1": [0, 0]}))
    assert {name: list(neurons) for name, neurons in found.items()} == {"output": [0]}


def test_a_path_may_take_several_ticks() -> None:
    s = recurrent(1, 4, 1)
    chain = np.diag([1.0, 1.0, 1.0], k=-1)  # the fourth hidden neuron drives the third, and so on to the first
    weights = {"input->hidden": [[0, 0, 0, 1]], "hidden->hidden": chain, "hidden->output": [[1], [0], [0], [0]]}
    assert disconnected(s, _network(s, weights)) == {}
    broken = weights | {"hidden->hidden": chain * [[1], [0], [1], [1]]}
    assert {name: list(n) for name, n in disconnected(s, _network(s, broken)).items()} != {}


def test_a_random_network_has_no_reports_when_whole() -> None:
    assert disconnected(GRID, random_network(GRID)) == {}


def test_the_parts_of_a_model_have_inputs_of_their_own() -> None:
    populations = tuple(Population(name, (2,)) for name in "abcd")
    s = Substrate(populations, (Projection("a", "b"), Projection("c", "d")), modular=True)
    network = _network(s, {"a->b": [[1, 0], [0, 0]], "c->d": [[0, 1], [0, 1]]})
    assert {name: list(neurons) for name, neurons in disconnected(s, network).items()} == {"b": [1], "d": [0]}


@pytest.mark.parametrize("batch", [3, SMALL_BATCH + 1])
def test_a_product_has_all_derivatives_of_a_matrix_product(batch: int) -> None:
    x, w = jax.random.normal(jax.random.key(0), (batch, 4)), jax.random.normal(jax.random.key(1), (4, 2))

    def moved(multiply: Callable, x: jax.Array, w: jax.Array) -> jax.Array:
        """A loss after one step of descent, as gradient meta-learning differentiates it."""
        slope = jax.grad(lambda v: (jnp.tanh(multiply(x, v)) ** 2).sum())
        return (multiply(x, w - 0.1 * slope(w)) ** 3).sum()

    for argument in (0, 1):
        mine, plain = (jax.grad(partial(moved, f), argnums=argument)(x, w) for f in (product, jnp.matmul))
        np.testing.assert_allclose(mine, plain, rtol=1e-4, atol=1e-4)
    # forwards over backwards, over many at once, one factor common to all
    ws = jnp.stack([w, -2.0 * w])
    bent = [jax.vmap(lambda v, f=f: jax.jvp(jax.grad(partial(moved, f, x)), (v,), (v,))[1])(ws) for f in (product, jnp.matmul)]
    np.testing.assert_allclose(*bent, rtol=1e-3, atol=1e-3)
