import math
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from evodev.decoders import DECODERS
from evodev.decoders.refinement.base import spontaneous_waves
from evodev.decoders.refinement.homeostasis import Homeostasis
from evodev.decoders.refinement.spontaneous import SpontaneousActivity
from evodev.network import Network, activities, correlations
from evodev.substrate import Population, Projection, Substrate, mlp
from tests.tiny import CHAIN, random_network

KEY = jax.random.key(0)
NET, NAME = mlp((4, 2), activation="linear"), "input->output"


def _network(weights: list[list[float]], mask: list[list[float]] | None = None) -> Network:
    blank = random_network(NET)
    w = jnp.asarray(weights)
    own = jnp.ones_like(w) if mask is None else jnp.asarray(mask)
    return replace(blank, weights={NAME: w * own}, masks={NAME: own}, biases={k: 0 * b for k, b in blank.biases.items()})


def test_waves_are_smooth_over_the_coordinates_and_of_unit_size() -> None:
    line = Population("input", (40,), activation="linear")
    waves = spontaneous_waves(line, 400, length=0.5, key=KEY)
    np.testing.assert_allclose(((waves**2).mean(), waves.mean()), (1, 0), atol=0.1)
    together = correlations(waves, waves)
    # plane waves of normal wave numbers 1/.5: correlation exp(-distance^2 / (2 .5^2)) over .05 a neuron
    for apart in (1, 10, 20):
        expected = math.exp(-((0.05 * apart) ** 2) / (2 * 0.5**2))
        assert float(jnp.diagonal(together, apart).mean()) == pytest.approx(expected, abs=0.1)


def test_correlations_are_those_of_numpy_and_zero_for_the_constant() -> None:
    x, y = jax.random.normal(KEY, (20, 3)), jax.random.normal(jax.random.key(1), (20, 2)).at[:, 1].set(5.0)
    found = correlations(1e12 * x, y)
    np.testing.assert_allclose(found[:, 0], np.corrcoef(x.T, y[:, 0])[:3, 3], atol=1e-4)
    np.testing.assert_allclose(found[:, 1], 0, atol=1e-4)
    assert jnp.isfinite(correlations(x.at[0, 0].set(jnp.nan).at[1, 1].set(jnp.inf), y)).all()


def _pruned(network: Network, share: float, substrate: Substrate = NET) -> Network:
    genes = {"log_odds": jnp.full(len(substrate.grown), math.log(share / (1 - share)))}
    return SpontaneousActivity(moments=64).refine(genes, network, substrate, key=KEY)


def test_the_most_co_active_synapses_stay() -> None:
    # neighbours drive the outputs strongly, one of them by inhibition; two far inputs whisper, and are drowned
    network = _network([[5.0, 0.1], [5.0, -0.1], [0.1, -5.0], [-0.1, -5.0]])
    refined = _pruned(network, 0.5)
    np.testing.assert_array_equal(refined.masks[NAME], [[1, 0], [1, 0], [0, 1], [0, 1]])
    np.testing.assert_array_equal(refined.weights[NAME], network.weights[NAME] * refined.masks[NAME])


def test_it_is_by_activity_not_by_weight() -> None:
    # a weak synapse from an input between two strong ones is active with its target; a strong one alone is less so
    near = Substrate(
        (
            Population("input", (4,), activation="linear", at=((-0.1,), (0.0,), (0.1,), (9.0,))),
            Population("output", (1,), activation="linear"),
        ),
        (Projection("input", "output"),),
    )
    network = random_network(near)
    network = replace(network, weights={NAME: jnp.array([[2.0], [0.01], [2.0], [1.0]])})
    np.testing.assert_array_equal(_pruned(network, 0.25, near).masks[NAME].ravel(), [1, 1, 1, 0])


@pytest.mark.parametrize(("share", "left"), [(0.001, 7), (0.3, 5), (0.5, 4), (0.999, 1)])
def test_the_evolved_share_of_what_exists_is_pruned(share: float, left: int) -> None:
    mask = [[1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [0.0, 1.0]]
    refined = _pruned(_network([[1.0, 2.0], [3.0, 1.0], [1.0, 2.0], [0.0, 3.0]], mask), share)
    assert refined.masks[NAME].sum() == left
    assert ((np.asarray(refined.masks[NAME]) == 0) >= (np.asarray(mask) == 0)).all()


def test_a_silent_network_keeps_the_larger_weights_and_blank_slates_are_left_alone() -> None:
    network = random_network(CHAIN)
    silent = replace(network, biases=network.biases | {"hidden1": jnp.full(5, -1e6)})
    refined = _pruned(silent, 0.5, CHAIN)
    size, kept = np.abs(network.weights["input->hidden1"]), np.asarray(refined.masks["input->hidden1"])
    assert kept.sum() == 15
    assert size[kept == 1].min() >= size[kept == 0].max()
    assert (refined.masks["hidden1->output"] == 1).all()


def _scaled(network: Network, rule: Homeostasis, substrate: Substrate, target: float, pull: float) -> Network:
    genes = {}
    for gene in rule.genome_spec(substrate).genes:
        genes[gene.name] = jnp.asarray(math.log(target) if gene.name.endswith("log_target") else pull)
    return rule.refine(genes, network, substrate, key=KEY)


def test_full_pull_brings_every_norm_to_its_target() -> None:
    scaled = _scaled(_network([[3.0, 0.0], [4.0, 0.0], [0.0, 0.5], [0.0, 0.0]]), Homeostasis(), NET, 2.0, 100.0)
    np.testing.assert_allclose(scaled.weights[NAME], [[1.2, 0], [1.6, 0], [0, 2.0], [0, 0]], rtol=1e-4)


def test_half_pull_goes_half_of_the_way_in_logarithms() -> None:
    scaled = _scaled(_network([[8.0, 1.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]), Homeostasis(), NET, 2.0, 0.0)
    np.testing.assert_allclose(scaled.weights[NAME][0], [4.0, 2**0.5], rtol=1e-4)


def test_under_waves_every_populations_drive_reaches_its_target() -> None:
    net = mlp((6, 5, 3), activation="tanh")
    rule = Homeostasis("waves", moments=16, length=0.7)
    scaled = _scaled(random_network(net), rule, net, 0.7, 100.0)
    state = activities(net, scaled, spontaneous_waves(net.input, 16, length=0.7, key=KEY))
    for p in net.projections:
        drive = state[p.pre] @ scaled.weights[p.name]
        np.testing.assert_allclose(jnp.sqrt((drive**2).mean(0)), 0.7, rtol=1e-3)
    assert rule.stochastic
    assert not Homeostasis().stochastic


def test_a_decoder_with_waves_is_stochastic() -> None:
    gem = DECODERS["spatial_gem"]
    assert not replace(gem, refinement=(Homeostasis(),)).stochastic
    assert replace(gem, refinement=(Homeostasis(), SpontaneousActivity())).stochastic


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SpontaneousActivity(share=1.0), r"share must be in \(0, 1\), given 1.0"),
        (lambda: SpontaneousActivity(moments=1), "two or more moments"),
        (lambda: Homeostasis("rate"), "measure is 'rate'; one of norm, waves"),  # type: ignore[arg-type]
        (lambda: Homeostasis(target=0.0), "must be positive"),
    ],
)
def test_impossible_settings_are_refused(make, message: str) -> None:
    with pytest.raises(Exception, match=message) as error:
        make()
    assert isinstance(error.value, ValueError) or "Literal" in str(error.value)
