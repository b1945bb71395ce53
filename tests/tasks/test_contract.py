"""What every task of samples promises, over the registry; a new one is covered by being registered.

Those that act are in ``test_acting``.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from evodev.evaluation import sample_lives
from evodev.tasks import SPLITS, TASKS, Acting, Life, Task
from evodev.tasks.base import check_split

LIVES = 200


class Sampled:
    """A task with lives of each of its families."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.lives: dict[str, Life] = {
            split: jax.device_get(sample_lives(task, split, LIVES, key=jax.random.key(1))) for split in SPLITS
        }

    def life(self, split: str, index: int) -> Life:
        return jax.tree.map(lambda x: x[index], self.lives[split])


@pytest.fixture(scope="module", params=[name for name, cls in TASKS.items() if not issubclass(cls, Acting)])
def sampled(request: pytest.FixtureRequest) -> Sampled:
    return Sampled(TASKS[request.param]())


def test_lives_have_the_declared_shapes(sampled: Sampled) -> None:
    task = sampled.task
    assert np.prod(task.grid) == task.inputs
    assert 0 < task.labels <= task.steps * task.batch
    assert task.outputs % task.heads == 0
    ends = task.phase_ends
    assert all(0 < end <= task.steps for end in ends)
    assert not ends or min(ends) < task.steps
    for life in sampled.lives.values():
        assert life.inputs.reshape(LIVES, task.steps, task.batch, -1).shape[-1] == task.inputs
        assert life.probe_inputs.reshape(LIVES, life.probe_inputs.shape[1], -1).shape[-1] == task.inputs
        assert life.probe_inputs.shape[1] % max(1, len(ends)) == 0
        assert np.isfinite(life.inputs).all()
        classes = task.problem == "classification"
        outputs = () if classes else (task.outputs,)
        assert life.targets.shape == (LIVES, task.steps, task.batch, *outputs)
        assert life.probe_targets.shape == (*life.probe_inputs.shape[:2], *outputs)
        if classes:
            assert np.issubdtype(life.targets.dtype, np.integer)
            assert set(np.unique(life.targets)) == set(np.unique(life.probe_targets)) == set(range(task.outputs))


def test_the_key_decides_the_life(sampled: Sampled) -> None:
    for split in SPLITS:
        assert not np.allclose(sampled.life(split, 0).inputs, sampled.life(split, 1).inputs)
    again = jax.jit(lambda key: sampled.task.sample("test", key=key))(jax.random.split(jax.random.key(1), LIVES)[0])
    # one life and many are two programs, that may round a computed target differently
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-5), again, sampled.life("test", 0))


def test_no_probe_is_ever_learned_from(sampled: Sampled) -> None:
    for split in SPLITS:
        for i in range(5):
            life = sampled.life(split, i)
            seen = {x.tobytes() for x in np.asarray(life.inputs).reshape(-1, sampled.task.inputs)}
            assert not seen & {x.tobytes() for x in np.asarray(life.probe_inputs).reshape(-1, sampled.task.inputs)}


def test_an_answer_that_knows_nothing_has_the_ignorant_loss(sampled: Sampled) -> None:
    targets = jnp.asarray(sampled.lives["train"].probe_targets)
    nothing = jnp.zeros((*sampled.lives["train"].probe_inputs.shape[:2], sampled.task.outputs))
    losses = jax.jit(jax.vmap(sampled.task.loss))(nothing, targets)
    assert float(losses.mean()) == pytest.approx(sampled.task.ignorant_loss, rel=0.15)


def test_a_perfect_answer_has_no_loss_and_the_best_score(sampled: Sampled) -> None:
    task, targets = sampled.task, jnp.asarray(sampled.lives["test"].probe_targets[0])
    classes = task.problem == "classification"
    perfect = 50.0 * jax.nn.one_hot(targets, task.outputs) if classes else targets
    assert float(task.loss(perfect, targets)) == pytest.approx(0, abs=1e-5)
    assert float(task.score(perfect, targets)) == pytest.approx(1.0 if classes else 0.0)


def test_it_says_what_it_holds_out(sampled: Sampled) -> None:
    assert sampled.task.held_out
    assert sampled.task.unit


def test_an_unknown_family_is_refused() -> None:
    with pytest.raises(ValueError, match="split is 'tests'; one of train, validation, test"):
        check_split("tests")
