from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from evodev.baselines import BASELINES, Setting
from evodev.baselines.densities import LayerDensities, erdos_renyi
from evodev.baselines.local import distances, field, radii
from evodev.baselines.random_networks import RandomNetwork, rate_grid
from evodev.baselines.scratch import Scratch, feed_forward, narrowed, spatial, widest
from evodev.evaluation import sample_lives
from evodev.learners import Gradient
from evodev.measurement import live_arm
from evodev.network import synapses
from evodev.organism import Organism
from evodev.presets import few_shot_digits
from evodev.substrate import Population, Projection, Substrate, mlp, recurrent
from evodev.tasks import FewShotDigits
from tests.baselines.space import FIELD, Fixed, champion_setting
from tests.tiny import DIRECT, Blobs, random_network


def _grown(name: str, setting: Setting) -> tuple[Organism, Any]:
    baseline = BASELINES[name]
    assert isinstance(baseline, Scratch)
    organism = baseline.organism(setting, key=jax.random.key(0))
    return organism, organism.develop(jnp.zeros(organism.genome_spec.size), key=jax.random.key(1))[0]


# widths


@pytest.mark.parametrize("budget", [1200, 1400, 3000])
def test_dense_of_equal_synapses_is_the_widest_within_the_champions_number(budget: int) -> None:
    organism, network = _grown("dense of equal synapses", champion_setting(budget))
    assert int(synapses(network)) == organism.substrate.synapses <= budget
    assert (organism.substrate.input, organism.substrate.output) == (FIELD.input, FIELD.output)
    assert [p.grid for p in organism.substrate.populations] == [p.grid for p in FIELD.populations]
    # a type more in either population is too much, unless the proportion would have given it to the other one
    edges, parts = (p.types for p in organism.substrate.populations[1:-1])
    possible = {(round(4 * w), round(6 * w)) for w in np.linspace(0, 1, 2001) if round(4 * w) and round(6 * w)}
    counts = {(a, b): 64 * 16 * a + 16 * a * 4 * b + 4 * b * 2 for a, b in possible | {(1, 1)}}
    assert counts[edges, parts] == max((c for c in counts.values() if c <= budget), default=counts[1, 1])


def test_dense_of_equal_synapses_counts_no_less_than_the_preset_allows() -> None:
    substrate = few_shot_digits().substrate
    width = widest(lambda w: narrowed(substrate, w).synapses, 443_156)
    assert 0.9 * 443_156 < narrowed(substrate, width).synapses <= 443_156


def test_populations_without_types_become_lines_and_recurrent_ones_are_left_out() -> None:
    assert narrowed(mlp((10, 8, 6, 2)), 0.5) == mlp((10, 4, 3, 2))
    assert narrowed(mlp((10, 8, 2)), 0.0) == mlp((10, 1, 2))
    assert narrowed(FIELD, 1.0) is FIELD
    assert feed_forward(FIELD)
    assert not feed_forward(recurrent(2, 3, 1))
    assert not feed_forward(mlp((2, 2)))
    equal = BASELINES["dense of equal synapses"]
    assert equal.applies(champion_setting(1400))
    assert not equal.applies(champion_setting(FIELD.synapses))  # the dense arm again
    assert not equal.applies(champion_setting(100))  # too few for one neuron of each kind


# densities


def test_erdos_renyi_by_hand() -> None:
    # (4 + 6) / 24 and (6 + 2) / 12: 18 synapses a unit of share, so a share of 1/2 makes 9 synapses
    assert erdos_renyi({"a": (4, 6), "b": (6, 2)}, 9) == pytest.approx({"a": 5 / 24, "b": 4 / 12})
    # b would be 1.04 at 28.08/18; it is full with 12, and a takes the other 16.08
    assert erdos_renyi({"a": (4, 6), "b": (6, 2)}, 28.08) == pytest.approx({"a": 16.08 / 24, "b": 1.0})
    # filling b fills c
    shapes = {"a": (10, 10), "b": (1, 1), "c": (2, 2)}
    assert erdos_renyi(shapes, 25) == pytest.approx({"a": 0.2, "b": 1.0, "c": 1.0})
    assert erdos_renyi(shapes, 105) == pytest.approx(dict.fromkeys("abc", 1.0))
    # a kernel of 3 x 3 from 4 to 8 channels: 18 of its 288
    assert erdos_renyi({"a": (4, 8, 3, 3), "b": (10, 10)}, 19)["a"] == pytest.approx(9 / 288)


def _layers(organism: Organism) -> dict[str, float]:
    """Density of each projection of a random network."""
    assert isinstance(organism.decoder, RandomNetwork)
    return dict(organism.decoder.layers)


def test_layer_densities_are_the_champions_or_add_up_to_its_synapses() -> None:
    setting = champion_setting(1456)
    organism, own = _grown("random sparse, layer densities of the champion", setting)
    champion = setting.organism.develop(setting.champion, key=jax.random.key(0))[0]
    densities = _layers(organism)
    for p in FIELD.grown:
        assert densities[p.name] == pytest.approx(float(champion.masks[p.name].mean()))
        assert float(own.masks[p.name].mean()) == pytest.approx(densities[p.name], abs=0.05)
    organism, network = _grown("random sparse, ERK", setting)
    erk = _layers(organism)
    # 64 + 64 neurons on 64 x 64, 64 + 24 on 64 x 24
    assert erk["edges->parts"] / erk["input->edges"] == pytest.approx((88 / 1536) / (128 / 4096))
    assert sum(erk[p.name] * np.prod(FIELD.shape(p)) for p in FIELD.grown) + 48 == pytest.approx(1456)
    assert int(synapses(network)) == pytest.approx(1456, rel=0.1)
    for name in ("random sparse, ERK", "random sparse, layer densities of the champion"):
        assert not BASELINES[name].applies(champion_setting(FIELD.synapses))
        assert not BASELINES[name].applies(
            replace(setting, organism=Organism(mlp((64, 4, 2), blank_readout=True), DIRECT, Gradient()))
        )


