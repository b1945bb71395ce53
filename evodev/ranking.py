"""The largest of many numbers, exactly, without a sort; and the gradient of a choice."""

import jax
import jax.numpy as jnp

from evodev.types import Array, Float


def _code(values: Array) -> Array:
    """Order-preserving unsigned integer code of float32 numbers."""
    bits = jax.lax.bitcast_convert_type(jax.lax.stop_gradient(values).astype(jnp.float32), jnp.uint32)
    return jnp.where(bits >> 31 == 1, ~bits, bits | jnp.uint32(0x80000000))


def _select(code: Array, count: Array) -> tuple[Array, Array]:
    """Largest code that more than ``count`` entries of the last axis reach (0 if there are not as many), and who is above it.

    Bisects on the integer code of a float, one vectorised pass over the data a bit, which on a CPU is many times faster
    than a sort. ``count`` may be traced.
    """

    def halve(i: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        low, above = carry
        trial = low | (jnp.uint32(1) << (31 - i).astype(jnp.uint32))
        low = jnp.where((code >= trial[..., None]).sum(-1) > count, trial, low)
        # compared in here, where the codes are read that were counted: outside, a compiler may work the numbers out a second
        # time and round them differently
        return low, jax.lax.cond(i == 31, lambda: code > low[..., None], lambda: above)

    return jax.lax.fori_loop(0, 32, halve, (jnp.zeros(code.shape[:-1], jnp.uint32), jnp.zeros(code.shape, bool)))


def top_and_cutoff(values: Float[Array, "*shape n"], count: Array) -> tuple[Float[Array, "*shape n"], Float[Array, "*shape"]]:
    """:func:`top_mask`, and the largest number that is not in it: -inf if all are."""
    code, above = _select(_code(values), count)
    bits = jnp.where(code >> 31 == 1, code & jnp.uint32(0x7FFFFFFF), ~code)
    least = jnp.where(code == 0, -jnp.inf, jax.lax.bitcast_convert_type(bits, jnp.float32))
    return above.astype(jnp.float32), least


def top_mask(values: Float[Array, "*shape n"], count: Array) -> Float[Array, "*shape n"]:
    """Mask of the ``count`` largest entries along the last axis.

    Never more than ``count``: entries that tie across the boundary are all dropped, so that synapses which share a
    weight live or die together.
    """
    return top_and_cutoff(values, count)[0]


def top_exactly(values: Float[Array, "*shape n"], count: Array) -> Float[Array, "*shape n"]:
    """Mask of exactly ``count`` largest entries along the last axis; of those that tie, the first."""
    code = _code(values)
    least, above = _select(code, count)
    ties = code == least[..., None]
    left = count[..., None] - above.sum(-1, keepdims=True)
    return (above | (ties & (jnp.cumsum(ties, -1) <= left))).astype(jnp.float32)


def straight_through(mask: Float[Array, "*shape"], excess: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """The mask itself, with the gradient of ``sigmoid(excess)`` where it is one or could be (Bengio et al. 2013)."""
    # beyond this a sigmoid has no gradient in float32, and none of its parts may overflow
    soft = jax.nn.sigmoid(jnp.clip(excess, -80.0, 80.0))
    return mask + (soft - jax.lax.stop_gradient(soft))
