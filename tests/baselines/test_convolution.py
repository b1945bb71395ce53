from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from evodev.baselines.convolution import Convolutional
from evodev.baselines.kernels import Convolving, Kernels, Window
from evodev.learners import Gradient
from evodev.network import matrix, synapses
from evodev.organism import Organism
from evodev.types import Array
from tests.baselines.space import champion_setting

KEY = jax.random.key(0)


def _life(baseline: Convolutional, **changes: Any) -> tuple[Organism, Any, Any]:
    setting = champion_setting(1456, **changes)
    organism = baseline.organism(setting, key=KEY)
    network, genes = organism.develop(jnp.zeros(organism.genome_spec.size), key=KEY)
    return organism, genes, organism.learner.init(genes, network, organism.substrate, key=KEY)


def test_a_window_by_hand() -> None:
    window = Window((5,), 3, 2, 1)
    assert window.over == (3,)
    # q = 0 sees -1, 0, 1; q = 1 sees 1, 2, 3; q = 2 sees 3, 4, 5
    seen = {(p, q, c) for p, q, c in zip(*np.nonzero(window.basis), strict=True)}
    assert seen == {(0, 0, 1), (1, 0, 2), (1, 1, 0), (2, 1, 1), (3, 1, 2), (3, 2, 0), (4, 2, 1)}


@pytest.mark.parametrize(("grid", "size", "stride", "padding"), [((9,), 5, 2, 1), ((6, 5), 3, 2, 1), ((4, 4), 2, 1, 0)])
def test_a_layer_is_jaxs_convolution(grid: tuple[int, ...], size: int, stride: int, padding: int) -> None:
    cnn = Convolutional((3,), (size,), (stride,), (padding,), fitted=False)
    substrate = cnn.substrate(grid, 2)
    learner = Organism(substrate, *_parts(cnn, grid)).learner
    network = _parts(cnn, grid)[0].grow(jnp.zeros(2), substrate, key=KEY)
    network = replace(network, biases=network.biases | {"layer1": jnp.array([0.1, -0.2, 0.3])})
    x = jax.random.normal(jax.random.key(1), (2, *grid))
    state: Any = _State(network)
    active = learner.activity({}, state, x, substrate)
    assert active is not None
    own = active["layer1"]
    axes = "".join("HW"[: len(grid)])
    kernel = network.weights["input->layer1"].reshape(1, 3, *[size] * len(grid))
    expected = jax.lax.conv_general_dilated(
        x[..., None], kernel, (stride,) * len(grid), [(padding, padding)] * len(grid),
        dimension_numbers=(f"N{axes}C", f"IO{axes}", f"N{axes}C"),
    )  # fmt: skip
    expected = jax.nn.relu(expected + network.biases["layer1"])
    np.testing.assert_allclose(own.reshape(expected.shape), expected, rtol=1e-4, atol=1e-5)


def _parts(cnn: Convolutional, grid: tuple[int, ...]) -> tuple[Any, Any]:
    windows = cnn.windows(grid)
    return Kernels(windows), Convolving(windows=windows)


class _State:
    def __init__(self, network: Any) -> None:
        self.network = network


def test_a_shift_of_the_inputs_is_a_shift_of_what_they_excite() -> None:
    cnn = Convolutional((2, 3), (3, 3), (1, 2), fitted=False)
    substrate = cnn.substrate((12,), 2)
    kernels, learner = _parts(cnn, (12,))
    network = kernels.grow(jnp.zeros(3), substrate, key=KEY)
    x = jnp.zeros((1, 12)).at[0, 4:7].set(jnp.array([1.0, -2.0, 3.0]))

    def layer(inputs: Array, name: str) -> np.ndarray:
        active = learner.activity({}, _State(network), inputs, substrate)[name]
        return np.asarray(active).reshape(-1, substrate.population(name).types)

    moved = jnp.roll(x, 2, axis=1)
    assert layer(x, "layer1").any()
    np.testing.assert_allclose(layer(moved, "layer1")[2:], layer(x, "layer1")[:-2], atol=1e-6)
    np.testing.assert_allclose(layer(moved, "layer2")[1:], layer(x, "layer2")[:-1], atol=1e-6)


