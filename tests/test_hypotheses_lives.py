"""Known answers for what the claims crystal, laws, in_context and variation add of their own."""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.hypotheses import crystal, in_context, laws, variation
from evodev.learners.in_context import InContextState
from evodev.network import Network, forward
from evodev.strategies import Strategy, maximise
from evodev.tasks import Life, Split, Teacher
from evodev.types import Array, Genomes, Key


@dataclass(frozen=True)
class Numbered(Teacher):
    """Every world is one number, and its batches are that number plus their own in the world's order."""

    def sample(self, split: Split, *, key: Key) -> Life:
        world = jnp.floor(1e4 * jax.random.uniform(key)) + jnp.arange(crystal.STEPS)[:, None, None] / 100
        return Life(world, world, world[0], world[0])


@pytest.mark.parametrize(("lasts", "worlds"), [(1, 32), (8, 4), (32, 1)])
def test_a_world_lasts_as_long_as_it_is_told(lasts: int, worlds: int) -> None:
    task = crystal.Lasting(Numbered(), crystal.STEPS, lasts=jnp.asarray(lasts), reign=jax.random.key(0))
    one, other = (np.floor(task.sample("test", key=jax.random.key(k)).inputs).ravel() for k in (1, 2))
    assert len(set(one)) == worlds
    assert (np.flatnonzero(np.diff(one)) + 1).tolist() == list(range(lasts, crystal.STEPS, lasts))
    assert not set(one) & set(other)


def test_a_world_that_outlasts_a_life_is_everybodys_in_an_order_of_their_own() -> None:
    task = crystal.Lasting(Numbered(), crystal.STEPS, lasts=jnp.asarray(64), reign=jax.random.key(0))
    one, other = (np.ravel(task.sample("test", key=jax.random.key(k)).inputs) for k in (1, 2))
    assert not (one == other).all()
    np.testing.assert_array_equal(np.sort(one), np.sort(other))


def test_a_numbered_score_is_told_its_generation() -> None:
    def score(genomes: Genomes, *, key: Key, generation: Array) -> Array:
        return generation + jnp.zeros(len(genomes))

    history = maximise(score, 2, Strategy("SNES", 4), 3, key=jax.random.key(0), numbered=True)[2]
    assert history.tolist() == [0, 1, 2]


def test_two_logarithms_and_an_exponential_are_a_product_at_any_distance() -> None:
    being = laws.being(2)
    born, _ = being.develop(jnp.zeros(being.genome_spec.size), key=jax.random.key(0))
    blank: Network = jax.tree.map(jnp.zeros_like, born)
    # inputs are scaled to [-1, 1] over .5 to 2; a logarithm is of .1 more than what it hears
    weights = {"input->log": 0.75 * jnp.eye(2), "log->exp": jnp.ones((2, 2)), "exp->output": jnp.array([[1.0], [0.0]])}
    by_hand = replace(blank, weights=blank.weights | weights, biases=blank.biases | {"log": jnp.full(2, 1.15)},
                            alive=jax.tree.map(jnp.ones_like, born.alive))  # fmt: skip
    seen = jnp.array([[0.5, 2.0], [3.0, 4.0], [10.0, 7.0]])
    answers = forward(being.substrate, by_hand, (seen - 1.25) / 0.75)
    np.testing.assert_allclose(answers[:, 0], seen.prod(1), rtol=1e-5)


@pytest.mark.parametrize("kinds", [("tanh",), ("relu", "square"), ("exp",)])
def test_genes_deal_out_what_is_spoken_and_as_many_neurons_as_the_layer_is_wide(kinds: tuple[str, ...]) -> None:
    being = laws.being(2)
    network, _ = being.develop(laws.spoken(kinds), key=jax.random.key(0))
    dealt = {kind: float(network.alive[kind].sum()) for kind in laws.KINDS}
    assert {kind for kind, count in dealt.items() if count} == set(kinds)
    assert sum(dealt.values()) == 2


def test_a_width_that_is_never_enough_counts_an_octave_above_the_widest_unless_none_is() -> None:
    fits, never = {"inside": [-1.0, -3.0]}, {"inside": [-1.0, -1.0]}
    measures = {"widths": [4, 64], "arms": {"a": fits, "b": never, "tuned": never}}
    assert (laws.octaves(measures, "a"), laws.octaves(measures, "b")) == (6.0, np.inf)
    assert laws.fewer(measures, "a") == -1.0
    assert np.isnan(laws.fewer(measures, "b"))


def test_an_event_takes_what_it_says_and_nothing_else() -> None:
    def state(network: float, activity: float) -> InContextState:
        being = in_context.BEINGS["in context"]
        born = in_context.way(being, jnp.zeros(being.genome_spec.size), key=jax.random.key(0)).birth
        filled = jax.tree.map(lambda x: jnp.full_like(x, activity), (born.activity, born.target))
        return InContextState(jax.tree.map(lambda x: jnp.full_like(x, network), born.network), *filled)

    birth, middle = state(1.0, 0.0), state(2.0, 3.0)
    wanted = {"nothing": middle, "activity reset": state(2.0, 0.0), "synapses reset": state(1.0, 3.0), "pause": birth}
    for event, expected in wanted.items():
        left = in_context.interrupted(middle, birth, event, lambda _: birth)
        jax.tree.map(np.testing.assert_array_equal, left, expected)


@pytest.mark.parametrize(("walled", "height"), [(1.0, 0.3), (0.0, 1.0)])
def test_a_walker_straight_ahead_is_stopped_by_the_wall_and_by_nothing_else(walled: float, height: float) -> None:
    spec = variation.SPEC
    upwards = {g.name: jnp.zeros(g.shape) for g in spec.genes}
    name = next(name for name in upwards if name.endswith("output/bias"))
    path = variation.walk(spec.pack(upwards | {name: jnp.array([0.0, 5.0])}), jnp.asarray(walled))
    assert height - variation.SPEED <= float(path[-1, 1]) <= height
    np.testing.assert_array_equal(path[:, 0], 0.0)


def test_progress_is_none_at_the_start_and_whole_at_the_goal() -> None:
    ends = [variation.progress(jnp.array(place)) for place in (variation.START, variation.GOAL)]
    np.testing.assert_allclose(ends, [0, 1], atol=1e-3)
