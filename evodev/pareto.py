"""Non-dominated sorting: several objectives, one order (NSGA-II; Deb et al. 2002, IEEE TEC 6:182)."""

import jax
import jax.numpy as jnp

from evodev.types import Array, Bool, Float, Int

Points = Float[Array, "n objectives"]
"""A row a point; every objective is finite, higher is better."""


def dominated(points: Points) -> Bool[Array, "n n"]:
    """Is i dominated by j: no better in any objective and worse in one? Entry (i, j)."""
    own, other = points[:, None], points[None]
    return (other >= own).all(-1) & (other > own).any(-1)


def fronts(points: Points) -> Int[Array, " n"]:
    """Number of each point's front: 0 for those that none dominates, 1 for those that only those do, and so on."""
    by = dominated(points)

    def peel(carry: tuple[Array, Array]) -> tuple[Array, Array]:
        front, number = carry
        left = front < 0
        return jnp.where(left & ~(by & left).any(1), number, front), number + 1

    unknown = jnp.full(len(points), -1, jnp.int32)
    return jax.lax.while_loop(lambda carry: (carry[0] < 0).any(), peel, (unknown, jnp.int32(0)))[0]


def crowding(points: Points, front: Int[Array, " n"]) -> Float[Array, " n"]:
    """Room that each point has to itself in its front; infinite for the ends of the front.

    In each objective the distance between the two neighbours over the width of the front; summed over objectives. An
    objective in which a whole front is equal tells nothing and counts nothing: in the paper's pseudocode it would make two
    arbitrary points infinite.
    """
    room = jnp.zeros(len(points))
    for values in points.T:
        order = jnp.lexsort((values, front))
        own, value = front[order], values[order]
        below, above = (jnp.roll(own, shift) == own for shift in (1, -1))
        # the first and the last of all have no neighbour to roll in from the other end
        below, above = below.at[0].set(False), above.at[-1].set(False)
        same = own[:, None] == own
        width = jnp.where(same, value, -jnp.inf).max(1) - jnp.where(same, value, jnp.inf).min(1)
        gap = (jnp.roll(value, -1) - jnp.roll(value, 1)) / jnp.where(width > 0, width, 1.0)
        gap = jnp.where(below & above, gap, jnp.inf)
        room = room.at[order].add(jnp.where(width > 0, gap, 0.0))
    return room


def merit(points: Points) -> Float[Array, " n"]:
    """One number a point, higher is better: the earlier front first, in a front those with more room.

    Minus the number of the front, plus at most a half for the room.
    """
    front = fronts(points)
    room = crowding(points, front)
    # room / (1 + room), in a form that is 1 for infinite room
    return -front.astype(jnp.float32) + (1.0 - 1.0 / (1.0 + room)) / 2
