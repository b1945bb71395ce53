import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evodev import ranking

# a program for each length
numbers = st.sampled_from([1, 2, 7, 12]).flatmap(lambda n: st.lists(st.floats(-3, 3, width=16), min_size=n, max_size=n))
top_and_cutoff, top_exactly = jax.jit(ranking.top_and_cutoff), jax.jit(ranking.top_exactly)


@given(numbers, st.integers(0, 14))
def test_the_cutoff_is_the_first_number_left_out(values: list[float], count: int) -> None:
    array = np.asarray(values, np.float32) + 0.0  # no negative zeros
    expected = -np.inf if count >= len(array) else np.sort(array)[::-1][count]
    assert float(top_and_cutoff(jnp.asarray(array), jnp.asarray(count))[1]) == expected


@given(numbers, st.integers(0, 14))
def test_ties_are_broken_by_order_so_that_the_count_is_exact(values: list[float], count: int) -> None:
    array = np.asarray(values, np.float32) + 0.0
    mask = np.asarray(top_exactly(jnp.asarray(array), jnp.asarray(count)))
    assert mask.sum() == min(count, len(array))
    np.testing.assert_array_equal(np.flatnonzero(mask), np.sort(np.argsort(-array, kind="stable")[:count]))


@pytest.mark.parametrize("count", [1, 2])
def test_each_row_is_ranked_by_itself(count: int) -> None:
    mask = top_exactly(jnp.array([[1.0, 1.0, 0.0], [-jnp.inf, 5.0, 7.0]]), jnp.array([count, count]))
    np.testing.assert_array_equal(mask, [[1, count - 1, 0], [0, count - 1, 1]])
