from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from evodev.decoders.sparsity import AllSynapses
from evodev.decoders.wiring.direct import Direct
from evodev.learners import Gradient
from evodev.learners.gradient import OPTIMISERS, GradientState
from evodev.learners.replay import draw, empty, store
from evodev.network import Network, forward
from evodev.substrate import mlp
from tests.tiny import digits_experiment, random_network

NET = mlp((3, 4, 2), activation="tanh")
KEY = jax.random.key(0)
RATES = {"input->hidden1": 0.1, "hidden1->output": 0.2, "hidden1": 0.3, "output": 0.4}
GENES = {f"{name}/log_rate": jnp.log(rate) for name, rate in RATES.items()}
X = jax.random.normal(jax.random.key(1), (5, 3))
CLASSES = jnp.array([0, 1, 1, 0, 1])


@pytest.fixture(scope="module")
def network() -> Network:
    return random_network(NET, seed=1, density=0.7)


def _learn(learner: Gradient, network: Network, targets: jax.Array, steps: int = 1, genes: dict = GENES) -> GradientState:
    state = learner.init(genes, network, NET, key=KEY)
    step = jax.jit(lambda state: learner.step(genes, state, X, targets, NET, key=KEY))
    for _ in range(steps):
        state = step(state)
    return state


def _numpy_step(network: Network, gains: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """One step of SGD on the cross-entropy, by the chain rule."""
    w1, w2 = (np.asarray(network.weights[name], np.float64) for name in ("input->hidden1", "hidden1->output"))
    b1, b2 = (np.asarray(network.biases[name], np.float64) for name in ("hidden1", "output"))
    x, hidden = np.asarray(X, np.float64), np.tanh(np.asarray(X) @ w1 + b1)
    logits = hidden @ w2 + b2
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    error = (p - np.eye(2)[np.asarray(CLASSES)]) / len(x)
    back = error @ w2.T * (1 - hidden**2)
    masks = {name: np.asarray(mask) for name, mask in network.masks.items()}
    weights = {
        "input->hidden1": w1 - 0.1 * gains["input->hidden1"] * masks["input->hidden1"] * (x.T @ back),
        "hidden1->output": w2 - 0.2 * masks["hidden1->output"] * (hidden.T @ error),
    }
    return weights, {"hidden1": b1 - 0.3 * back.sum(0), "output": b2 - 0.4 * error.sum(0)}


@pytest.mark.parametrize("plastic", [False, True])
def test_a_step_is_sgd_by_hand_at_the_genomes_rates_and_gains(network: Network, plastic: bool) -> None:
    gains = {"input->hidden1": np.random.default_rng(0).uniform(0.5, 2, (3, 4)) if plastic else np.ones((3, 4))}
    own = network.replace(gains={k: jnp.asarray(g, jnp.float32) for k, g in gains.items()} if plastic else {})  # type: ignore[attr-defined]
    weights, biases = _numpy_step(network, gains)
    learned = _learn(Gradient(), own, CLASSES).network
    for name, expected in weights.items():
        np.testing.assert_allclose(learned.weights[name], expected, rtol=1e-4, atol=1e-6)
    for name, expected in biases.items():
        np.testing.assert_allclose(learned.biases[name], expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "optimiser",
    [*OPTIMISERS, optax.adamw(0.1), optax.chain(optax.clip(1.0), optax.sgd(0.5))],
    ids=[*OPTIMISERS, "adamw", "clipped sgd"],
)
def test_any_optax_transformation_lowers_the_loss_and_respects_masks(network: Network, optimiser) -> None:
    genes = dict.fromkeys(GENES, jnp.log(0.05 if isinstance(optimiser, str) else 1.0))
    learned = _learn(Gradient(optimiser), network, CLASSES, steps=20, genes=genes).network

    def loss(network: Network) -> float:
        return float(optax.softmax_cross_entropy_with_integer_labels(forward(NET, network, X), CLASSES).mean())

    assert loss(learned) < loss(network) - 0.05
    for name, mask in network.masks.items():
        assert (np.asarray(learned.weights[name])[np.asarray(mask) == 0] == 0).all()


def test_a_named_optimiser_is_the_optax_one_at_the_genes_rate(network: Network) -> None:
    genes = dict.fromkeys(GENES, jnp.log(0.05))
    named = _learn(Gradient("adam"), network, CLASSES, steps=3, genes=genes).network
    own = _learn(Gradient(optax.adam(0.05)), network, CLASSES, steps=3, genes=dict.fromkeys(GENES, jnp.zeros(()))).network
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), named, own)