def test_a_projection_that_the_champion_left_empty_harms_nothing() -> None:
    network = RandomNetwork(layers=(("input->hidden1", 1 / 12),)).grow(jnp.zeros(2), mlp((3, 4, 2)), key=jax.random.key(0))
    assert np.isfinite(network.weights["input->hidden1"]).all()
    assert (np.asarray(network.masks["hidden1->output"]) == 1).all()

    class Empty(Fixed):
        def grow(self, genome: Any, substrate: Substrate, *, key: Any, shared: bool = False) -> Any:
            whole = random_network(substrate)
            return replace(whole, masks=whole.masks | {"edges->parts": jnp.zeros((64, 24))})

    setting = champion_setting(1456, organism=Organism(FIELD, Empty(), Gradient()))
    organism = LayerDensities("champion").organism(setting, key=jax.random.key(0))
    assert _layers(organism)["edges->parts"] == 1 / 1536


# receptive fields


def test_receptive_fields_are_what_coordinates_say() -> None:
    line = Substrate(
        (Population("input", (6,)), Population("hidden", (3,), 2), Population("output", (2,))),
        (Projection("input", "hidden"), Projection("hidden", "output")),
    )
    seen, read = line.projections
    # inputs at -5/6, -3/6, ..., 5/6; neurons at -2/3, 0, 2/3, two of them at each place
    pairs = np.repeat([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1]], 2, axis=1)
    np.testing.assert_array_equal(field(line, seen, 0.2), pairs)
    wider = np.repeat([[1, 0, 0], [1, 1, 0], [1, 1, 0], [0, 1, 1], [0, 1, 1], [0, 0, 1]], 2, axis=1)
    np.testing.assert_array_equal(field(line, seen, 0.5), wider)
    # however small the radius, each neuron sees what is nearest
    np.testing.assert_array_equal(field(line, seen, 0.0), pairs)
    assert distances(line, read) is None  # classes lie nowhere
    assert (field(line, read, 0.1) == 1).all()
    counts = radii(line)
    assert list(counts.values()) == sorted(counts.values())
    assert counts[0.5] == wider.sum() + 12
    assert max(counts.values()) == line.synapses


@pytest.mark.parametrize("budget", [800, 1456])
def test_locally_connected_has_the_largest_fields_within_the_champions_number(budget: int) -> None:
    _, network = _grown("locally connected", champion_setting(budget))
    counts = list(radii(FIELD).values())
    assert int(synapses(network)) == max(c for c in counts if c <= budget)
    mask, weights = (np.asarray(part["input->edges"]) for part in (network.masks, network.weights))
    assert (weights[mask == 0] == 0).all()
    assert (weights[mask == 1] != 0).all()
    # the bound of He's uniform weights for what each neuron really sees
    np.testing.assert_array_less(np.abs(weights), np.broadcast_to(np.sqrt(6 / mask.sum(0)), mask.shape) + 1e-6)
    corner, middle = mask.reshape(8, 8, 4, 4, 4)[:, :, 0, 0, 0], mask.reshape(8, 8, 4, 4, 4)[:, :, 1, 1, 0]
    assert corner[:2, :2].all()
    assert not corner[4:].any()
    assert middle.sum() >= corner.sum()


def test_receptive_fields_need_inputs_that_lie_in_the_substrates_space() -> None:
    local = BASELINES["locally connected"]
    assert local.applies(champion_setting(800))
    assert not local.applies(champion_setting(FIELD.synapses))
    flat = Organism(mlp((64, 20, 2)), DIRECT, Gradient())
    assert not local.applies(champion_setting(800, organism=flat))
    assert spatial(FewShotDigits())
    assert not spatial(Blobs())


# lives


@pytest.mark.parametrize("name", ["dense of equal synapses", "random sparse, ERK", "locally connected", "CNN"])
def test_an_arm_from_scratch_lives_and_learns(name: str, monkeypatch: pytest.MonkeyPatch, one_device: None) -> None:
    def short(organism: Organism) -> tuple[Any, list[str]]:
        genomes, names = rate_grid(organism)
        return genomes[16:17], names[16:17]

    monkeypatch.setattr("evodev.baselines.random_networks.rate_grid", short)
    setting = champion_setting(1456)
    assert BASELINES[name].applies(setting)
    arm = BASELINES[name].build(name, setting, key=jax.random.key(0), say=lambda line: None)
    assert (arm.role, arm.genome_size, arm.tuning_lives) == ("baseline", None, 8)
    assert "on validation; rate 0.3" in arm.note
    log = live_arm(arm, setting, sample_lives(setting.task, "test", 8, key=jax.random.key(1)), key=jax.random.key(2))
    loss = np.asarray(log.loss)
    assert loss[:, -1].mean() < loss[:, 0].mean()
    assert np.asarray(log.synapses).max() <= 1456 * (1.15 if name.startswith("random") else 1.0)
    assert log.energy is not None
    assert (np.asarray(log.energy.traffic) > 0).all()
