"""Outputs in groups, of which a sample asks one: the heads of task-incremental learning (van de Ven and Tolias 2019)."""

import jax.numpy as jnp

from evodev.types import Outputs, Targets


def asked(outputs: Outputs, targets: Targets, heads: int) -> Outputs:
    """Outputs in which only those of the target's own head can be the answer; the others are minus infinity.

    Args:
        outputs: log-odds of classes, the heads' one after the other.
        targets: class numbers.
        heads: groups of equal size; with a single one every class competes with every other.
    """
    if heads == 1:
        return outputs
    ways = outputs.shape[1] // heads
    own = jnp.arange(outputs.shape[1]) // ways == (targets // ways)[:, None]
    return jnp.where(own, outputs, -jnp.inf)
