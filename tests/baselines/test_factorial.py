from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from evodev.baselines import BASELINES, Setting
from evodev.baselines.factorial import Factorial, cell, dealt, effects, family
from evodev.baselines.random_networks import backprop_organism
from evodev.comparison import champion_arms
from evodev.decoders import Decoder
from evodev.decoders.cells.types import CellTypes
from evodev.decoders.sparsity import Budget
from evodev.decoders.wiring.direct import Direct
from evodev.evaluation import sample_lives
from evodev.fitness import Fitness
from evodev.learners import Episodic, Gradient, Learner
from evodev.measurement import live_arm
from evodev.organism import Organism
from evodev.search import Schedule
from evodev.strategies import Strategy
from evodev.substrate import mlp
from tests.tiny import Blobs

WIDE = mlp((30, 20, 2), blank_readout=True)
GROWN, READ = "input->hidden1", "hidden1->output"
KEY = jax.random.key(0)


def _setting(learner: Learner, density: float = 0.4) -> Setting:
    organism = Organism(WIDE, Decoder(CellTypes(), Direct(), Budget(density)), learner)
    genome = 1.0 + organism.genome_spec.init(key=KEY)
    synapses = int(density * WIDE.synapses) + learner.memory(WIDE)
    return Setting(
        organism, genome, genome, synapses, Blobs(features=30, shots=3), Strategy("Open_ES", 4), Schedule(probes=2), Fitness(), 1,
        evolve=False, seed=0,
    )  # fmt: skip


def _applying(setting: Setting) -> set[str]:
    return {name.removeprefix("factorial ") for name, baseline in family().items() if baseline.applies(setting)}


def test_cells_that_would_be_another_again_are_left_out() -> None:
    assert {n for n in BASELINES if n.startswith("factorial")} == set(family())
    assert len(family()) == 16
    plain = _applying(_setting(Gradient()))  # its read-out is the plain gradient's already
    assert plain == {f"T{t} W{w} R{r} O+" for t in "+-" for w in "+-" for r in "+-"}
    own = _applying(_setting(Episodic(8)))  # evolved genes of a learner that is gone mean nothing
    assert own == plain | {f"T{t} W{w} R- O-" for t in "+-" for w in "+-"}
    dense = _applying(replace(_setting(Episodic(8)), synapses=WIDE.synapses + 500))
    assert dense == {name for name in own if name.startswith("T+")}


def test_all_plus_is_the_champion_itself() -> None:
    setting = _setting(Gradient())
    champion = champion_arms(setting.organism, setting.champion, setting.champion)[0]
    arm = Factorial(True, True, True, True).build("x", setting, key=jax.random.key(5), say=lambda line: None)
    assert (arm.role, arm.tuning_lives) == ("control", 0)
    lives = sample_lives(setting.task, "test", 4, key=KEY)
    one, other = (live_arm(a, setting, lives, key=KEY) for a in (champion, arm))
    jax.tree.map(np.testing.assert_array_equal, one, other)


@pytest.mark.slow
def test_all_minus_is_a_random_network_that_learns_by_plain_gradient() -> None:
    setting = _setting(Episodic(8))
    baseline = replace(Factorial(False, False, False, False), lives=2)
    arm = baseline.build("x", setting, key=KEY, say=lambda line: None)
    assert arm.learner == backprop_organism(setting, "dense").learner
    assert arm.tuning_lives == 10 * 2
    assert arm.genome_size is None
    networks, genes = arm.subject
    own, _ = setting.organism.develop(setting.champion, key=KEY)
    masks, weights = np.asarray(networks.masks[GROWN]), np.asarray(networks.weights[GROWN])
    np.testing.assert_array_equal(masks.sum((1, 2)), float(own.masks[GROWN].sum()))
    density = masks[0].mean()
    assert abs(np.corrcoef(masks[0].ravel(), own.masks[GROWN].ravel())[0, 1]) < 0.2
    # as RandomNetwork(density) draws them: uniform, with the variance of He for the synapses that exist
    bound = (6 / (30 * density)) ** 0.5
    assert (weights[masks == 0] == 0).all()
    assert 0.98 * bound < np.abs(weights).max() <= bound * (1 + 1e-5)
    assert weights[masks == 1].var() == pytest.approx(bound**2 / 3, rel=0.1)
    assert np.asarray(networks.weights[READ]).std() > 0
    assert not np.asarray(networks.biases["hidden1"]).any()
    # one rate for all
    assert len({float(value) for value in genes.values()}) == 1


