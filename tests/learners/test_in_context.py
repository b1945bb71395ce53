import jax
import jax.numpy as jnp
import numpy as np
import pytest

from evodev.experiment import fitted
from evodev.learners import InContext, NoLearning
from evodev.network import activities, forward
from evodev.substrate import complete, mlp, recurrent
from tests.tiny import CHAIN, TOLD, WHOLE, digits_experiment, random_network

KEY = jax.random.key(0)
X = jax.random.normal(jax.random.key(1), (5, 6))
CLASSES = jnp.array([0, 1, 1, 0, 1])


def test_activity_goes_on_from_sample_to_sample_and_is_told_the_last_target() -> None:
    network, learner = random_network(TOLD, density=0.7), InContext()
    state = learner.init({}, network, TOLD, key=KEY)
    state = learner.step({}, state, X[:2], CLASSES[:2], TOLD, key=KEY)
    state = learner.step({}, state, X[2:3], CLASSES[2:3], TOLD, key=KEY)
    activity, told = None, jnp.zeros(2)
    for x, y in zip(X[:3], CLASSES[:3], strict=True):
        activity, told = activities(TOLD, network, jnp.concatenate([x, told])[None], activity), jnp.eye(2)[y]
    for probe, answer in zip(X[3:], learner.predict({}, state, X[3:], TOLD), strict=True):
        alone = activities(TOLD, network, jnp.concatenate([probe, told])[None], activity)["output"][0]
        np.testing.assert_allclose(answer, alone, rtol=1e-5, atol=1e-6)
    assert bool((state.target == jnp.eye(2)[CLASSES[2]]).all())


def test_a_network_that_copies_what_it_is_told_answers_with_the_last_target() -> None:
    # the hidden neurons hold the target of the sample before; no synapse changes
    substrate, network = TOLD, random_network(TOLD)
    hold = jnp.zeros((8, 5)).at[6, 0].set(1.0).at[7, 1].set(1.0)
    weights = {"input->hidden": hold, "hidden->hidden": jnp.zeros((5, 5)), "hidden->output": jnp.eye(5, 2)}
    network = network.replace(weights=weights, biases={n: jnp.zeros_like(b) for n, b in network.biases.items()})  # type: ignore[attr-defined]
    learner = InContext()
    state = learner.init({}, network, substrate, key=KEY)
    np.testing.assert_array_equal(learner.predict({}, state, X, substrate), jnp.zeros((5, 2)))
    state = learner.step({}, state, X, CLASSES, substrate, key=KEY)
    np.testing.assert_allclose(learner.predict({}, state, X, substrate), jnp.tanh(jnp.array([[0.0, 1.0]] * 5)), rtol=1e-6)


def test_values_are_shown_as_they_are() -> None:
    learner = InContext()
    state = learner.init({}, random_network(TOLD), TOLD, key=KEY)
    values = X[:, :2]
    np.testing.assert_allclose(learner.step({}, state, X, values, TOLD, key=KEY).target, values[-1])


@pytest.mark.parametrize(
    ("substrate", "message"),
    [
        (WHOLE, r"no recurrent projection; use substrate\.recurrent or"),
        (CHAIN, "the blank slates in front of 'output' would stay blank; set blank: false"),
        (recurrent(2, 5, 2), "add an input neuron for each output"),
    ],
)
def test_a_substrate_that_cannot_remember_is_refused(substrate, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        InContext().genome_spec(substrate)


def test_an_experiment_gives_it_input_neurons_for_the_targets() -> None:
    task = digits_experiment().task
    with pytest.raises(ValueError, match="has 64 neurons, the task has 64 inputs and the learner shows it the last target on 2"):
        digits_experiment(learner=InContext(), substrate=complete(64, 3, 2, ticks=2))
    substrate = fitted(complete(64, 3, 2, ticks=2), task, InContext())
    assert substrate.input.size == 66
    assert digits_experiment(learner=InContext(), substrate=substrate).substrate == substrate


def test_without_learning_every_answer_is_the_one_at_birth() -> None:
    learner, network = NoLearning(), random_network(WHOLE, seed=1)
    seen = learner.perceive(network, X, WHOLE)
    state = learner.init({}, network, WHOLE, key=KEY)
    for _ in range(2):
        np.testing.assert_array_equal(learner.predict({}, state, seen, WHOLE), forward(WHOLE, network, X))
        state = learner.step({}, state, seen, CLASSES, WHOLE, key=KEY)


def test_innate_answers_need_a_grown_read_out() -> None:
    with pytest.raises(ValueError, match="learner: innate changes no synapse"):
        digits_experiment(learner=NoLearning())
    assert NoLearning().genome_spec(mlp((6, 5, 2))).size == 0
