from dataclasses import replace
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from evodev.experiment import from_plain, to_plain
from evodev.learners import Gradient, Hebbian, HebbianRule, Learner, Structural
from evodev.learners.rewiring import RewiredState
from evodev.network import Network
from evodev.substrate import mlp
from tests.tiny import Guess, digits_experiment, random_network

KEY = jax.random.key(0)
NET, NAME = mlp((3, 3), activation="linear"), "input->output"
X = jnp.array([[1.0, 2.0, -3.0]])
WEIGHTS = [[1.0, 0.0, 0.5], [0.0, 0.2, 0.0], [0.0, -0.1, 2.0]]


def _network(weights: list[list[float]]) -> Network:
    network, w = random_network(NET), jnp.asarray(weights)
    biases = {name: jnp.zeros_like(b) for name, b in network.biases.items()}
    return replace(network, weights={NAME: w}, masks={NAME: (w != 0).astype(jnp.float32)}, biases=biases)


def _live(
    learner: Structural, steps: int, *, share: float, targets: jax.Array | None = None, rate: float = 0.0
) -> list[RewiredState]:
    """States after each step; the inner learner changes nothing unless given a rate."""
    genes = {g.name: jnp.log(rate + 1e-30) for g in learner.genome_spec(NET).genes} | {"log_share": jnp.log(share)}
    states, y = [learner.init(genes, _network(WEIGHTS), NET, key=KEY)], jnp.zeros((1, 3)) if targets is None else targets
    step = jax.jit(lambda s, key: learner.step(genes, s, X, y, NET, key=key))
    for i in range(steps):
        states.append(step(states[-1], jax.random.key(i)))
    return states


SQUARED = Gradient(loss="squared_error")


def test_rigl_prunes_the_smallest_and_grows_where_the_gradient_is_largest() -> None:
    # answers 1, .7, -5.5; the gradient is 2/3 x_i (answer_j - target_j): by column 0, -.2, -5.5 less the targets
    targets = jnp.array([[1.0, 0.9, 0.0]])
    *_, last = _live(Structural(SQUARED, "gradient", period=1), 1, share=0.41, targets=targets)
    # 5 synapses, 2 exchanged: -.1 and .2 go; vacant are (0, 1), (1, 0), (1, 2), (2, 0) with |x error| .2, 0, 11, 0
    np.testing.assert_array_equal(last.network.masks[NAME], [[1, 1, 1], [0, 0, 1], [0, 0, 1]])
    np.testing.assert_allclose(last.network.weights[NAME], [[1, 0, 0.5], [0, 0, 0], [0, 0, 2]])


def test_set_prunes_the_smallest_and_grows_at_random() -> None:
    grown = []
    for seed in range(20):
        learner = Structural(SQUARED, period=1)
        genes = {g.name: jnp.asarray(-70.0) for g in learner.genome_spec(NET).genes} | {"log_share": jnp.log(0.41)}
        state = learner.init(genes, _network(WEIGHTS), NET, key=KEY)
        mask = learner.step(genes, state, X, jnp.zeros((1, 3)), NET, key=jax.random.key(seed)).network.masks[NAME]
        assert float(mask[1, 1]) == float(mask[2, 1]) == 0
        assert float(mask.sum()) == 5
        grown.append(np.asarray(mask) - (np.asarray(WEIGHTS) != 0))
    came = (np.stack(grown) > 0).sum(0)
    np.testing.assert_array_equal(came > 0, [[0, 1, 0], [1, 0, 1], [1, 0, 0]])


@pytest.mark.parametrize("regrow", ["random", "gradient"])
def test_synapses_move_only_every_period_and_are_never_more_or_fewer(regrow) -> None:
    states = _live(Structural(SQUARED, regrow, period=3), 7, share=0.41, rate=0.01)
    masks = [np.asarray(s.network.masks[NAME]) for s in states]
    moved = [int((a != b).sum()) for a, b in pairwise(masks)]
    assert moved == [0, 0, 4, 0, 0, 4, 0]
    assert {float(mask.sum()) for mask in masks} == {5.0}
    for state, mask in zip(states, masks, strict=True):
        assert (np.asarray(state.network.weights[NAME])[mask == 0] == 0).all()
    # what came has learned since
    assert (np.asarray(states[5].network.weights[NAME])[masks[5] == 1] != 0).all()


def test_the_share_falls_as_half_a_cosine() -> None:
    states = _live(Structural(SQUARED, period=1, end=2), 3, share=0.81)
    masks = [np.asarray(s.network.masks[NAME]) for s in states]
    # shares .81 x (.5, 0, 0) of five synapses, rounded down
    assert [int((a != b).sum()) // 2 for a, b in pairwise(masks)] == [2, 0, 0]


def test_it_is_the_same_in_company() -> None:
    learner = Structural(SQUARED, "gradient", period=2)
    spec = learner.genome_spec(NET)

    def mask(genome: jax.Array) -> jax.Array:
        genes, state = spec.unpack(genome), None
        state = learner.init(genes, _network(WEIGHTS), NET, key=KEY)
        for _ in range(2):
            state = learner.step(genes, state, X, jnp.ones((1, 3)), NET, key=KEY)
        return state.network.masks[NAME]

    genomes = jax.random.normal(KEY, (3, spec.size))
    np.testing.assert_array_equal(jax.vmap(mask)(genomes), jnp.stack([mask(g) for g in genomes]))


def test_a_step_without_an_exchange_costs_nothing_more_in_company() -> None:
    learner = Structural(SQUARED, "gradient", period=2)
    spec = learner.genome_spec(NET)

    def life(genome: jax.Array) -> jax.Array:
        genes = spec.unpack(genome)
        state = learner.init(genes, _network(WEIGHTS), NET, key=KEY)
        step = lambda s, key: (learner.step(genes, s, X, jnp.ones((1, 3)), NET, key=key), None)  # noqa: E731
        return jax.lax.scan(step, state, jax.random.split(KEY, 3))[0].network.masks[NAME]

    # batched by a predicate of its own a branch would have become a select of both sides
    assert "cond[" in str(jax.make_jaxpr(jax.vmap(life))(jnp.zeros((2, spec.size))))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Structural(Hebbian()), "under which no grown synapse changes in life"),
        (lambda: Structural(HebbianRule(), "gradient"), "HebbianRule knows no gradient to regrow by; use regrow: random"),
        (lambda: Structural(regrow="best"), "regrow is 'best'; one of random, gradient"),  # type: ignore[arg-type]
        (lambda: Structural(period=0), "period of 1 or more"),
        (lambda: Structural(share=1.0), r"share in \(0, 1\)"),
        (lambda: Structural(end=5), "must be later than the first exchange, at step 5"),
        (lambda: digits_experiment(learner=Structural(period=4)), "only every 4 steps .* a life has 3; make that shorter"),
        (lambda: digits_experiment(learner=Gradient(accumulate=4)), "only every 4 steps"),
        (
            lambda: Structural(Guess()).init({"learner/guess": jnp.zeros(())}, _network(WEIGHTS), NET, key=KEY),
            "the state of Guess holds none",
        ),
    ],
)
def test_what_cannot_be_is_refused(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_a_configuration_file_holds_the_learner_within() -> None:
    learner = Structural(HebbianRule("oja"), period=3)
    assert from_plain(Learner, to_plain(learner)) == learner
    assert digits_experiment(learner=learner).learner == learner
