from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evodev.network import transmit
from evodev.sparse import find_sources, gather, scatter, sparse_product


def test_sources_values_and_answer_by_hand() -> None:
    mask = jnp.array([[0.0, 1, 0], [1, 1, 0], [1, 0, 0]])
    weights = jnp.array([[0.0, 5, 0], [2, 7, 0], [3, 0, 0]])
    sources = find_sources(mask, 2)
    np.testing.assert_array_equal(sources, [[1, 2], [0, 1], [3, 3]])  # 3 is nobody
    np.testing.assert_array_equal(gather(weights, sources), [[2, 5, 0], [3, 7, 0]])
    np.testing.assert_array_equal(sparse_product(jnp.array([[1.0, 10, 100]]), gather(weights, sources), sources), [[320, 75, 0]])


def test_a_group_reads_whatever_one_of_its_neurons_reads() -> None:
    mask = jnp.array([[0.0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 1, 0, 0]])
    sources = find_sources(mask, 2, width=2)
    np.testing.assert_array_equal(sources, [[1, 3], [0, 2]])
    np.testing.assert_array_equal(gather(mask, sources), [[1, 0, 1, 0], [0, 1, 0, 1]])


@partial(jax.jit, static_argnames="width")
def _both(mask: jax.Array, weights: jax.Array, x: jax.Array, pull: jax.Array, width: int) -> tuple:
    """What dense and what sparse give: weights, mask, answer, gradients of both; and how many synapses the sparse form holds."""
    pre = len(mask)
    sources = find_sources(mask, pre, width)
    values, kept = gather(weights, sources), gather(mask, sources)
    answer, back = jax.vjp(lambda v, x: transmit(x, v, sources), values, x)
    expected, dense_back = jax.vjp(lambda w, x: transmit(x, w), weights, x)
    (by_values, by_inputs), (by_weights, by_dense_inputs) = back(pull), dense_back(pull)
    sparse = (
        scatter(values, sources, pre),
        scatter(kept, sources, pre),
        answer,
        scatter(by_values * kept, sources, pre),
        by_inputs,
    )
    return (weights, mask, expected, by_weights * mask, by_dense_inputs), sparse, kept.sum()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 999), st.sampled_from([(5, 6, 1), (5, 6, 3), (8, 4, 2)]), st.sampled_from([0.0, 0.3, 1.0]))
def test_sparse_forms_are_the_masked_matrix_and_have_its_gradients(seed: int, shape: tuple[int, int, int], share: float) -> None:
    pre, post, width = shape
    rng = np.random.default_rng(seed)
    mask = (rng.random((pre, post)) < share).astype(np.float32)
    weights, x, pull = (rng.normal(size=s).astype(np.float32) for s in ((pre, post), (3, pre), (3, post)))
    dense, sparse, count = _both(mask, weights * mask, x, pull, width)
    for got, expected in zip(sparse[:2], dense[:2], strict=True):
        np.testing.assert_array_equal(got, expected)
    for got, expected in zip(sparse[2:], dense[2:], strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)
    assert count == mask.sum()


@pytest.mark.parametrize("shared", [True, False], ids=["one list for all", "a list each"])
def test_a_population_in_a_scan_answers_as_one_by_one(shared: bool) -> None:
    rng = np.random.default_rng(0)
    masks = jnp.asarray(rng.random((3, 6, 6)) < 0.5, jnp.float32)
    if shared:
        masks = jnp.broadcast_to(masks[0], masks.shape)
    weights = jnp.asarray(rng.normal(size=masks.shape), jnp.float32) * masks
    lists = jax.vmap(partial(find_sources, inputs=6))(masks)

    def sweeps(weights: jax.Array, sources: jax.Array) -> jax.Array:
        def sweep(x: jax.Array, _: None) -> tuple[jax.Array, None]:
            return jnp.tanh(sparse_product(x, gather(weights, sources), sources)), None

        return jax.lax.scan(sweep, jnp.ones((2, 6)), None, length=3)[0]

    together = jax.jit(jax.vmap(sweeps, in_axes=(0, None if shared else 0)))(weights, lists[0] if shared else lists)
    for got, w in zip(together, weights, strict=True):
        x = jnp.ones((2, 6))
        for _ in range(3):
            x = jnp.tanh(x @ w)
        np.testing.assert_allclose(got, x, rtol=1e-5, atol=1e-6)
