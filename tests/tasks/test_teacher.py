import jax
import jax.numpy as jnp
import numpy as np
import pytest

from evodev.evaluation import sample_lives
from evodev.tasks import SPLITS, Teacher


def test_a_teacher_of_one_neuron_is_a_tanh_of_a_projection() -> None:
    task = Teacher(features=1, updates=4, shots=10, probes=20, train=(1,), validation=(2,), test=(3,))
    for inputs, targets in zip(*(np.asarray(a).reshape(5, -1) for a in _stream(task, 5)), strict=True):
        ordered = np.diff(targets[np.argsort(inputs)])
        assert (ordered > -1e-5).all() or (ordered < 1e-5).all()


def _stream(task: Teacher, lives: int) -> tuple[jax.Array, jax.Array]:
    life = sample_lives(task, "train", lives, key=jax.random.key(0))
    return life.inputs, life.targets


def test_targets_of_a_life_are_standardised_and_differ_between_lives_on_the_same_inputs() -> None:
    lives = sample_lives(Teacher(), "test", 20, key=jax.random.key(0))
    values = np.concatenate([np.asarray(lives.targets).reshape(20, -1), np.asarray(lives.probe_targets)[..., 0]], axis=1)
    np.testing.assert_allclose(values.mean(1), 0, atol=1e-4)
    np.testing.assert_allclose(values.std(1), 1, atol=1e-3)
    # a best line through the answers points in another direction in each life
    lines = np.stack(
        [
            np.linalg.lstsq(x.reshape(-1, 8), y.ravel())[0]
            for x, y in zip(*map(np.asarray, (lives.inputs, lives.targets)), strict=True)
        ]
    )
    lines /= np.linalg.norm(lines, axis=1, keepdims=True)
    assert np.abs(lines @ lines.T - np.eye(20)).mean() < 0.5


def test_classes_are_uniformly_ignorant_and_all_there() -> None:
    task = Teacher(ways=3)
    lives = sample_lives(task, "validation", 100, key=jax.random.key(0))
    assert task.problem == "classification"
    assert set(np.unique(lives.targets)) == {0, 1, 2}
    assert float(task.loss(jnp.zeros((100, 3)), lives.probe_targets[0])) == pytest.approx(task.ignorant_loss)
    np.testing.assert_allclose(np.bincount(np.asarray(lives.probe_targets).ravel()) / 1e4, 1 / 3, atol=0.03)


def test_families_have_the_widths_that_they_declare() -> None:
    task = Teacher(features=1, updates=1, shots=30, probes=1, train=(1,), validation=(2,), test=(40,))
    turns = {}
    for split in SPLITS:
        lives = sample_lives(task, split, 60, key=jax.random.key(0))
        order = np.argsort(np.asarray(lives.inputs).reshape(60, -1), axis=1)
        steps = np.diff(np.take_along_axis(np.asarray(lives.targets).reshape(60, -1), order, axis=1), axis=1)
        turns[split] = (
            ((steps[:, 1:] > 1e-4) & (steps[:, :-1] < -1e-4) | (steps[:, 1:] < -1e-4) & (steps[:, :-1] > 1e-4)).any(1).mean()
        )
    assert turns["train"] == 0
    assert turns["test"] > turns["validation"] > 0


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"test": (8,)}, "teachers of 8 neurons are in two families"),
        ({"test": ()}, "each need the width of a teacher"),
        ({"train": (0,)}, "each need the width of a teacher, at least 1"),
        ({"ways": 1}, "ways must be at least 2, or none for regression; given 1"),
        ({"updates": 0}, "updates must be at least 1"),
    ],
)
def test_impossible_teachers_are_refused(fields: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Teacher(**fields)
