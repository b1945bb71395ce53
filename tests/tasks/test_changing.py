"""Worlds that switch, classes in sequence, and one world in two modalities."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from evodev.evaluation import sample_lives
from evodev.experiment import from_plain, to_plain
from evodev.tasks import SPLITS, ContinualDigits, Modality, Sine, Switching, Task, Teacher
from evodev.tasks.modality import decoded, encoded, orthants

SHORT = Teacher(features=2, updates=7, shots=3, probes=4)


def _worlds(task: Switching) -> tuple[list[int], list[int]]:
    """Which of the wrapped task's worlds each step shows, and which are probed."""
    key = jax.random.key(0)
    life = task.sample("train", key=key)
    worlds = [task.task.sample("train", key=k) for k in jax.random.split(key, len(set(task._visited)))]
    steps = [[i for i, w in enumerate(worlds) if np.allclose(w.inputs[t], x, atol=1e-5)] for t, x in enumerate(life.inputs)]
    sets = life.probe_inputs.reshape(-1, *worlds[0].probe_inputs.shape)
    probed = [[i for i, w in enumerate(worlds) if np.allclose(w.probe_inputs, x, atol=1e-5)] for x in sets]
    assert all(len(own) == 1 for own in [*steps, *probed])
    return [own[0] for own in steps], [own[0] for own in probed]


@pytest.mark.parametrize(
    ("fields", "steps", "probed"),
    [
        ({"period": 7}, [0] * 7, [0]),
        ({"period": 1}, list(range(7)), [6]),
        ({"period": 3}, [0, 1, 1, 1, 2, 2, 2], [2]),
        ({"period": 3, "probe": "previous"}, [0, 1, 1, 1, 2, 2, 2], [1]),
        ({"period": 3, "probe": "all"}, [0, 1, 1, 1, 2, 2, 2], [0, 1, 2]),
        ({"period": 2, "worlds": 2}, [0, 1, 1, 0, 0, 1, 1], [1]),
        ({"period": 2, "worlds": 2, "probe": "all"}, [0, 1, 1, 0, 0, 1, 1], [0, 1]),
    ],
)
def test_the_world_switches_every_period_counted_from_the_end(fields: dict, steps: list[int], probed: list[int]) -> None:
    assert _worlds(Switching(SHORT, **fields)) == (steps, probed)


def test_a_phase_ends_when_its_world_has_reigned_for_the_last_time() -> None:
    assert Switching(SHORT, 3).phase_ends == ()
    assert Switching(SHORT, 3, probe="all").phase_ends == (1, 4, 7)
    assert Switching(SHORT, 2, 2, probe="all").phase_ends == (5, 7)
    assert Switching(SHORT, 1, 3, probe="all").phase_ends == (7, 5, 6)
    assert ContinualDigits(phases=3, shots=4).phase_ends == (4, 8, 12)
    assert ContinualDigits(phases=3, shots=4, probe="first").phase_ends == (4,)


def test_a_frozen_world_is_one_for_all_lives_and_families() -> None:
    task = Switching(SHORT, None, frozen=3)
    world = SHORT.sample("train", key=jax.random.key(3))
    lives = [task.sample(split, key=jax.random.key(seed)) for split in SPLITS for seed in (0, 1)]
    orders = [
        [next(i for i, w in enumerate(world.inputs) if np.allclose(w, x, atol=1e-5)) for x in life.inputs] for life in lives
    ]
    assert len({tuple(order) for order in orders[:2]}) == 2
    for life, order in zip(lives, orders, strict=True):
        assert sorted(order) == list(range(7))
        np.testing.assert_allclose(life.targets, world.targets[jnp.array(order)], atol=1e-5)
        np.testing.assert_allclose(life.probe_targets, world.probe_targets, atol=1e-5)
    other = Switching(SHORT, None, frozen=4).sample("train", key=jax.random.key(0))
    assert not np.allclose(np.sort(other.targets.ravel()), np.sort(lives[0].targets.ravel()))
    assert "same in all families" in task.held_out


@pytest.mark.parametrize("period", [None, 2])
def test_noise_is_on_what_is_learned_and_new_in_each_life(period: int | None) -> None:
    plain, noisy = (Switching(Teacher(features=2, updates=200), period, noise=noise) for noise in (0.0, 0.3))
    added = []
    for seed in (0, 1):
        without, life = (task.sample("train", key=jax.random.key(seed)) for task in (plain, noisy))
        np.testing.assert_array_equal(life.inputs, without.inputs)
        np.testing.assert_array_equal(life.probe_targets, without.probe_targets)
        added.append(np.asarray(life.targets - without.targets))
        assert added[-1].std() == pytest.approx(0.3, rel=0.1)
    assert abs(np.corrcoef(added[0].ravel(), added[1].ravel())[0, 1]) < 0.1


