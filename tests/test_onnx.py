"""ONNX files compute what the network computes; checked with onnxruntime."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from evodev import onnx as exporting
from evodev.network import Network, forward, readout_inputs
from evodev.substrate import ACTIVATIONS, NORMALISATIONS, Population, Projection, Substrate, mlp, recurrent
from tests.tiny import GRID, random_network

pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def _run(substrate: Substrate, network: Network, x: jax.Array) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(exporting.to_onnx(substrate, network), providers=["CPUExecutionProvider"])
    return session.run(None, {"inputs": np.asarray(x)})


def _input(substrate: Substrate, batch: int = 5) -> jax.Array:
    return jax.random.normal(jax.random.key(1), (batch, substrate.input.size))


def _half_dead(substrate: Substrate) -> Network:
    network = random_network(substrate, density=0.7)
    hidden = substrate.populations[1]
    return replace(network, alive=network.alive | {hidden.name: jnp.asarray(np.arange(hidden.size) % 3 > 0, jnp.float32)})


def _hidden(activation: str = "tanh", normalisation: str = "none") -> Substrate:
    hidden = Population("hidden", (3,), 2, activation=activation, normalisation=normalisation)
    ends = Population("input", (4,), activation="linear"), Population("output", (2,), activation="linear")
    return Substrate((ends[0], hidden, ends[1]), (Projection("input", "hidden"), Projection("hidden", "output")))


SHAPES = {
    "skip": mlp((4, 5, 3), skip=True),
    "recurrent": recurrent(3, 6, 2, ticks=4),
    "way back": Substrate(
        (Population("a", (3,)), Population("b", (4,)), Population("c", (2,), activation="tanh")),
        (Projection("a", "b"), Projection("b", "c"), Projection("c", "b")),
        ticks=3,
    ),
    "fed from behind only": Substrate(
        (Population("a", (3,)), Population("b", (4,)), Population("c", (2,))),
        (Projection("a", "c"), Projection("c", "b"), Projection("b", "c")),
        ticks=2,
    ),
}
SHAPES |= {f"activation {name}": _hidden(activation=name) for name in ACTIVATIONS}
SHAPES |= {f"normalisation {name}": _hidden(normalisation=name) for name in NORMALISATIONS}


@pytest.mark.parametrize("name", SHAPES)
def test_the_file_computes_what_the_network_computes(name: str) -> None:
    substrate, x = SHAPES[name], _input(SHAPES[name])
    for network in (random_network(substrate), _half_dead(substrate)):
        expected = forward(substrate, network, x)
        assert np.asarray(expected).std() > 1e-3
        (outputs,) = _run(substrate, network, x)
        np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-5)


def test_what_reaches_a_blank_slate_is_a_second_output() -> None:
    network, x = random_network(GRID), _input(GRID, 1)
    outputs, features = _run(GRID, network, x)
    np.testing.assert_array_equal(outputs, 0)
    assert features.any()
    np.testing.assert_allclose(features, readout_inputs(GRID, network, x), rtol=1e-5, atol=1e-5)


def test_what_cannot_be_exported_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    substrate = replace(mlp((2, 3)), modular=True)
    network = random_network(substrate)
    with pytest.raises(ValueError, match="onnx: a modular substrate has no forward pass of its own"):
        exporting.to_onnx(substrate, network)
    odd = mlp((2, 3, 1))
    object.__setattr__(odd.populations[1], "activation", "erf")
    with pytest.raises(ValueError, match="onnx: activation 'erf' cannot be exported"):
        exporting.to_onnx(odd, random_network(odd))
    few = replace(mlp((2, 3, 1)), populations=tuple(replace(p, winners=0.5) for p in mlp((2, 3, 1)).populations))
    with pytest.raises(ValueError, match="onnx: a population of which only some may be active"):
        exporting.to_onnx(few, random_network(few))
    monkeypatch.setattr(exporting, "INSTALLED", False)
    with pytest.raises(ValueError, match=r"onnx: the package onnx is not installed; pip install 'evodev-jax\[onnx\]'"):
        exporting.to_onnx(mlp((2, 3)), network)
