import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from evodev.pareto import crowding, dominated, fronts, merit

# two objectives, higher is better: a front of three, one that only b dominates, and one that both of those do
A, B, C, D, E = (1.0, 5.0), (3.0, 4.0), (5.0, 1.0), (2.0, 3.0), (1.0, 2.0)
FIVE = jnp.array([D, A, E, B, C])

COMPILED = {"fronts": jax.jit(fronts), "merit": jax.jit(merit)}
"""A loop that is not compiled is compiled anew in each call."""

small = st.tuples(st.sampled_from([1, 7]), st.integers(2, 3)).flatmap(
    lambda shape: st.lists(
        st.lists(st.integers(0, 3), min_size=shape[1], max_size=shape[1]), min_size=shape[0], max_size=shape[0]
    )
)


def _dominates(a: list[float], b: list[float]) -> bool:
    return all(x >= y for x, y in zip(a, b, strict=True)) and any(x > y for x, y in zip(a, b, strict=True))


def test_fronts_of_five_points_by_hand() -> None:
    np.testing.assert_array_equal(fronts(FIVE), [1, 0, 2, 0, 0])


def test_equal_points_share_a_front() -> None:
    np.testing.assert_array_equal(dominated(jnp.ones((2, 2))), np.zeros((2, 2), bool))
    np.testing.assert_array_equal(fronts(jnp.array([[1.0, 1.0], [1.0, 1.0], [0.0, 1.0]])), [0, 0, 1])


def test_room_in_a_front_by_hand() -> None:
    # the one in the middle: its neighbours are 4 apart of 4 in the first objective, and 4 of 4 in the second
    np.testing.assert_array_equal(crowding(jnp.array([A, B, C]), jnp.zeros(3, jnp.int32)), [np.inf, 2.0, np.inf])
    # four on a line: (3 - 0) / 10 + (10 - 7) / 10 for the second, 9 / 10 + 9 / 10 for the third
    line = jnp.array([[10.0, 0.0], [1.0, 9.0], [0.0, 10.0], [3.0, 7.0]])
    np.testing.assert_allclose(crowding(line, fronts(line)), [np.inf, 0.6, np.inf, 1.8], rtol=1e-6)
    # neighbours are of the same front only
    both = jnp.concatenate([line, line - 100.0])
    np.testing.assert_allclose(crowding(both, fronts(both)), [np.inf, 0.6, np.inf, 1.8] * 2, rtol=1e-4)


def test_an_objective_in_which_all_are_equal_tells_nothing() -> None:
    np.testing.assert_array_equal(crowding(jnp.ones((3, 2)), jnp.zeros(3, jnp.int32)), [0.0, 0.0, 0.0])
    np.testing.assert_array_equal(merit(jnp.array([[3.0, 1.0], [2.0, 1.0], [1.0, 1.0]])), [0.0, -1.0, -2.0])


def test_merit_by_hand_also_when_compiled() -> None:
    # the middle of the first front has room 2: 2 / 3 of a half; a front of one has no width
    expected = [-1.0, 0.5, -2.0, 1 / 3, 0.5]
    np.testing.assert_allclose(merit(FIVE), expected, rtol=1e-6)
    np.testing.assert_allclose(COMPILED["merit"](FIVE), expected, rtol=1e-6)


@settings(max_examples=30, deadline=None)
@given(small)
def test_the_first_front_is_exactly_what_none_dominates(points: list[list[float]]) -> None:
    front = np.asarray(COMPILED["fronts"](jnp.array(points, jnp.float32)))
    for i, own in enumerate(points):
        assert (front[i] == 0) == (not any(_dominates(other, own) for other in points))
        # and every other front is what is first once the earlier ones are gone
        assert front[i] == max((front[j] + 1 for j, other in enumerate(points) if _dominates(other, own)), default=0)


@settings(max_examples=30, deadline=None)
@given(small)
def test_whoever_dominates_has_the_greater_merit(points: list[list[float]]) -> None:
    value = np.asarray(COMPILED["merit"](jnp.array(points, jnp.float32)))
    assert np.isfinite(value).all()
    for i, own in enumerate(points):
        assert all(value[i] > value[j] for j, other in enumerate(points) if _dominates(own, other))
