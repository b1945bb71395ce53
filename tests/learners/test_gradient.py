from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from evodev.learners import Gradient
from evodev.learners.gradient import OPTIMISERS, GradientState
from evodev.network import Network, forward
from evodev.substrate import mlp
from tests.tiny import random_network

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


@pytest.mark.parametrize(("field", "value"), [("optimiser", "adamm"), ("loss", "hinge")])
def test_unknown_names_are_refused_with_the_known_ones(field: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"learner: {field} is '{value}'; one of"):
        replace(Gradient(), **{field: value})
