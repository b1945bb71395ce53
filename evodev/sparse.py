"""Sparse forms of a projection's weights, on arrays: of every neuron only the inputs that it has.

A *group* is ``width`` neighbouring neurons that keep one list of inputs, the *sources* (groups, inputs). Weights, masks, gains
and whatever else belongs to synapses then have the shape (inputs, post) in place of (pre, post): row i holds the i-th input of
each neuron. Width 1 is the gather form, of fixed fan-in; wider groups are block-sparse, a block being one input of ``width``
neurons, so that an answer is a batched matrix product. Lists of fewer inputs than there is room for end in the number of
senders, which stands for nobody: values there are zero.
"""

from functools import partial

import jax
import jax.numpy as jnp

from evodev.types import Array, Float, Int, Matrix

Sources = Int[Array, "groups inputs"]


def find_sources(mask: Matrix, inputs: int, width: int = 1) -> Sources:
    """Who sends to each group, in order; the first ``inputs`` of them.

    Args:
        mask: not zero where a synapse is, (pre, post).
        inputs: the most that a group can have; what exceeds it would be lost.
        width: neurons in a group; post must be a multiple.
    """
    present = (mask != 0).reshape(len(mask), -1, width).any(-1)
    rank = jnp.cumsum(present, axis=0, dtype=jnp.int32)
    first = partial(jnp.searchsorted, v=jnp.arange(1, inputs + 1))
    return jax.vmap(first, in_axes=1)(rank).astype(jnp.int32)


def gather(matrix: Matrix, sources: Sources) -> Float[Array, "inputs post"]:
    """What a matrix holds at the sources, (inputs, post); zero where there are fewer."""
    groups, inputs = sources.shape
    own = matrix.reshape(len(matrix), groups, -1)
    return own.at[sources, jnp.arange(groups)[:, None]].get(mode="fill", fill_value=0).swapaxes(0, 1).reshape(inputs, -1)


def scatter(values: Float[Array, "inputs post"], sources: Sources, pre: int) -> Matrix:
    """The matrix (pre, post) of which these are the values: undoes :func:`gather`, exactly."""
    groups, inputs = sources.shape
    own = values.reshape(inputs, groups, -1).swapaxes(0, 1)
    empty = jnp.zeros((pre, *own.shape[::2]), values.dtype)
    return empty.at[sources, jnp.arange(groups)[:, None]].set(own, mode="drop").reshape(pre, -1)


def sparse_product(
    activity: Float[Array, "batch pre"], values: Float[Array, "inputs post"], sources: Sources
) -> Float[Array, "batch post"]:
    """``activity @ scatter(values, sources, pre)`` from the sources alone."""
    groups, inputs = sources.shape
    # whole batches side by side: on a CPU reading them, and adding to them on the way back, is many times faster than numbers
    seen = activity.T.at[sources].get(mode="clip")
    own = values.reshape(inputs, groups, -1)
    return jnp.einsum("gib,igw->bgw", seen, own).reshape(len(activity), -1)