def test_squared_error_learns_values(network: Network) -> None:
    targets = jnp.stack([X[:, 0], -X[:, 1]], axis=1)
    state = _learn(Gradient(loss="squared_error"), network, targets, steps=100)
    outputs = Gradient(loss="squared_error").predict(GENES, state, X, NET)
    assert float(jnp.mean((outputs - targets) ** 2)) < 0.3 * float(jnp.mean((forward(NET, network, X) - targets) ** 2))


def test_an_extreme_rate_stays_finite(network: Network) -> None:
    genes = dict.fromkeys(GENES, jnp.asarray(1e6))
    assert all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(_learn(Gradient(), network, CLASSES, genes=genes)))


def test_somebody_elses_forward_is_learned_through(network: Network) -> None:
    doubled = Gradient(forward=lambda network, inputs: 2 * forward(NET, network, inputs))
    state = _learn(doubled, network, CLASSES)
    np.testing.assert_allclose(doubled.predict(GENES, state, X, NET), 2 * forward(NET, state.network, X), rtol=1e-5)


@pytest.mark.parametrize(("field", "value"), [("optimiser", "adamm"), ("loss", "hinge"), ("plastic", "neuron")])
def test_unknown_names_are_refused_with_the_known_ones(field: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"learner: {field} is '{value}'; one of"):
        replace(Gradient(), **{field: value})


FIRST, LAST = "input->hidden1", "hidden1->output"


def _moved(before: Network, after: Network, name: str) -> np.ndarray:
    return np.asarray(before.weights[name] != after.weights[name])


def test_a_closed_gate_keeps_a_projection_as_it_was_born(network: Network) -> None:
    learner = Gradient(plastic="projection")
    genes = GENES | {f"{FIRST}/plastic": jnp.asarray(-0.1), f"{LAST}/plastic": jnp.asarray(0.1)}
    learned = _learn(learner, network, CLASSES, genes=genes).network
    np.testing.assert_array_equal(learned.weights[FIRST], network.weights[FIRST])
    np.testing.assert_array_equal(learned.weights[LAST], _learn(Gradient(), network, CLASSES).network.weights[LAST])


def test_each_synapse_is_plastic_where_its_channel_and_the_gate_together_are_positive(network: Network) -> None:
    wish = jax.random.normal(KEY, (3, 4))
    told = replace(network, channels={"plastic": {FIRST: wish}})
    genes = GENES | {f"{FIRST}/plastic": jnp.asarray(0.3), f"{LAST}/plastic": jnp.asarray(1.0)}
    learned = _learn(Gradient(plastic="synapse"), told, CLASSES, genes=genes).network
    free = _learn(Gradient(), network, CLASSES).network
    np.testing.assert_array_equal(_moved(network, learned, FIRST), _moved(network, free, FIRST) & np.asarray(wish > -0.3))
    assert _moved(network, learned, FIRST).any()