def test_what_is_the_champions_is_kept() -> None:
    setting = _setting(Gradient())
    own, genes = setting.organism.develop(setting.champion, key=KEY)
    there = np.asarray(own.masks[GROWN]) > 0
    kept, moved = (Factorial(t, True, True, True).draw(setting, key=KEY) for t in (True, False))
    np.testing.assert_allclose(kept.weights[GROWN], own.weights[GROWN], rtol=1e-6)
    assert (np.asarray(moved.masks[GROWN]) != there).mean() > 0.2
    dealt_out = np.asarray(moved.weights[GROWN])[np.asarray(moved.masks[GROWN]) > 0]
    np.testing.assert_allclose(np.sort(dealt_out), np.sort(np.asarray(own.weights[GROWN])[there]), rtol=1e-6)
    fresh = Factorial(True, False, True, True).draw(setting, key=KEY)
    np.testing.assert_array_equal(fresh.masks[GROWN], own.masks[GROWN])
    assert abs(np.corrcoef(np.asarray(fresh.weights[GROWN])[there], np.asarray(own.weights[GROWN])[there])[0, 1]) < 0.3
    arm = Factorial(True, False, True, True).build("x", setting, key=KEY, say=lambda line: None)
    assert arm.subject[1] == genes
    assert arm.tuning_lives == 0


def test_weights_are_dealt_only_where_the_mask_is_another() -> None:
    weights, rng = jnp.array([[1.0, 2.0, 0.0]]), np.random.default_rng(0)
    before, after = jnp.array([[1.0, 1.0, 0.0]]), jnp.array([[0.0, 1.0, 1.0]])
    assert dealt(weights, before, before, rng) is weights
    assert sorted(np.asarray(dealt(weights, before, after, rng))[0, 1:]) == [1.0, 2.0]


def test_effects_by_hand() -> None:
    # every factor saves by itself (.1, .2, .4, .8), and topology saves .5 more where the weights are the champion's
    def area(t: bool, w: bool, r: bool, o: bool) -> float:
        return 5 - 0.1 * t - 0.2 * w - 0.4 * r - 0.8 * o - 0.5 * (t and w)

    noise = np.array([0.0, 1.0, -1.0, 0.0])  # of the lives, the same in all cells
    areas = {cell(b.levels): area(*b.levels) + noise for b in family().values()} | {"another arm": noise}
    out = effects(areas, 100)
    assert set(out) == {"topology", "weights", "rates", "read-out", "interactions"}
    for name, first, main, last in [("topology", 0.1, 0.35, 0.6), ("weights", 0.2, 0.45, 0.7), ("rates", 0.4, 0.4, 0.4)]:
        for which, expected in (("first", first), ("main", main), ("last", last)):
            assert out[name][which] == pytest.approx({"value": expected, "lo": expected, "hi": expected})
        assert out[name]["pairs"] == 8
    assert out["interactions"]["topology x weights"]["value"] == pytest.approx(0.5)
    assert out["interactions"]["rates x read-out"]["value"] == pytest.approx(0.0)
    # without the cells of a learner whose genes are gone there is nothing to compare some of it with
    some = {n: a for n, a in areas.items() if not n.endswith("R+ O-")}
    out = effects(some, 100)
    assert (out["read-out"]["pairs"], out["rates"]["pairs"]) == (4, 4)
    for end in ("first", "last"):  # with all of the champion that goes with it
        assert (out["read-out"][end]["value"], out["rates"][end]["value"]) == pytest.approx((0.8, 0.4))
    assert out["topology"]["first"]["value"] == pytest.approx(0.1)
    assert "rates x read-out" not in out["interactions"]
    assert effects({"another arm": noise}) == {}
