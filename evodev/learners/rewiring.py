"""Synapses that go and synapses that come: what every learner needs that changes which there are."""

import jax.numpy as jnp

from evodev.ranking import top_exactly
from evodev.types import Array, Matrix, Scalar


def reach(mask: Matrix) -> Array:
    """Where a synapse can be at all, booleans: between two neurons that have one in the projection, an axon or dendrite to
    sprout from.
    """
    return (mask.sum(1) > 0)[:, None] & (mask.sum(0) > 0)[None, :]


def exchange(worth: Matrix, promise: Matrix, old: Array, room: Array, count: Scalar) -> tuple[Matrix, Matrix]:
    """Masks of the synapses that go and of those that come; equally many, at most ``count``.

    Args:
        worth: those of least worth go.
        promise: those of most promise come.
        old: which may go, booleans.
        room: where some may come, booleans.
        count: how many, a whole number.
    """
    count = jnp.minimum(count, jnp.minimum(old.sum(), room.sum()))

    def best(score: Matrix, among: Array) -> Matrix:
        return top_exactly(jnp.where(among, score, -jnp.inf).ravel(), count).reshape(score.shape)

    return best(-worth, old), best(promise, room)
