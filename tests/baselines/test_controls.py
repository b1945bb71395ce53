from dataclasses import replace
from typing import Any

import jax
import numpy as np
import pytest

from evodev.baselines import BASELINES, Setting
from evodev.baselines.controls import (
    DRAWS,
    Control,
    FreshWeights,
    NeutralDrift,
    RandomGenome,
    Rewired,
    ShuffledGenome,
    ShuffledWeights,
    SpectrumMatched,
    grown,
    pick,
)
from evodev.decoders import Decoder
from evodev.decoders.cells.types import CellTypes
from evodev.decoders.sparsity import Budget
from evodev.decoders.wiring.direct import Direct
from evodev.fitness import Fitness
from evodev.learners import Gradient
from evodev.network import Network
from evodev.organism import Organism
from evodev.search import Schedule
from evodev.strategies import Strategy
from evodev.substrate import mlp
from tests.tiny import Blobs

WIDE = mlp((60, 50, 2), blank_readout=True)
ORGANISM = Organism(WIDE, Decoder(CellTypes(), Direct(), Budget(0.4)), Gradient())
GENOME = 3.0 + ORGANISM.genome_spec.init(key=jax.random.key(0))
"""Its weights have a mean that is not zero."""
GROWN = "input->hidden1"


SETTING = Setting(
    ORGANISM,
    GENOME,
    GENOME,
    100,
    Blobs(features=60),
    Strategy("Open_ES", 4),
    Schedule(),
    Fitness(),
    budget=1,
    evolve=False,
    seed=0,
)


@pytest.fixture(scope="module")
def network() -> Network:
    return grown(SETTING, key=jax.random.key(0))


@pytest.mark.parametrize("control", [FreshWeights(), ShuffledWeights()], ids=lambda control: type(control).__name__)
def test_the_topology_is_kept_and_the_weights_are_not(control: Control, network: Network) -> None:
    changed, other = (control.draw(SETTING, key=jax.random.key(seed)) for seed in (2, 3))
    for name, mask in network.masks.items():
        np.testing.assert_array_equal(changed.masks[name], mask)
        assert (np.asarray(changed.weights[name])[np.asarray(mask) == 0] == 0).all()
    assert not np.allclose(changed.weights[GROWN], network.weights[GROWN])
    assert not np.allclose(changed.weights[GROWN], other.weights[GROWN])
    jax.tree.map(np.testing.assert_array_equal, changed.biases, network.biases)


def test_fresh_weights_have_the_same_moments(network: Network) -> None:
    there = np.asarray(network.masks[GROWN]) == 1
    changed = FreshWeights().draw(SETTING, key=jax.random.key(2))
    before, after = (np.asarray(n.weights[GROWN])[there] for n in (network, changed))
    assert before.mean() > 0.2  # a mean that is not zero, see GENOME
    assert after.mean() == pytest.approx(before.mean(), abs=4 * before.std() / there.sum() ** 0.5)
    assert after.std() == pytest.approx(before.std(), rel=0.1)


def test_a_matched_spectrum_has_the_singular_values_and_other_vectors(network: Network) -> None:
    changed, own = SpectrumMatched().draw(SETTING, key=jax.random.key(2)), np.asarray(network.weights[GROWN])
    weights = np.asarray(changed.weights[GROWN])
    np.testing.assert_allclose(
        np.linalg.svd(weights, compute_uv=False), np.linalg.svd(own, compute_uv=False), rtol=1e-3, atol=1e-4
    )
    # the first left singular vectors have nothing to do with each other, where their values are the same
    vectors = [np.linalg.svd(matrix)[0][:, 0] for matrix in (own, weights)]
    assert abs(vectors[0] @ vectors[1]) < 0.5
    assert np.asarray(changed.masks[GROWN]).all()
    jax.tree.map(np.testing.assert_array_equal, changed.masks["hidden1->output"], network.masks["hidden1->output"])


def test_shuffled_weights_are_the_same_multiset_in_each_projection(network: Network) -> None:
    changed = ShuffledWeights().draw(SETTING, key=jax.random.key(2))
    for name, weights in network.weights.items():
        there = np.asarray(network.masks[name]) == 1
        np.testing.assert_array_equal(np.sort(np.asarray(changed.weights[name])[there]), np.sort(np.asarray(weights)[there]))


