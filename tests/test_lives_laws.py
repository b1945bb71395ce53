import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.lives.laws import BEYOND, OTHERS, by_hand, geometric, outer_task, question, width_needed
from benchmarks.lives.laws_arms import DIAGONAL, KINDS, Fates, asked, layer, organism, plain_genome, relative
from evodev.decoders.cells.types import CellTypes
from evodev.tasks import SPLITS, Laws


def test_a_product_needs_two_square_neurons_or_four_tanh_neurons() -> None:
    found = by_hand()
    assert max(found["square"].values()) < 1e-20
    assert found["tanh"]["hole"] < 1e-4 < found["plane"]["hole"]
    assert found["tanh"]["beyond"] < 0.01 < found["plane"]["beyond"]


@pytest.mark.parametrize(
    ("errors", "needed"),
    [({2: 0.5, 4: 1e-4, 8: 1e-5}, 4), ({2: 1e-4, 4: 0.5, 8: 1e-5}, 8), ({2: 1e-4, 4: 1e-4, 8: 0.5}, None)],
)
def test_the_width_needed_is_one_from_which_on_all_do(errors: dict[int, float], needed: int | None) -> None:
    assert width_needed(errors, 1e-3) == needed


def test_errors_are_relative_to_predicting_the_mean_and_always_finite() -> None:
    targets = jnp.array([[1.0], [3.0]])
    assert float(relative(jnp.full((2, 1), 2.0), targets)) == 1.0
    assert float(relative(targets + 0.5, targets)) == 0.25
    assert float(relative(jnp.full((2, 1), jnp.nan), targets)) == 1e6


def test_means_are_geometric() -> None:
    mean, low, high = geometric(np.array([1e-4, 1e-2]))
    assert mean == pytest.approx(1e-3)
    assert low <= mean <= high


@pytest.mark.parametrize(("leaning", "zones"), [((0, 0, 0), (2, 2, 2)), ((0, 50, 0), (0, 6, 0)), ((-50, 0.0, 0.7), (0, 2, 4))])
def test_zones_divide_a_layer_whose_living_neurons_are_always_as_many(leaning: tuple, zones: tuple) -> None:
    substrate, cells = layer(6, KINDS), Fates(CellTypes())
    tissue = cells.express({"leaning": jnp.array(leaning, jnp.float32)}, substrate, key=jax.random.key(0))
    alive = np.array([tissue.alive[kind] for kind in KINDS])
    assert tuple(alive.sum(1)) == zones
    # one neuron at each place
    assert (alive.sum(0) == 1).all()


def test_a_layer_of_one_kind_has_no_zones() -> None:
    substrate, cells = layer(6, ("tanh",)), Fates(CellTypes())
    assert cells.genome_spec(substrate).size == 0
    assert float(cells.express({}, substrate, key=jax.random.key(0)).alive["tanh"].sum()) == 6


def test_a_grown_genome_is_as_long_for_any_width() -> None:
    sizes = {organism(width, KINDS, 10, grown=True).genome_spec.size for width in (4, 64)}
    assert len(sizes) == 1


def test_searches_never_see_the_range_or_the_law_that_is_tested() -> None:
    tasks = [outer_task(OTHERS, beyond=beyond) for beyond in (False, True)]
    assert "force" not in OTHERS
    for task, split in tasks:
        judged = {"train": task.train, "validation": task.validation}[split]
        assert judged[1] <= BEYOND[0] == question(1).test[0]


def test_a_life_is_the_same_whichever_range_it_is_asked_in() -> None:
    task = Laws(laws=("force",), examples=20, shots=5, probes=3, epochs=2)
    lives = [task.sample(split, key=jax.random.key(3)) for split in SPLITS]
    for life in lives[1:]:
        np.testing.assert_array_equal(life.inputs, lives[0].inputs)
        np.testing.assert_array_equal(life.targets, lives[0].targets)
        assert not np.isin(life.probe_inputs, lives[0].probe_inputs).any()


def test_a_small_network_learns_the_product_and_answers_in_its_own_unit() -> None:
    task = Laws(laws=("force",), examples=100, shots=10, probes=50, epochs=40)
    being = organism(8, ("square",), task.steps)
    genome = plain_genome(being, 0.02, 0.5)
    errors, answers = jax.jit(lambda key: asked(being, genome, task, SPLITS, key=key))(jax.random.key(1))
    assert float(errors[0]) < 0.05
    m = np.array(DIAGONAL)
    learned = (m > 0.6) & (m < 1.9)
    np.testing.assert_allclose(np.asarray(answers)[learned], m[learned] ** 2, atol=0.2)