def test_the_published_network_of_mnist_1d_can_be_said() -> None:
    cnn = Convolutional((25, 25, 25), (5, 3, 3), (2, 2, 2), (1, 1, 1), fitted=False)
    substrate = cnn.substrate((40,), 10)
    assert [p.size for p in substrate.populations] == [40, 19 * 25, 10 * 25, 5 * 25, 10]
    # by hand 125 + 25, twice 1875 + 25, 1250 + 10
    assert cnn.weights(substrate) + 3 * 25 + 10 == 5210


@pytest.mark.parametrize("budget", [400, 1456, 20_000])
def test_channels_are_as_many_as_the_champions_synapses_allow(budget: int) -> None:
    cnn = Convolutional((1, 2))
    organism = cnn.organism(champion_setting(budget), key=KEY)
    network, _ = organism.develop(jnp.zeros(organism.genome_spec.size), key=KEY)
    count = cnn.synapses(organism.substrate)
    assert int(synapses(network)) == count <= budget
    one = organism.substrate.populations[1].types
    first, second = (round(w.basis.sum()) for w in cnn.windows((8, 8)))

    def made(a: int, b: int) -> int:
        return first * a + second * a * b + 4 * b * 2

    assert count == made(one, organism.substrate.populations[2].types)
    assert made(one + 1, 2 * one + 2) > budget
    free = {name: w.size for name, w in network.weights.items()}
    assert sum(free.values()) == cnn.weights(organism.substrate)
    assert f"{count:,} synapses" in cnn.about(champion_setting(budget), organism)


@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
def test_a_step_is_that_of_the_unfolded_network_with_gradients_summed_over_positions(optimiser: str) -> None:
    organism, genes, state = _life(Convolutional((2, 3), fitted=False))
    assert isinstance(organism.learner, Gradient)
    learner: Any = replace(organism.learner, optimiser=optimiser)
    substrate = organism.substrate
    x, y = jax.random.normal(jax.random.key(2), (5, 64)), jnp.array([0, 1, 1, 0, 1])
    state = learner.init(genes, state.network, substrate, key=KEY)
    slope = learner.gradient(state.network, x, y, substrate)
    unfolded = learner.unfolded(state.network, substrate)
    whole = {name: matrix(w) for name, w in unfolded.weights.items()}
    plain = replace(unfolded, weights=whole)
    each = Gradient().gradient(plain, x, y, substrate)
    for window, p in zip(learner.windows, substrate.projections, strict=False):
        pre, post = substrate.population(p.pre).types, substrate.population(p.post).types
        positions = each["weights"][p.name].reshape(window.basis.shape[0], pre, window.basis.shape[1], post)
        summed = np.einsum("paqb,pqc->abc", positions, window.basis)
        np.testing.assert_allclose(slope["weights"][p.name], summed, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(slope["biases"][p.post], each["biases"][p.post].reshape(-1, post).sum(0), rtol=1e-4, atol=1e-6)
    after = learner.step(genes, state, x, y, substrate, key=KEY).network
    if optimiser == "sgd":
        rate = np.exp(float(genes["input->layer1/log_rate"]))
        moved = state.network.weights["input->layer1"] - rate * slope["weights"]["input->layer1"]
        np.testing.assert_allclose(after.weights["input->layer1"], moved, rtol=1e-5, atol=1e-7)
    assert not np.allclose(after.weights["layer1->layer2"], state.network.weights["layer1->layer2"])


def test_of_random_features_only_the_readout_learns() -> None:
    organism, genes, state = _life(Convolutional((2, 3), fitted=False, readout_only=True))
    x, y = jax.random.normal(jax.random.key(2), (5, 64)), jnp.array([0, 1, 1, 0, 1])
    after = organism.learner.step(genes, state, x, y, organism.substrate, key=KEY).network
    for name in ("input->layer1", "layer1->layer2"):
        np.testing.assert_array_equal(after.weights[name], state.network.weights[name])
    for name in ("layer1", "layer2"):
        assert not after.biases[name].any()
    assert not np.allclose(after.weights["layer2->output"], state.network.weights["layer2->output"])
    assert after.biases["output"].any()


def test_impossible_layers_are_refused() -> None:
    with pytest.raises(ValueError, match=r"strides .* one a layer"):
        Convolutional((2, 3), (3, 3), (2,))