def test_labels_are_those_of_all_worlds() -> None:
    assert Switching(SHORT, 3).labels == 21
    assert Switching(Sine(shots=4, updates=6), None).labels == 4
    assert Switching(Sine(shots=4, updates=6), 3).labels == 8


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"period": 8}, "period must be from 1 to 7, the steps of a life, or none for frozen; given 8"),
        ({"period": 0}, "period must be from 1 to 7"),
        ({"worlds": 1, "period": 2}, "worlds must be at least 2"),
        ({"period": None, "probe": "previous"}, "no previous world to probe in a life that never switches"),
        ({"period": None, "probe": "all"}, "no previous world to probe in a life that never switches"),
        ({"period": None, "worlds": 2}, "a frozen world is the only one"),
        ({"period": 2, "frozen": 1}, "frozen is the seed of a world that never changes"),
        ({"period": 2, "noise": -0.1}, "noise must not be negative"),
        ({"task": Teacher(ways=3), "noise": 0.1}, "noise must .* 0 where targets are classes"),
    ],
)
def test_impossible_switches_are_refused(fields: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(Switching(SHORT, 7), **fields)


def test_a_task_in_a_task_survives_the_file() -> None:
    for task in (Switching(SHORT, None), Switching(Sine(), 2, 3, "previous"), Switching(Teacher(ways=3, test=(30, 40)), 1)):
        assert from_plain(Task, to_plain(task)) == task


@pytest.mark.parametrize("probe", ["all", "first"])
def test_classes_come_in_phases_and_the_probes_cover_them(probe) -> None:
    task = ContinualDigits(phases=3, ways=2, shots=2, probes=3, probe=probe, canvas=8)
    life = task.sample("test", key=jax.random.key(0))
    assert life.targets.tolist() == [[0, 1]] * 2 + [[2, 3]] * 2 + [[4, 5]] * 2
    whole = [0, 1] * 3 + [2, 3] * 3 + [4, 5] * 3
    assert life.probe_targets.tolist() == (whole if probe == "all" else whole[:6])
    # the same pictures as in the few-shot life of the same key, under the same labels
    few = task._digits.sample("test", key=jax.random.key(0))
    np.testing.assert_array_equal(life.inputs[2:4], few.inputs[:, 2:4])
    np.testing.assert_array_equal(life.probe_inputs[:2], few.probe_inputs[:2])


def test_a_known_phase_leaves_only_its_own_classes_to_choose_from() -> None:
    outputs, targets = jnp.array([[0.0, 0.0, 9.0, 9.0], [5.0, 5.0, 0.0, 2.0]]), jnp.array([0, 3])
    known, unknown = ContinualDigits(phases=2, scenario="task"), ContinualDigits(phases=2)
    assert float(known.loss(outputs, targets)) == pytest.approx((np.log(2) + np.log(1 + np.exp(-2))) / 2)
    assert float(known.score(outputs, targets)) == 1.0
    assert float(unknown.score(outputs, targets)) == 0.0
    nothing = jnp.zeros((2, 4))
    for task in (known, unknown):
        assert float(task.loss(nothing, targets)) == pytest.approx(task.ignorant_loss)


@pytest.mark.parametrize(
    "fields", [{"phases": 1}, {"phases": 5}, {"ways": 1, "scenario": "task"}, {"ways": 0}, {"rotations": (0,)}]
)
def test_impossible_sequences_are_refused(fields: dict) -> None:
    with pytest.raises(ValueError, match=r"phases \* ways at most"):
        ContinualDigits(**fields)


def test_both_encoders_can_be_inverted_and_differ() -> None:
    latent = jax.random.normal(jax.random.key(0), (50, 8))
    seen = [np.asarray(encoded(latent, name)) for name in ("eye", "ear")]
    for name, x in zip(("eye", "ear"), seen, strict=True):
        np.testing.assert_allclose(decoded(jnp.asarray(x), name), latent, atol=1e-3)
    assert np.abs(seen[0] - seen[1]).mean() > 0.3
    # not linear
    assert np.abs(encoded(2 * latent, "eye") - 2 * seen[0]).mean() > 0.1


def test_modalities_share_latents_and_labels_and_families_share_no_orthant() -> None:
    signs = {}
    for split in SPLITS:
        eye, ear = (
            jax.device_get(sample_lives(Modality(name, noise=1e-4), split, 20, key=jax.random.key(0))) for name in ("eye", "ear")
        )
        latent = np.asarray(decoded(jnp.asarray(eye.inputs), "eye"))
        np.testing.assert_allclose(decoded(jnp.asarray(ear.inputs), "ear"), latent, atol=2e-3)
        np.testing.assert_array_equal(eye.targets, ear.targets)
        prototypes = latent.mean(1)  # (lives, ways, latents): labels stand in order
        clear = prototypes[np.abs(prototypes).min(-1) > 0.01]
        assert len(clear) > 50
        signs[split] = {tuple(row) for row in np.sign(clear).astype(int).tolist()}
        assert np.abs(prototypes[0] - prototypes[1]).max() > 0.5
    assert not signs["train"] & signs["test"]
    assert not signs["train"] & signs["validation"]
    assert not signs["test"] & signs["validation"]
    assert len(np.unique(orthants(8), axis=0)) == 256


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"encoder": "nose"}, "encoder must be eye or ear"),
        ({"latents": 3}, "latents must be from 4 to 12, given 3"),
        ({"latents": 4}, "ways must be from 2 to 4, the orthants of the smallest family; given 5"),
        ({"noise": 0.0}, "noise must be positive"),
    ],
)
def test_impossible_modalities_are_refused(fields: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Modality(**fields)