def test_the_genome_feels_the_gate_by_a_sigmoid(network: Network) -> None:
    def after(gate: jax.Array) -> jax.Array:
        genes = GENES | {f"{FIRST}/plastic": gate, f"{LAST}/plastic": jnp.asarray(1.0)}
        learner = Gradient(plastic="projection")
        state = learner.step(genes, learner.init(genes, network, NET, key=KEY), X, CLASSES, NET, key=KEY)
        return (state.network.weights[FIRST] - network.weights[FIRST]).sum()

    open_change = float(after(jnp.asarray(1.0)))
    for gate in (-0.7, 0.7):
        slope = float(jax.nn.sigmoid(gate) * (1 - jax.nn.sigmoid(gate)))
        assert float(jax.grad(after)(jnp.asarray(gate))) == pytest.approx(open_change * slope, rel=1e-3)
    assert np.isfinite(float(jax.grad(after)(jnp.asarray(1e4))))


def test_a_mask_by_synapse_asks_the_wiring_for_its_channel() -> None:
    learner = Gradient(plastic="synapse")
    with pytest.raises(ValueError, match=r"set decoder\.wiring\.channels to plastic"):
        digits_experiment(learner=learner)
    decoder = replace(digits_experiment().decoder, wiring=Direct(channels=("plastic",)), sparsity=AllSynapses())
    organism = digits_experiment(learner=learner, decoder=decoder).organism
    grown, _ = organism.develop(organism.genome_spec.init(key=KEY), key=KEY)
    assert grown.channels["plastic"]["input->hidden"].shape == (64, 4)


def test_momentum_is_polyaks_at_the_genomes_share(network: Network) -> None:
    learner = Gradient(momentum=0.9)
    assert float(jax.nn.sigmoid(learner.genome_spec(NET).unpack(jnp.zeros(5))["momentum"])) == pytest.approx(0.9)
    genes = GENES | {"momentum": jnp.zeros(())}
    first, second = (_learn(learner, network, CLASSES, steps=n, genes=genes).network.weights[FIRST] for n in (1, 2))
    at_first = _learn(Gradient(), replace(network, **_params(learner, network, genes, 1)), CLASSES).network
    # the second update is its own gradient and half of the first
    expected = at_first.weights[FIRST] + 0.5 * (first - network.weights[FIRST])
    np.testing.assert_allclose(second, expected, rtol=1e-4, atol=1e-6)


def _params(learner: Gradient, network: Network, genes: dict, steps: int) -> dict:
    learned = _learn(learner, network, CLASSES, steps=steps, genes=genes).network
    return {"weights": learned.weights, "biases": learned.biases}


def test_accumulated_batches_make_one_update_of_their_mean_gradient(network: Network) -> None:
    learner = Gradient(accumulate=2)
    assert learner.rhythm == 2
    state = learner.init(GENES, network, NET, key=KEY)
    state = learner.step(GENES, state, X[:2], CLASSES[:2], NET, key=KEY)
    assert not _moved(network, state.network, FIRST).any()
    state = learner.step(GENES, state, X[2:4], CLASSES[2:4], NET, key=KEY)
    whole = Gradient().step(GENES, Gradient().init(GENES, network, NET, key=KEY), X[:4], CLASSES[:4], NET, key=KEY)
    np.testing.assert_allclose(state.network.weights[FIRST], whole.network.weights[FIRST], rtol=1e-4, atol=1e-6)


def test_what_is_replayed_was_lived_with_its_target() -> None:
    memory = empty(6, NET, classes=True)
    for i in range(4):
        numbers = 2 * i + jnp.arange(2)
        memory = store(memory, jnp.broadcast_to(numbers[:, None] + 0.0, (2, 3)), numbers)
        inputs, targets = draw(memory, 200, key=jax.random.key(i))
        np.testing.assert_array_equal(inputs[:, 0], targets)
        # with room for six, the first two samples are forgotten in the end
        assert set(np.asarray(targets)) == set(range(max(0, 2 * i - 4), 2 * i + 2))
    with pytest.raises(ValueError, match="capacity 6 is less than a batch of 7"):
        store(memory, jnp.zeros((7, 3)), jnp.zeros(7, jnp.int32))


