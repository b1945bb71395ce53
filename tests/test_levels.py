from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from evodev.evaluation import sample_lives
from evodev.levels import levels_of
from evodev.tasks import TASKS, CartPole, FewShotDigits, FewShotGlyphs, Sine

TASKS_HERE = [task() for task in TASKS.values()]


@pytest.mark.parametrize("task", TASKS_HERE, ids=list(TASKS))
def test_lives_of_every_level_fit_the_program_of_the_task(task: object) -> None:
    assert hasattr(task, "sample")
    shapes = [
        jax.tree.map(lambda x: (x.shape, x.dtype), jax.eval_shape(lambda k, own=own: own.task.sample(own.split, key=k), KEY))
        for own in levels_of(task).values()  # type: ignore[arg-type]
    ]
    assert len(shapes) >= 2
    assert all(shape == shapes[0] for shape in shapes)


KEY = jax.random.key(0)


def test_levels_go_from_near_to_far() -> None:
    assert list(levels_of(FewShotDigits())) == ["train", "validation", "shifted", "another size", "another family"]
    assert list(levels_of(FewShotDigits(canvas=8, rotations=(0, 1, 2, 3)))) == ["train", "validation", "another family"]
    assert list(levels_of(FewShotGlyphs())) == ["train", "validation", "another family"]
    assert list(levels_of(TASKS["parity"]())) == ["train", "validation"]


def test_a_shifted_sine_is_larger_than_any_seen() -> None:
    task = levels_of(Sine())["shifted"].task
    lives = sample_lives(task, "test", 64, key=KEY)
    assert isinstance(task, Sine)
    assert task.amplitude == (5.0, 9.9)
    # fifty points of a life find its amplitude nearly
    assert float(jnp.abs(lives.probe_targets).max(axis=(1, 2)).min()) > 4.0
    assert task.ignorant_loss > 3 * Sine().ignorant_loss
    with pytest.raises(ValueError, match="amplitude must be a range above 0"):
        Sine(amplitude=(2.0, 1.0))


def test_shifted_physics_are_beyond_the_test_family() -> None:
    task = CartPole()
    further = levels_of(task)["shifted"].task
    assert isinstance(further, CartPole)
    assert (further.validation, further.test) == (task.test, 1.25 * task.test)
    assert replace(further, validation=task.validation, test=task.test) == task
    assert np.isfinite(jax.tree.leaves(sample_lives(further, "test", 2, key=KEY).physics)[0]).all()
