"""The largest of many numbers, exactly, without a sort; and the gradient of a choice."""

from functools import partial

import jax
import jax.numpy as jnp

from evodev.types import Array, Float, Shaped


def _code(values: Array) -> Array:
    """Order-preserving unsigned integer code of float32 numbers; unsigned integers are their own."""
    values = jax.lax.stop_gradient(values)
    if values.dtype == jnp.uint32:
        return values
    bits = jax.lax.bitcast_convert_type(values.astype(jnp.float32), jnp.uint32)
    return jnp.where(bits >> 31 == 1, ~bits, bits | jnp.uint32(0x80000000))


@partial(jax.jit, static_argnames="bits")
def _bisect(digits: Array, bits: int, count: Array, found: Array) -> tuple[Array, Array, Array]:
    """Largest number of so many bits that more than ``count`` digits of the last axis reach (0 if there are not as many); how
    many digits are above it; and whether those are just ``count``.

    One pass over the digits a bit, until everything is found; ``found`` says what needs no finding.
    """
    # summed in bytes over rows, which on a CPU is six times as fast as along the last axis
    rows = max(1, min(128, digits.shape[-1] // 64))
    padding = [(0, 0)] * (digits.ndim - 1) + [(0, -digits.shape[-1] % rows)]
    laid = jnp.pad(digits, padding).reshape(*digits.shape[:-1], rows, -1)

    def halve(carry: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
        left, low, above, found = carry
        # never 0, so that what was padded never counts
        trial = low | (jnp.uint32(1) << (left - 1).astype(jnp.uint32))
        reach = (laid >= trial.astype(digits.dtype)[..., None, None]).astype(jnp.uint8)
        reaching = reach.sum(-2, dtype=jnp.uint8).astype(jnp.int32).sum(-1)
        hit = reaching == count
        moved = jnp.where(hit, trial - 1, jnp.where(reaching > count, trial, low))
        above = jnp.where(found | (reaching > count), above, reaching)
        return left - 1, jnp.where(found, low, moved), above, found | hit

    none = jnp.zeros(digits.shape[:-1], jnp.uint32)
    start = (jnp.asarray(bits, jnp.int32), none, none.astype(jnp.int32), found)
    return jax.lax.while_loop(lambda carry: (carry[0] > 0) & ~carry[3].all(), halve, start)[1:]


@jax.jit
def _select(code: Array, count: Array) -> tuple[Array, Array, Array, Array]:
    """Which entries of the last axis are above a cut that at most ``count`` are above; which are at it, unless just ``count``
    are above; how many are above; and whether just ``count``.

    If not, more than ``count`` reach the cut, or all do. Bisects on one half of the code and then on the other, each of which
    takes half the memory; on a CPU that is many times faster than a sort. ``count`` may be traced.
    """
    count = jnp.broadcast_to(jax.lax.stop_gradient(count), code.shape[:-1])

    def half(i: Array, carry: tuple[Array, ...]) -> tuple[Array, ...]:
        cut, above, found, *_ = carry
        shift = jnp.where(i == 0, jnp.uint32(16), jnp.uint32(0))
        undecided = (i == 0) | (code >> 16 == cut[..., None] >> 16)
        digits = jnp.where(undecided, (code >> shift).astype(jnp.uint16), jnp.uint16(0))
        low, more, hit = _bisect(digits, 16, count - above, found)
        cut = cut | jnp.where(found, jnp.uint32(0xFFFF), low << shift)

        # compared in here, where the codes are read that were counted: outside, a compiler may work the numbers out a second
        # time and round them differently
        def compare() -> tuple[Array, Array]:
            return code > cut[..., None], (code == cut[..., None]) & ~hit[..., None]

        return cut, above + more, hit, *jax.lax.cond(i == 1, compare, lambda: tuple(carry[3:]))

    none, nobody = jnp.zeros(count.shape, jnp.uint32), jnp.zeros(code.shape, bool)
    start = (none, none.astype(jnp.int32), jnp.zeros(count.shape, bool), nobody, nobody)
    _, above, found, over, ties = jax.lax.fori_loop(0, 2, half, start)
    return over, ties, above, found


def top_and_cutoff(values: Float[Array, "*shape n"], count: Array) -> tuple[Float[Array, "*shape n"], Float[Array, "*shape"]]:
    """:func:`top_mask`, and the largest number that is not in it: -inf if all are."""
    code = _code(values)
    above = _select(code, count)[0]
    cut = jnp.where(above, jnp.uint32(0), code).max(-1)
    bits = jnp.where(cut >> 31 == 1, cut & jnp.uint32(0x7FFFFFFF), ~cut)
    least = jnp.where(cut == 0, -jnp.inf, jax.lax.bitcast_convert_type(bits, jnp.float32))
    return above.astype(jnp.float32), least


def top_mask(values: Float[Array, "*shape n"], count: Array) -> Float[Array, "*shape n"]:
    """Mask of the ``count`` largest entries along the last axis.

    Never more than ``count``: entries that tie across the boundary are all dropped, so that synapses which share a
    weight live or die together.
    """
    return top_and_cutoff(values, count)[0]


def top_exactly(values: Shaped[Array, "*shape n"], count: Array) -> Float[Array, "*shape n"]:
    """Mask of exactly ``count`` largest entries along the last axis; of those that tie, the first. Floats, or uint32."""
    code, size = _code(values), values.shape[-1]
    over, ties, above, found = _select(code, count)
    place = jnp.where(ties, jnp.arange(size, 0, -1, dtype=jnp.uint32), jnp.uint32(0))
    last = _bisect(place, size.bit_length(), count - above, found)[0]
    return (over | (place > last[..., None])).astype(jnp.float32)


def straight_through(mask: Float[Array, "*shape"], excess: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """The mask itself, with the gradient of ``sigmoid(excess)`` where it is one or could be (Bengio et al. 2013)."""
    # beyond this a sigmoid has no gradient in float32, and none of its parts may overflow
    soft = jax.nn.sigmoid(jnp.clip(excess, -80.0, 80.0))
    return mask + (soft - jax.lax.stop_gradient(soft))