def test_a_shuffled_genome_grows_another_network_of_the_same_numbers(network: Network) -> None:
    changed = ShuffledGenome().draw(SETTING, key=jax.random.key(2))
    assert not np.array_equal(changed.masks[GROWN], network.masks[GROWN])
    there, now = (np.asarray(n.weights[GROWN])[np.asarray(n.masks[GROWN]) == 1] for n in (network, changed))
    np.testing.assert_allclose(np.sort(now), np.sort(there), rtol=1e-6)  # direct wiring: a gene a weight


def test_a_random_genome_and_a_drifted_one_keep_the_learners_genes_only() -> None:
    spec, initial = ORGANISM.decoder.genome_spec(WIDE), GENOME + 1.0
    setting = replace(SETTING, initial=initial)
    drifted = np.stack([NeutralDrift().genes(setting, spec, key=jax.random.key(k)) for k in (0, 1)])
    champions = np.asarray(GENOME)[: spec.size]
    way, other = drifted - np.asarray(initial)[: spec.size]
    assert np.linalg.norm(way) == pytest.approx(spec.size**0.5, rel=1e-4)  # the champion is 1 away in each gene
    assert abs(np.corrcoef(way, other)[0, 1]) < 0.1
    fresh = np.asarray(RandomGenome().genes(setting, spec, key=jax.random.key(0)))
    assert fresh.shape == champions.shape
    assert fresh.mean() == pytest.approx(0.0, abs=0.1)  # the champion's are 3 on the average
    assert fresh.std() == pytest.approx(1.0, abs=0.1)


def test_drift_from_the_champion_itself_goes_nowhere() -> None:
    spec = ORGANISM.decoder.genome_spec(WIDE)
    np.testing.assert_array_equal(NeutralDrift().genes(SETTING, spec, key=jax.random.key(0)), GENOME[: spec.size])


@pytest.mark.parametrize("keeps", ["degrees", "layers", "density"])
def test_a_rewired_mask_keeps_what_it_says_and_the_moments_of_the_weights(keeps: Any, network: Network) -> None:
    changed = Rewired(keeps).draw(SETTING, key=jax.random.key(2))
    before, after = (np.asarray(n.masks[GROWN]) for n in (network, changed))
    assert (before != after).mean() > 0.1
    assert after.sum() == before.sum()  # one grown projection, so that density and layers agree
    for axis in (0, 1):
        assert (keeps == "degrees") == (after.sum(axis) == before.sum(axis)).all()
    own, fresh = np.asarray(network.weights[GROWN])[before == 1], np.asarray(changed.weights[GROWN])
    assert (fresh[after == 0] == 0).all()
    assert fresh[after == 1].mean() == pytest.approx(own.mean(), abs=float(4 * own.std() / len(own) ** 0.5))
    assert fresh[after == 1].std() == pytest.approx(own.std(), rel=0.1)
    read = "hidden1->output"
    np.testing.assert_array_equal(changed.masks[read], np.ones_like(network.masks[read]))  # the blank read-out stays whole


def test_no_synapse_is_rewired_to_a_dead_neuron(monkeypatch: pytest.MonkeyPatch, network: Network) -> None:
    alive = network.alive | {"hidden1": network.alive["hidden1"].at[:20].set(0.0)}
    masks = network.masks | {GROWN: network.masks[GROWN].at[:, :20].set(0.0)}
    monkeypatch.setattr("evodev.baselines.controls.grown", lambda setting, *, key: replace(network, alive=alive, masks=masks))
    for keeps in ("degrees", "layers", "density"):
        mask = Rewired(keeps).draw(SETTING, key=jax.random.key(0)).masks[GROWN]
        assert float(mask[:, :20].sum()) == 0
        assert float(mask.sum()) == float(masks[GROWN].sum()) > 0


@pytest.mark.parametrize("name", [name for name, baseline in BASELINES.items() if isinstance(baseline, Control)])
def test_every_life_gets_one_of_several_draws_and_the_champions_learner_genes(name: str) -> None:
    arm = BASELINES[name].build(name, replace(SETTING, initial=GENOME + 1.0), key=jax.random.key(0), say=lambda line: None)
    assert arm.stochastic
    assert f"{DRAWS} draws" in arm.note
    draws = np.asarray(arm.subject[0].weights[GROWN])
    assert len(np.unique(draws.reshape(DRAWS, -1), axis=0)) == DRAWS
    picked = [pick(arm.subject, key=jax.random.key(seed)) for seed in range(12)]
    which = {int((draws == np.asarray(net.weights[GROWN])).all((1, 2)).argmax()) for net, _ in picked}
    assert len(which) > 2
    expected = ORGANISM.split(GENOME)[1]
    assert {n: float(v) for n, v in picked[0][1].items()} == {n: float(v) for n, v in expected.items()}
