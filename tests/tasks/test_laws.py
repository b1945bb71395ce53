import jax
import numpy as np
import pytest

from evodev.evaluation import sample_lives
from evodev.tasks import SPLITS, Laws
from evodev.tasks.laws import LAWS


def _raw(task: Laws, inputs: np.ndarray) -> np.ndarray:
    """Variables (points, 2) as before their scaling."""
    low, high = task.train
    return low + (inputs.reshape(-1, 2) + 1) / 2 * (high - low)


@pytest.mark.parametrize(
    ("law", "values", "answer"),
    [
        ("force", (2, 3), 6), ("kinetic energy", (2, 3), 9), ("current", (6, 3), 2), ("gravitation", (18, 3), 2),
        ("pendulum", (4, 1), 4 * np.pi), ("lens", (2, 2), 1), ("fall", (3, 2), 8), ("resultant", (3, 4), 5),
    ],
)  # fmt: skip
def test_the_laws_are_those_of_physics(law: str, values: tuple[float, float], answer: float) -> None:
    assert LAWS[law](*values) == pytest.approx(answer)  # type: ignore[index]


def test_targets_are_the_law_up_to_a_unit_that_is_redrawn() -> None:
    task = Laws(examples=60, shots=20)
    for split in SPLITS:
        lives = jax.device_get(sample_lives(task, split, 12, key=jax.random.key(0)))
        units = []
        for i in range(12):
            x = np.concatenate([_raw(task, lives.inputs[i]), _raw(task, lives.probe_inputs[i])])
            y = np.concatenate([lives.targets[i].ravel(), lives.probe_targets[i].ravel()])
            line, residual, *_ = np.polyfit(x.prod(1), y, 1, full=True)
            assert residual.sum() < 1e-6
            units.append(line[0])
        assert len(set(np.round(units, 4))) == 12
        assert min(units) < 0 < max(units)


def test_a_life_learns_outside_the_hole_and_is_probed_where_its_family_lies() -> None:
    task, ranges = Laws(examples=200, shots=20), {"validation": (1.0, 1.5), "test": (2.0, 3.0)}
    for split in SPLITS:
        lives = sample_lives(task, split, 10, key=jax.random.key(0))
        learned, probed = (_raw(task, np.asarray(x)) for x in (lives.inputs, lives.probe_inputs))
        for x in (learned, *([probed] if split == "train" else [])):
            assert 0.5 <= x.min() < 0.55
            assert 1.95 < x.max() < 2.0001
            assert not ((x > 1.0) & (x < 1.5)).all(1).any()
            # around the hole, evenly
            np.testing.assert_allclose(x.mean(0), 1.25, atol=0.05)
        if split in ranges:
            low, high = ranges[split]
            assert low - 1e-5 <= probed.min() < probed.max() <= high + 1e-5


def test_one_of_several_laws_is_drawn_in_each_life() -> None:
    task = Laws(laws=("force", "current"), examples=40, shots=20)
    lives = jax.device_get(sample_lives(task, "train", 16, key=jax.random.key(0)))
    found = []
    for inputs, targets in zip(lives.inputs, lives.targets, strict=True):
        x = _raw(task, inputs)
        fits = [np.polyfit(f, targets.ravel(), 1, full=True)[1].sum() < 1e-6 for f in (x.prod(1), x[:, 0] / x[:, 1])]
        assert sum(fits) == 1
        found.append(fits[0])
    assert {True, False} == set(found)


def test_an_epoch_shows_every_example_once() -> None:
    task = Laws(examples=20, shots=5, epochs=3)
    life = task.sample("train", key=jax.random.key(0))
    assert (task.steps, task.batch, task.labels) == (12, 5, 20)
    epochs = np.asarray(life.inputs).reshape(3, 20, 2)
    assert all(len(np.unique(epoch, axis=0)) == 20 for epoch in epochs)
    assert len(np.unique(epochs.reshape(-1, 2), axis=0)) == 20
    assert not (epochs[0] == epochs[1]).all()


@pytest.mark.parametrize("law", LAWS)
def test_an_ignorant_answer_scores_what_is_said_on_every_law(law) -> None:
    lives = sample_lives(Laws(laws=(law,)), "train", 300, key=jax.random.key(3))
    assert float((lives.probe_targets**2).mean()) == pytest.approx(Laws().ignorant_loss, rel=0.15)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"test": (1.9, 3.0)}, r"the ranges test \(1.9, 3.0\) and train \(0.5, 2.0\) overlap"),
        ({"validation": (2.5, 3.5)}, r"the ranges test \(2.0, 3.0\) and validation \(2.5, 3.5\) overlap"),
        ({"validation": (1.5, 2.5), "test": (3.0, 4.0)}, "validation must lie within train or apart from it"),
        ({"test": (3.0, 2.0)}, "test must be a range low, high with 0 < low < high"),
        ({"train": (0.0, 2.0)}, "train must be a range low, high with 0 < low < high"),
        ({"laws": ()}, "laws must be out of force, kinetic energy"),
        ({"examples": 30}, "examples must be a multiple of shots; given 30 and 20"),
        ({"epochs": 0}, "epochs must be at least 1"),
    ],
)
def test_impossible_settings_are_refused_by_field(fields: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Laws(**fields)
