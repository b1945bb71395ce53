from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from evodev.baselines import BASELINES, Setting
from evodev.baselines.logistic import Logistic
from evodev.baselines.neighbours import reference
from evodev.evaluation import sample_lives
from evodev.fitness import Fitness
from evodev.measurement import Comparison, live_arm, measure
from evodev.search import Schedule
from evodev.strategies import Strategy
from evodev.tasks import FewShotDigits, Task
from tests.tiny import Blobs, Levers, Line, guesser

KEY = jax.random.key(0)


def _answers(task: Task, stream: Any, labels: Any, asked: Any) -> np.ndarray:
    """Probabilities after a stream of batches."""
    learner = Logistic(len(stream) * stream.shape[1])
    arm = reference("logistic", task, learner, "")
    substrate, (network, genes) = arm.substrate, arm.develop(arm.subject, key=KEY)
    state = learner.init(genes, network, substrate, key=KEY)
    for inputs, classes in zip(stream, labels, strict=True):
        state = learner.step(genes, state, inputs, classes, substrate, key=KEY)
    return np.asarray(jax.nn.softmax(learner.predict(genes, state, asked, substrate)))


@pytest.mark.parametrize("many", [1, 3, 20])
def test_logistic_regression_is_that_of_scikit_learn(many: int) -> None:
    task = FewShotDigits()
    life = task.sample("train", key=jax.random.key(3))
    stream, asked = life.inputs.reshape(20, 5, -1)[:many], life.probe_inputs.reshape(-1, 144)
    fitted = LogisticRegression(max_iter=10_000, tol=1e-8).fit(stream.reshape(-1, 144), life.targets[:many].ravel())
    expected = fitted.predict_proba(asked)
    assert expected.max() - expected.min() > 0.1
    np.testing.assert_allclose(_answers(task, stream, life.targets[:many], asked), expected, atol=1e-3)


def test_logistic_regression_says_nothing_of_what_it_has_not_seen() -> None:
    task, x = Blobs(features=2, ways=3), jnp.array([[[1.0, 0.0], [-1.0, 0.0]]])
    np.testing.assert_allclose(_answers(task, x[:0], jnp.zeros((0, 2), int), x[0]), 1 / 3, atol=1e-6)
    one = _answers(task, x, jnp.zeros((1, 2), int), x[0])
    np.testing.assert_allclose(one, 1 / 3, atol=1e-6)
    two = _answers(task, x, jnp.array([[0, 2]]), x[0])
    assert two.argmax(1).tolist() == [0, 2]
    np.testing.assert_allclose(np.log(two[:, 1]), (np.log(two[:, 0]) + np.log(two[:, 2])) / 2, atol=1e-5)


def _setting(task: Task) -> Setting:
    zero = jnp.zeros(1)
    return Setting(guesser(), zero, zero, 4, task, Strategy(), Schedule(probes=2), Fitness(), 10, evolve=False, seed=0)


def _entry(name: str, task: Task) -> dict[str, Any]:
    setting = _setting(task)
    arm = BASELINES[name].build(name, setting, key=KEY, say=lambda line: None)
    lives = sample_lives(task, "test", 4, key=KEY)
    entry = measure(arm, live_arm(arm, setting, lives, key=KEY), setting, Comparison(bootstrap=100))
    assert (entry["role"], entry["synapses"], entry["tuning_lives"]) == ("reference", 0, 0)
    return entry


@pytest.mark.parametrize(
    ("task", "curve", "bottom", "ceiling"),
    [
        (Blobs(ways=4), "accuracy", (np.log(4), 0.25), (0.0, 1.0)),
        (Line(3.0), "loss", (9.0, 9.0), (0.0, 0.0)),
        (Levers(episodes=3), "return", (1.0, 1.0), (0.0, 2.0)),
    ],
    ids=["classes", "values", "actions"],
)
def test_chance_is_the_ignorant_loss_and_the_oracle_has_none(
    task: Task, curve: str, bottom: tuple[float, float], ceiling: tuple[float, float]
) -> None:
    for name, (loss, score) in {"chance": bottom, "oracle": ceiling}.items():
        assert BASELINES[name].applies(_setting(task))
        entry = _entry(name, task)
        assert entry["scores"]["aulc"]["value"] == pytest.approx(loss)
        assert entry["curves"][curve]["mean"] == pytest.approx([score] * 3)


def test_the_mean_of_the_targets_answers_everything() -> None:
    task = Line(3.0, updates=2)
    life = sample_lives(task, "test", 4, key=KEY)
    seen, asked = np.asarray(life.targets)[:, :1].reshape(4, -1), np.asarray(life.probe_targets).reshape(4, -1)
    expected = ((asked - seen.mean(1, keepdims=True)) ** 2).mean()
    assert _entry("mean of the targets", task)["curves"]["loss"]["mean"][1] == pytest.approx(expected, rel=1e-5)
    assert not BASELINES["mean of the targets"].applies(_setting(Blobs()))


def test_logistic_regression_lives_as_any_arm() -> None:
    entry = _entry("logistic regression on inputs", Blobs(ways=2))
    assert entry["curves"]["loss"]["mean"][0] == pytest.approx(np.log(2), rel=1e-5)
    assert entry["curves"]["accuracy"]["mean"][-1] > 0.8
    assert not BASELINES["logistic regression on inputs"].applies(_setting(Line()))