def test_replay_learns_from_the_new_batch_and_then_from_the_life_so_far(network: Network) -> None:
    # all samples alike: three steps on the new batch are one step and two replayed batches
    same, classes = jnp.broadcast_to(X[:1], X.shape), jnp.zeros(5, jnp.int32)
    learner = Gradient(replay=2, capacity=7)
    state = learner.step(GENES, learner.init(GENES, network, NET, key=KEY), same, classes, NET, key=KEY)
    plain = Gradient().init(GENES, network, NET, key=KEY)
    for _ in range(3):
        plain = Gradient().step(GENES, plain, same, classes, NET, key=KEY)
    np.testing.assert_allclose(state.network.weights[FIRST], plain.network.weights[FIRST], rtol=1e-4, atol=1e-6)
    assert float(learner.operations(network, NET)) == 3 * float(Gradient().operations(network, NET))
    values = Gradient(replay=1, loss="squared_error")
    state = values.step(GENES, values.init(GENES, network, NET, key=KEY), X, X[:, :2], NET, key=KEY)
    np.testing.assert_array_equal(state.replay.targets[:5], X[:, :2])


def test_only_the_classes_of_the_targets_own_head_compete_in_the_learners_loss() -> None:
    substrate, classes = mlp((3, 4)), jnp.array([0, 1, 1, 0, 1])
    network, name = random_network(substrate), "input->output"
    genes = {f"{gene}/log_rate": jnp.zeros(()) for gene in (name, "output")}

    def learned(heads: int) -> np.ndarray:
        learner = Gradient(heads=heads)
        state = learner.init(genes, network, substrate, key=KEY)
        return np.asarray(learner.step(genes, state, X, classes, substrate, key=KEY).network.weights[name])

    assert (learned(1) != network.weights[name]).all()
    by_head = learned(2)
    # as if the other head's outputs were not there
    pair = mlp((3, 2))
    own = replace(
        random_network(pair),
        weights={name: network.weights[name][:, :2]},
        biases={k: b[:2] if k == "output" else b for k, b in network.biases.items()},
    )
    state = Gradient().step(genes, Gradient().init(genes, own, pair, key=KEY), X, classes, pair, key=KEY)
    np.testing.assert_allclose(by_head[:, :2], state.network.weights[name], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(by_head[:, 2:], network.weights[name][:, 2:])
    with pytest.raises(ValueError, match="4 outputs do not fall into 3 heads of equal size"):
        Gradient(heads=3).genome_spec(substrate)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"heads": 0}, "heads must be at least 1"),
        ({"heads": 2, "loss": "squared_error"}, "heads are of classes"),
        ({"momentum": 1.0}, "momentum must lie between 0 and 1"),
        ({"replay": -1}, "replay must be at least 0"),
        ({"capacity": 0}, "capacity must be at least 1"),
        ({"accumulate": 0}, "accumulate must be at least 1"),
        ({"replay": 1, "forward": lambda network, inputs: inputs}, "leave out replay or forward"),
    ],
)
def test_impossible_settings_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Gradient(**settings)


@pytest.mark.parametrize(
    ("fall", "left"), [("linear", [1.0, 0.75, 0.5, 0.25, 0.0]), ("cosine", [1.0, 0.853553, 0.5, 0.146447, 0.0])]
)
def test_rates_fall_to_zero_at_the_horizon(network: Network, fall: Any, left: list[float]) -> None:
    learner, gradient = Gradient(fall=fall, horizon=4), {"weights": network.weights, "biases": network.biases}
    memory, name = learner.unmoved(GENES, network), "input->hidden1"
    for share in left:
        moved, memory = learner.move(GENES, network, memory, gradient, NET)
        np.testing.assert_allclose(moved.weights[name], (1 - 0.1 * share) * network.weights[name], rtol=1e-4)


@pytest.mark.parametrize("changes", [{"fall": "linear"}, {"horizon": 3}, {"fall": "steep", "horizon": 3}])
def test_a_fall_without_a_horizon_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="fall"):
        Gradient(**changes)
